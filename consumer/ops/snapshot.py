"""What the loop publishes of its state, at most once a turn.

One immutable value for the metrics, the health checks and /status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from consumer.ops.growth_note import Grown
from consumer.ops.key_note import NONE, OTHER, USER
from consumer.ops.partition_view import PartitionView
from consumer.ops.pseudonyms import Pseudonyms
from consumer.ports.state_figures import StateFigures
from consumer.sequencing.accounting import End, Reason
from consumer.sequencing.gate import State
from consumer.sequencing.pauses import PauseOrder
from consumer.sequencing.waiting import Waiting


class Phase(Enum):
    """The life of the process."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"


class Rest(StrEnum):
    """Why partitions are not fetched, or not sent: the values of the `reason` label of customfit_paused."""

    RESTORING = "restoring"
    """Its state is not ready yet."""
    STOPPED = "stopped"
    """It stands still until somebody acts."""
    SCHEMA = "schema"
    """Its next record waits for a schema, or for room in the buffer."""
    SHARE = "share"
    """It has used its share and makes no progress."""
    BUFFER = "buffer"
    """All partitions: the buffer is full."""
    COMMAND = "command"
    """All partitions: sending is paused. They are fetched until the buffer is full, and nothing is sent."""
    COMMITS = "commits"
    """All partitions: what a crash would send again is close to its limit."""


@dataclass(slots=True, frozen=True)
class RateView:
    """Our own limit, CUSTOMFIT_REQUESTS_PER_SECOND_MAX; in requests a second."""

    limit: float
    """The whole group's."""
    share: float
    """This member's."""
    waiting_seconds: float
    """For how long requests have waited for it, and for nothing else; 0: none does."""
    waited_seconds: float
    """The same in all, since the start."""

    def __str__(self) -> str:
        limit = f"your own limit of {self.limit:.6g} requests/s (CUSTOMFIT_REQUESTS_PER_SECOND_MAX)"
        if not self.share:
            return f"of {limit} nothing is this member's yet: it waits for a commit, or for the topic's partition count"
        return f"{limit} is used up; {self.share:.3g} of them are this member's"


@dataclass(slots=True, frozen=True)
class Snapshot:
    """Everything that is shown, as of one turn of the loop."""

    taken_at: float
    """When it was taken; monotonic seconds."""
    phase: Phase
    joined: bool
    """The group has answered, with partitions or without."""
    partitions: tuple[PartitionView, ...]
    consumed: Mapping[str, int]
    finished: Mapping[tuple[End, Reason], int]
    unfinished: int
    introductions: int
    holds_cut_short: int
    held_events: int
    held_users: int
    in_flight: int
    in_flight_limit: int
    destination_state: State
    destination_reason: str
    destination_seconds: float = float("inf")
    """For how long the destination has been in this state."""
    destination_closed_seconds: float = 0.0
    """For how long nothing will be sent, from now on."""
    rate: RateView | None = None
    """None: no rate is set."""
    answer_seconds: float = 0.0
    """How long a recent answer took, on average, while users waited for a place; 0: there was none."""
    full_seconds: float = 0.0
    """For how long all places in flight were taken while users waited for one."""
    source_topic: str = ""
    topic_partitions: Mapping[str, int | None] = field(default_factory=dict)
    """How many partitions the topics have that are read, as the cluster says; None: the topic does not exist."""
    grown: Grown | None = None
    """How the source topic has grown last, since the start."""
    paused: Mapping[str, int] = field(default_factory=dict)
    """Why partitions are not fetched → how many of them."""
    buffer_events: int = 0
    buffer_events_limit: int = 0
    oldest_held_at: float | None = None
    """When the oldest hold began; monotonic seconds."""
    users_retrying: int = 0
    waiting: tuple[Waiting, ...] = ()
    """The lanes that have waited longest, for another try or for an identify."""
    pseudonyms: Pseudonyms = field(default_factory=lambda: Pseudonyms("", ""))
    """What to call the users among them."""
    last_delivery_at: float = 0.0
    """When the last event was delivered; wall seconds; 0: none yet."""
    last_commit_at: float = 0.0
    loop_cpu_seconds: float = 0.0
    """The CPU time of the loop's thread since it began."""
    kafka_silent_seconds: float = 0.0
    """For how long nothing has been heard of the cluster."""
    kafka_problem: str | None = None
    """What the client said last."""
    lost_seconds: float = 0.0
    """How long ago the group took partitions without asking, if it has given none since."""
    dead_letter_problem: str | None = None
    receipt_problem: str | None = None
    group_problem: str | None = None
    """Why nothing is sent although the destination would accept it (sequencing/lease.py)."""
    registry_problem: str | None = None
    state_problem: str | None = None
    """Why the state topic can't be written, read or made larger."""
    pause: PauseOrder | None = None
    """The order because of which sending is paused now."""
    is_pause_known: bool = True
    """False at a start, while the last order is being read."""
    unpaused_seconds: float = float("inf")
    """For how long sending has not been paused."""
    denied: tuple[str, ...] = ()
    """What the cluster's access lists keep us from."""
    rules_matched: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How often each rule of what is not sent has matched, by the setting and the rule."""
    keyed: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys((USER, OTHER, NONE), 0))
    """Records with an event, by whose key they have."""
    state: StateFigures = field(default_factory=StateFigures)
    rekeyed: bool = False
    """CUSTOMFIT_REKEYED: the topic is written by `rekey`."""
