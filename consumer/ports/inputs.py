"""What the edges report to the loop.

Everything that happens arrives on one inbox as one of these, so there is one place where it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from consumer.avro.known_schemas import Read
from consumer.avro.wire_format import SchemaRef
from consumer.customfit.answers import Answer
from consumer.sequencing.actions import WriteDeadLetter, WriteReceipt
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition, Record, User
from consumer.sequencing.lanes import Delivery, Lane
from consumer.sequencing.offsets import CommitPoint
from consumer.sequencing.pauses import PauseOrder
from consumer.sequencing.stops import StopCause
from consumer.sequencing.user_waits import InHand, UserWaits


@dataclass(slots=True, frozen=True, eq=False)
class Fetched:
    """Records, in the order of each partition, and the ends of logs that were fetched completely."""

    records: Sequence[Record]
    ends: Mapping[Partition, int]


class StartPoint(NamedTuple):
    """Where a partition is read from, and the metadata that the group's last commit of it carried."""

    offset: int
    metadata: str | None
    topic_id: str | None = None
    """The id of the topic as it is now; None: the cluster gives topics no ids."""


@dataclass(slots=True, frozen=True)
class Granted:
    """The group gave us partitions, or none. Where they start is being found out, and `Assigned` follows."""

    partitions: Sequence[Partition]


@dataclass(slots=True, frozen=True)
class Assigned:
    """Partitions are ours, and paused; each starts where the group had committed it."""

    starts: dict[Partition, StartPoint]
    cluster_id: str


@dataclass(slots=True, frozen=True, eq=False)
class Revoking:
    """Partitions are being taken away. The Kafka thread waits for `drained`, and commits what it gives."""

    partitions: Sequence[Partition]
    drained: Future[dict[Partition, CommitPoint]]
    shutdown: bool = False


@dataclass(slots=True, frozen=True)
class Revoked:
    """The drained partitions are given up. `error`: their last commit failed."""

    partitions: Sequence[Partition]
    error: str | None


@dataclass(slots=True, frozen=True)
class Lost:
    """Partitions were taken away without asking: nothing may be committed."""

    partitions: Sequence[Partition]


@dataclass(slots=True, frozen=True)
class Committed:
    """The broker's answer to a commit: what was asked, and what it accepted. `error` is for people."""

    asked: Mapping[Partition, CommitPoint]
    accepted: Sequence[Partition]
    error: str | None
    too_large: Sequence[Partition] = ()
    """Partitions whose metadata is larger than the broker takes."""


@dataclass(slots=True, frozen=True)
class LogBounds:
    """Where logs begin and end, for partitions whose leaders have answered."""

    highs: Mapping[Partition, int]
    """High watermarks: where the log ends, open transactions included."""
    stable: Mapping[Partition, int]
    """Up to where each may be read: the first open transaction, or the end."""
    beginnings: Mapping[Partition, int]


class TopicSeen(NamedTuple):
    """A topic, as the cluster describes it."""

    topic_id: str | None
    """None: the cluster gives topics no id, or the topic does not exist."""
    partitions: int | None
    """None: the topic does not exist."""
    leaderless: frozenset[int]
    """Numbers of the partitions without a leader."""


@dataclass(slots=True, frozen=True)
class TopicsSeen:
    """The topics that we read, and the state's, as far as a broker describes them: it may refuse to."""

    topics: Mapping[str, TopicSeen]


@dataclass(slots=True, frozen=True)
class TopicMadeAgain:
    """A topic was deleted and made again under its name. Nothing that was read of it since may be committed."""

    topic: str
    topic_id: str
    """The new topic's id."""


@dataclass(slots=True, frozen=True)
class Retention:
    """Topic → seconds for which it keeps records; None: time does not limit it."""

    seconds: Mapping[str, float | None]


@dataclass(slots=True, frozen=True)
class RecordTimes:
    """Partition → an offset, and the timestamp of the first record at or above it."""

    times: Mapping[Partition, tuple[int, int]]


@dataclass(slots=True, frozen=True)
class PartitionFailed:
    """A partition can't be read any further. `remedy` is what the operator has to do."""

    partition: Partition
    cause: StopCause
    reason: str
    remedy: str


@dataclass(slots=True, frozen=True)
class KafkaProblem:
    """The client reports an error that it is working on by itself."""

    kind: str
    detail: str


@dataclass(slots=True, frozen=True)
class AccessDenied:
    """The access lists keep us from a topic or the group. The client tries again until they no longer do."""

    what: str
    """The topic, or `GROUP`."""
    detail: str


