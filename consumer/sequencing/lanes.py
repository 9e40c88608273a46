"""THE RULE: what may be sent next for one user.

A lane holds the events of one user in one partition, in the order of the log, and has one request in flight at most.

1. The user counts as identified (the destination answered 2xx to an identify of theirs, now or before): the events go
   out from the head; an identify alone, anything else together with what follows it up to the next identify.
2. Not identified, and an identify waits: it goes first, overtaking what came before it. Then rule 1.
3. Not identified, and no identify waits: the events are held until one comes or the hold is over. Then the consumer
   sends an identify with nothing but the user id (an introduction), or dead-letters the event. Then rule 1, or 3 for
   the next.
4. A request that failed goes again, unchanged, before anything else of the lane.
5. A request refused for good: an event alone is dead-lettered and the lane goes on; several are halved, and the right
   half waits until the left is finished. An introduction that is refused dead-letters the event behind it. An
   identify that is refused leaves the user unidentified.
6. A delete waits its turn and then makes the user unidentified.

So no track, page or screen is ever sent before an identify of its user was accepted.

`Lane.next_step` decides by these rules, the sequencer carries it out; outcomes.py does what 4 and 5 say of answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from itertools import islice, takewhile
from typing import TYPE_CHECKING

import msgspec

from consumer.choices import Unidentified
from consumer.sequencing.events import Event, Kind, User

if TYPE_CHECKING:
    from consumer.sequencing.assignment import Assignment


class DeliveryKind(Enum):
    """What a request is."""

    IDENTIFY = "identify"
    INTRODUCTION = "introduction"
    """An identify that the consumer makes itself; `events` is the one event that it opens the way for."""
    EVENTS = "events"


class Delivery(msgspec.Struct, eq=False):
    """A request to be sent: one user, one kind. The same object goes through all of its attempts."""

    lane: Lane
    kind: DeliveryKind
    events: list[Event]
    attempts: int = 0
    sent_at: float = 0.0
    """When the last attempt was."""
    not_before: float = 0.0
    """What the destination has asked for with Retry-After."""
    failed_at: float | None = None
    """When the last attempt failed in a way that may pass."""
    first_failed_at: float | None = None
    failing_seconds: float = 0.0
    """How long it has failed while others succeeded."""
    last_answer: str = ""
    """What came of the last attempt that failed, for people."""

    @property
    def user(self) -> User:
        """Whose events these are."""
        return self.lane.user

    def halves(self) -> tuple[Delivery, Delivery]:
        """Left and right half; each keeps how long it has been failing."""
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
    """Where a lane is; exactly one at any time."""

    IDLE = "idle"
    ASKED = "asked"
    """The stored state is asked whether the user is identified (look_ups.py)."""
    READY = "ready"
    HELD = "held"
    BACKOFF = "backoff"
    IN_FLIGHT = "in flight"
    BLOCKED = "blocked"
    """An earlier assignment's request of this user is still unanswered."""


class Step(Enum):
    """What a lane that waits for nothing does next."""

    SEND = "send"
    HOLD = "hold"
    FORGET = "forget"
    """The delete at its head has its turn."""
    DEAD_LETTER = "dead letter"
    """The event at its head, whose user stays unidentified."""
    NOTHING = "nothing"


