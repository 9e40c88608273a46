"""What a lane holds: the events of one user in one partition, and the request that is under way. Pure.

What comes next in a lane is decided by THE RULE (rule.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from itertools import takewhile
from typing import TYPE_CHECKING

import msgspec

from consumer.sequencing.events import Event, Kind, User
from consumer.sequencing.rule import DeliveryKind, Step, first_identify, run_length

if TYPE_CHECKING:
    from consumer.sequencing.assignment import Assignment


class Delivery(msgspec.Struct, eq=False):
    """A request to be sent, for one user, of one kind. The same object goes through all of its attempts."""

    lane: Lane
    kind: DeliveryKind
    events: list[Event]
    attempts: int = 0
    sent_at: float = 0.0
    """When the last attempt was sent."""
    not_before: float = 0.0
    """Until when the destination asked to wait, with Retry-After."""
    failed_at: float | None = None
    """When the last attempt failed in a way that may pass."""
    first_failed_at: float | None = None
    failing_seconds: float = 0.0
    """How long it has failed while others succeeded."""
    last_answer: str = ""
    """What came of the last failed attempt, for people."""
    status: int = 0
    """The status with which it was accepted; kept if receipts are written."""

    @property
    def user(self) -> User:
        """Whose events these are."""
        return self.lane.user

    def halves(self) -> tuple[Delivery, Delivery]:
        """Its left and right half. Each keeps how long it has been failing."""
        middle = len(self.events) // 2
        return self._part(self.events[:middle]), self._part(self.events[middle:])

    def _part(self, events: list[Event]) -> Delivery:
        return Delivery(
            self.lane,
            self.kind,
            events,
            not_before=self.not_before,
            first_failed_at=self.first_failed_at,
            failing_seconds=self.failing_seconds,
            last_answer=self.last_answer,
        )


class LaneStatus(Enum):
    """What a lane is doing; exactly one at any time."""

    IDLE = "idle"
    ASKED = "asked"
    """The stored state was asked whether the user is identified (look_ups.py)."""
    READY = "ready"
    HELD = "held"
    BACKOFF = "backoff"
    IN_FLIGHT = "in flight"
    BLOCKED = "blocked"
    """A request that an earlier assignment sent for this user is still unanswered."""


class Lane(msgspec.Struct, eq=False):
    """One user's events in one partition."""

    assignment: Assignment
    user: User
    identified: bool | None
    """None: not looked up in the stored state."""
    status: LaneStatus = LaneStatus.IDLE
    waiting: list[Event] = []
    """A list: most lanes hold a few events, and an empty deque takes 760 bytes."""
    identifies: int = 0
    """How many identifies are in `waiting`."""
    again: tuple[Delivery, ...] = ()
    """Stack of requests that go before anything in `waiting`: a failed one, or halves of a refused one."""
    in_flight: Delivery | None = None
    """The request that waits for its answer."""
    recording: int = 0
    """Writes of this user's state that are not acknowledged yet."""
    unrecorded: tuple[Event, ...] = ()
    """Delivered behind such a write, so finished when it is acknowledged."""
    hold_waived: bool = False
    timer: int = 0
    """Which entry of the timers' heap belongs to this lane; 0: it waits for no time."""
    wakes_at: float = 0.0
    """The time in that entry."""

    def append(self, event: Event) -> None:
        """Put an event at the end."""
        self.waiting.append(event)
        if event.kind is Kind.IDENTIFY:
            self.identifies += 1

    def put_back(self, *deliveries: Delivery) -> None:
        """Send these before anything else; the last of them goes first."""
        self.again += deliveries

    def popleft(self) -> Event:
        """Take the head."""
        event = self.waiting.pop(0)
        if event.kind is Kind.IDENTIFY:
            self.identifies -= 1
        return event

    def same_as(self, earlier: Sequence[Event]) -> list[Event]:
        """Events that wait here and were in an earlier assignment, too.

        Not those behind a delete, which would undo them.
        """
        names = {_name(event) for event in earlier}
        before_delete = takewhile(lambda event: event.kind is not Kind.DELETE, self.waiting)
        return [event for event in before_delete if _name(event) in names]

    def take(self, events: Sequence[Event]) -> None:
        """Take these out, wherever they stand."""
        names = {_name(event) for event in events}
        self.waiting = [event for event in self.waiting if _name(event) not in names]
        self.identifies -= sum(event.kind is Kind.IDENTIFY for event in events)

    def next_delivery(self, step: Step, events_max: int, bytes_max: int) -> Delivery:
        """Take the request that this step sends off the lane."""
        if step is Step.EVENTS:
            length = run_length(self.waiting, events_max, bytes_max)
            run = self.waiting[:length]
            del self.waiting[:length]
            return Delivery(self, DeliveryKind.EVENTS, run)
        if step is Step.AGAIN:
            *rest, delivery = self.again
            self.again = tuple(rest)
            return delivery
        if step is Step.INTRODUCTION:
            # The event stays at the head. It is sent only when the introduction was accepted.
            return Delivery(self, DeliveryKind.INTRODUCTION, [self.waiting[0]])
        assert step is Step.IDENTIFY, step
        index = first_identify(self.waiting)
        assert index is not None
        self.identifies -= 1
        return Delivery(self, DeliveryKind.IDENTIFY, [self.waiting.pop(index)])

    def __repr__(self) -> str:
        return (
            f"<Lane {self.user.id!r}, identified: {self.identified}, {self.status.value}, "
            f"{len(self.waiting)} waiting, {len(self.again)} again>"
        )


def _name(event: Event) -> tuple[int, int, int | None]:
    """What tells an event apart in its partition. Another record at its offset is one of another topic."""
    record = event.record
    return record.offset, record.timestamp_ms, record.item_index
