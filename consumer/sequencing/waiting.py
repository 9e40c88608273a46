"""Who waits, and for what: users whose request is tried again, and users whose identify has not come. Pure.

Counts are kept as things happen, so they cost nothing however many lanes there are. Only the few oldest lanes are ever
looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal

from consumer.sequencing.events import Headers, Partition, User
from consumer.sequencing.lanes import Delivery, Lane, LaneStatus

if TYPE_CHECKING:
    from consumer.sequencing.assignment import Assignment
    from consumer.sequencing.sequencer import Sequencer


class Retrying:
    """Lanes whose request has failed and is neither delivered nor a dead letter yet; the first to fail comes first.

    Each partition has its own of them, too, so that nobody who asks about one walks all of its lanes.
    """

    def __init__(self) -> None:
        self._lanes: dict[Lane, None] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes)

    def note(self, lane: Lane) -> None:
        """A request of the lane was answered: note whether it, or a part of it, is to be tried again."""
        if lane.assignment.stopped is None and lane.again and lane.again[-1].first_failed_at is not None:
            self._lanes.setdefault(lane)
            lane.assignment.retrying[lane] = None
        else:
            self.discard(lane)

    def discard(self, lane: Lane) -> None:
        """The lane is no longer ours."""
        self._lanes.pop(lane, None)
        lane.assignment.retrying.pop(lane, None)


@dataclass(slots=True, frozen=True)
class Waiting:
    """One lane that waits; times are monotonic seconds."""

    kind: Literal["retrying", "held"]
    partition: Partition
    offset: int
    """Of the event that goes first."""
    user: User
    since: float
    """Retrying: when its request first failed; held: when the event was fetched."""
    attempts: int = 0
    last_answer: str = ""
    """The last answer: its status, or what went wrong."""
    next_try_at: float | None = None
    """None: its request is under way, or it waits for something other than time."""
    failing_seconds: float = 0.0
    """How much of the time to giving up has passed. Only time in which others succeeded counts."""
    given_up_at: float | None = None
    """When it is given up if others go on succeeding, or when its hold ends; None: not while nobody succeeds."""
    headers: Headers | None = field(default=None, compare=False)
    """Those of its record, if the request has one event."""


def oldest_waiting(sequencer: Sequencer, now: float, count: int) -> list[Waiting]:
    """The lanes that have waited longest, at most so many: first those that are tried again, then those held."""
    retrying = [_retrying(sequencer, lane, now) for lane in islice(sequencer.retrying, count)]
    held = [_held(lane) for lane in islice(sequencer.holds, count - len(retrying))]
    return retrying + held


def retried_events(assignment: Assignment) -> int:
    """Of users whose request has failed: those that are tried again, and those that wait behind them."""
    return sum(
        len(lane.waiting) + sum(len(one.events) for one in (lane.in_flight, *lane.again) if one is not None)
        for lane in assignment.retrying
    )


def oldest_held_since(sequencer: Sequencer) -> float | None:
    """When the event that is held longest was fetched; None: none is held."""
    lane = next(iter(sequencer.holds), None)
    return None if lane is None else lane.waiting[0].record.fetched_at


def _retrying(sequencer: Sequencer, lane: Lane, now: float) -> Waiting:
    of_lane = (lane.in_flight, *reversed(lane.again))
    delivery = next(one for one in of_lane if one is not None and one.first_failed_at is not None)
    assert delivery.first_failed_at is not None
    return Waiting(
        "retrying",
        lane.assignment.partition,
        delivery.events[0].record.offset,
        lane.user,
        delivery.first_failed_at,
        delivery.attempts,
        delivery.last_answer,
        next_try_at(sequencer, lane, now),
        delivery.failing_seconds,
        given_up_at(sequencer, delivery, now),
        delivery.events[0].record.headers if len(delivery.events) == 1 else None,
    )


def next_try_at(sequencer: Sequencer, lane: Lane, now: float) -> float | None:
    """When the lane's request may go again; None: it is under way, or waits for something other than time."""
    opens_at = sequencer.gate.opens_at(now) or now
    match lane.status:
        case LaneStatus.BACKOFF:
            return max(lane.wakes_at, opens_at)
        case LaneStatus.READY if sequencer.rate is None or sequencer.rate.waits_until is None:
            return opens_at
        case _:
            return None


def given_up_at(sequencer: Sequencer, delivery: Delivery, now: float) -> float | None:
    """When the request is given up if others go on succeeding; None: nobody succeeds."""
    if sequencer.gate.probing or sequencer.gate.everybody_fails:
        return None
    return now + max(sequencer.give_up_seconds - delivery.failing_seconds, 0.0)


def _held(lane: Lane) -> Waiting:
    head = lane.waiting[0].record
    return Waiting("held", head.partition, head.offset, lane.user, head.fetched_at, given_up_at=lane.wakes_at)