class Lane(msgspec.Struct, eq=False):
    """One user's events in one partition."""

    assignment: Assignment
    user: User
    identified: bool
    status: LaneStatus = LaneStatus.IDLE
    waiting: list[Event] = []
    """A list: most lanes hold a few events, and an empty deque takes 760 bytes."""
    identifies: int = 0
    """How many identifies are in `waiting`."""
    again: tuple[Delivery, ...] = ()
    """Stack of requests that go before anything in `waiting`: a failed one, halves of a refused one."""
    in_flight: Delivery | None = None
    """The request that waits for its answer."""
    recording: int = 0
    """Writes of this user's state that are not acknowledged yet."""
    unrecorded: tuple[Event, ...] = ()
    """Delivered behind such a write: finished when it is acknowledged."""
    hold_waived: bool = False
    timer: int = 0
    """Which entry of the timers' heap is this lane's; 0: it waits for none."""
    wakes_at: float = 0.0
    """What that entry says."""

    def append(self, event: Event) -> None:
        """Put an event at the end."""
        self.waiting.append(event)
        if event.kind is Kind.IDENTIFY:
            self.identifies += 1

    def put_back(self, *deliveries: Delivery) -> None:
        """Have these sent before anything else, the last of them first."""
        self.again += deliveries

    def put_back_halves(self, delivery: Delivery) -> bool:
        """Have a request of several events sent in two parts; False when it is an event alone."""
        if len(delivery.events) == 1:
            return False
        self.put_back(*reversed(delivery.halves()))
        return True

    def next_step(self, now: float, hold_seconds: float, unidentified: Unidentified) -> Step:
        """What the rules above want now, of a lane without a request in flight."""
        if self.again:
            return Step.SEND
        if not self.waiting:
            return Step.NOTHING
        head = self.waiting[0]
        if head.kind is Kind.DELETE:
            return Step.FORGET
        if self.identified or self.first_identify() is not None:
            return Step.SEND
        if now < head.record.fetched_at + hold_seconds and not self.hold_waived:
            return Step.HOLD
        return Step.SEND if unidentified == "introduce" else Step.DEAD_LETTER

    def popleft(self) -> Event:
        """Take the head."""
        event = self.waiting.pop(0)
        if event.kind is Kind.IDENTIFY:
            self.identifies -= 1
        return event

    def same_as(self, earlier: Sequence[Event]) -> list[Event]:
        """What waits and was in an earlier assignment, too; not behind a delete, which would undo it."""
        names = {_name(event) for event in earlier}
        before_delete = takewhile(lambda event: event.kind is not Kind.DELETE, self.waiting)
        return [event for event in before_delete if _name(event) in names]

    def take(self, events: Sequence[Event]) -> None:
        """Take these out, wherever they wait."""
        names = {_name(event) for event in events}
        self.waiting = [event for event in self.waiting if _name(event) not in names]
        self.identifies -= sum(event.kind is Kind.IDENTIFY for event in events)

    def first_identify(self) -> int | None:
        """Index of the first identify that waits; one behind a delete does not count, the delete would undo it."""
        if self.identifies == 0:
            return None
        for index, event in enumerate(self.waiting):
            if event.kind is Kind.IDENTIFY:
                return index
            if event.kind is Kind.DELETE:
                return None
        return None

    def next_delivery(self, events_max: int, bytes_max: int) -> Delivery:
        """Take the next request off the lane. The caller has made sure that something may be sent."""
        if self.again:
            *rest, delivery = self.again
            self.again = tuple(rest)
            return delivery
        if self.identified:
            if self.waiting[0].kind is Kind.IDENTIFY:
                return Delivery(self, DeliveryKind.IDENTIFY, [self.popleft()])
            return Delivery(self, DeliveryKind.EVENTS, self._take_run(events_max, bytes_max))
        index = self.first_identify()
        if index is None:
            # The event stays at the head: it is sent only once the introduction is accepted.
            return Delivery(self, DeliveryKind.INTRODUCTION, [self.waiting[0]])
        event = self.waiting[index]
        del self.waiting[index]
        self.identifies -= 1
        return Delivery(self, DeliveryKind.IDENTIFY, [event])

    def _take_run(self, events_max: int, bytes_max: int) -> list[Event]:
        """The tracks, pages and screens from the head on; a first one above `bytes_max` goes alone."""
        waiting = self.waiting
        end, size_bytes = 1, waiting[0].size_bytes
        for event in islice(waiting, 1, events_max):
            size_bytes += event.size_bytes
            if event.kind is Kind.IDENTIFY or event.kind is Kind.DELETE or size_bytes > bytes_max:
                break
            end += 1
        run = waiting[:end]
        del waiting[:end]
        return run

    def __repr__(self) -> str:
        return (
            f"<Lane {self.user.id!r} {'identified' if self.identified else 'unidentified'} {self.status.value}, "
            f"{len(self.waiting)} waiting, {len(self.again)} again>"
        )


def _name(event: Event) -> tuple[int, int, int | None]:
    """What it is known by in its partition: another record at its offset is of another topic."""
    record = event.record
    return record.offset, record.timestamp_ms, record.item_index