GROUP: Final = ""
"""Stands for the group in place of a topic."""


@dataclass(slots=True, frozen=True, eq=False)
class ThreadEnded:
    """An edge's thread has ended; `error` when it was not asked to."""

    name: str
    error: BaseException | None


@dataclass(slots=True, frozen=True, eq=False)
class StateOpened:
    """A partition's stored state is ready for look-ups in this assignment. It says nothing about an earlier one."""

    assignment: Assignment
    users: int
    had_other_topic: bool = False
    """Whether a topic with the same name and another id was read before."""


@dataclass(slots=True, frozen=True, eq=False)
class LookedUp:
    """Who of those asked for is known to be identified. Answers come in the order of the questions."""

    identified: dict[Partition, set[User]]


@dataclass(slots=True, frozen=True)
class StateRestoring:
    """A partition's state is being read. `remaining`: how many records are still to come, if that is known."""

    partition: Partition
    remaining: int | None


@dataclass(slots=True, frozen=True, eq=False)
class StateWritten:
    """Writes of state are in the state topic. `users`: how many are identified, if that has changed."""

    lanes: Sequence[Lane]
    users: Mapping[Partition, int]


@dataclass(slots=True, frozen=True)
class StateProblem:
    """Something of the state does not work; `kind` is a label value of customfit_errors_total{stage="state"}."""

    kind: str
    detail: str


@dataclass(slots=True, frozen=True)
class StateFixed:
    """A reported problem of this kind is over."""

    kind: str


class PauseRead(NamedTuple):
    """The last order to pause or to go on; None: there never was one."""

    order: PauseOrder | None
    is_known: bool = True
    """False: the order is still being read, and nothing may be sent until it is known."""


class Responded(msgspec.Struct, frozen=True, eq=False):
    """The destination answered a request, or failed to."""

    delivery: Delivery
    answer: Answer
    seconds: float


@dataclass(slots=True, frozen=True, eq=False)
class DeadLettered:
    """A dead letter is acknowledged by all in-sync replicas."""

    action: WriteDeadLetter


@dataclass(slots=True, frozen=True)
class DeadLetterFailed:
    """A dead letter could not be written and is tried again. It holds back its offset."""

    kind: str
    detail: str
    record: Record | None = None
    """The record that becomes a dead letter, if this is about that record alone."""


class Receipted(NamedTuple):
    """Receipts are acknowledged by all in-sync replicas."""

    actions: Sequence[WriteReceipt]


class ReceiptFailed(NamedTuple):
    """Receipts could not be written and are tried again. They hold back their offsets."""

    detail: str


@dataclass(slots=True, frozen=True, eq=False)
class SchemaFound:
    """The registry has the schema: how to read with it, or in words why it can't be read with."""

    schema: SchemaRef
    read: Read | str


@dataclass(slots=True, frozen=True)
class SchemaMissing:
    """The registry does not have it."""

    schema: SchemaRef
    detail: str


@dataclass(slots=True, frozen=True)
class RegistryProblem:
    """The registry did not answer and is asked again. What waits for a schema goes on waiting."""

    detail: str


@dataclass(slots=True, frozen=True, eq=False)
class InHandAsked:
    """Somebody looks for a user, and asks which users have anything here."""

    answer: Future[InHand]


@dataclass(slots=True, frozen=True, eq=False)
class WaitsAsked:
    """Somebody asks what the events of these users wait for."""

    users: Sequence[User]
    answer: Future[list[UserWaits]]


@dataclass(slots=True, frozen=True)
class Stop:
    """SIGTERM or SIGINT."""


ClusterInput = LogBounds | TopicsSeen | TopicMadeAgain | Retention | RecordTimes | PartitionFailed
StateInput = StateOpened | LookedUp | StateRestoring | StateWritten | StateProblem | StateFixed | PauseRead
OtherInput = (
    Fetched
    | Granted
    | Assigned
    | Revoking
    | Revoked
    | Lost
    | Committed
    | ClusterInput
    | KafkaProblem
    | AccessDenied
    | ThreadEnded
    | StateInput
    | DeadLettered
    | DeadLetterFailed
    | Receipted
    | ReceiptFailed
    | SchemaFound
    | SchemaMissing
    | RegistryProblem
    | InHandAsked
    | WaitsAsked
    | Stop
)
Input = Responded | OtherInput
Post = Callable[[Input], None]
"""Puts an input into the inbox; may be called from any thread."""
