"""What is known of a member without looking into it: what it has sent and heard, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from consumer.sequencing.events import Partition, User
from tests.simulation.requests import Request, Tenure


class Counts(NamedTuple):
    """What a member says of itself after a turn."""

    consumed: int
    finished: int
    unfinished: int
    unfinished_in_partitions: int
    buffered: int
    buffered_bytes: int
    """Unfinished, those of halted partitions aside."""
    in_flight: int
    held: int
    destination: str
    reason: str
    closed_until: float | None


@dataclass(slots=True, eq=False)
class Ledger:
    """What is known of one member's life, from its start to its death."""

    name: str
    is_paused: bool = False
    """It has heard that nothing may be sent, or does not know yet."""
    outstanding: dict[tuple[Partition, User], Request] = field(default_factory=dict)
    succeeded_at: float | None = None
    succeeded_sent_at: float = float("-inf")
    """When the latest request that succeeded was sent."""
    misdirected_at: float | None = None
    """The first 401 or the like with no success of a request sent after it."""
    misdirected: dict[User, Request] = field(default_factory=dict)
    """Who got one since, and the last of them."""
    misdirected_in_a_row: int = 0
    may_be_stopped: bool = False
    destination: str = "delivering"
    """The gate's state when the turn before had ended."""
    dead_letter_ratio_max: float = 1.0
    paused_until: float = 0.0
    """What a 429 has asked for."""
    not_before: dict[tuple[Tenure, User], float] = field(default_factory=dict)
    """What other answers have asked for, of one user."""
    buffered: int = 0
    buffered_bytes: int = 0
    """At the most, since the turn before."""
    failed: dict[User, Request] = field(default_factory=dict)
    """Who failed since the last success or refusal, and the last request of each that did."""
    failing: set[User] = field(default_factory=set)
    """Whose last request failed."""
    throttled_at: float = float("-inf")
    """The last 429."""
    users_that_fail: int = 0
    """How many had failed and would try again when the turn before had ended."""
    refused_users: set[User] = field(default_factory=set)
    holds_cut_short: int = 0
    last: dict[tuple[Tenure, int], Request] = field(default_factory=dict)
    """The last request of a record."""
    tenures: set[Tenure] = field(default_factory=set)
    """Those of which it has sent something."""
    failed_at: dict[tuple[Tenure, int], list[float]] = field(default_factory=dict)
    """When its requests failed in a way that may pass."""


def trying_again(failed: Mapping[User, Request]) -> int:
    """How many of those users are still the member's: when none is left, it forgets that they failed."""
    return sum(one.tenure.will_try_again(entry.offset for entry in one.entries) for one in failed.values())
