"""THE RULE: what may be sent next for one user, and what an answer means for what was sent. Pure.

All that decides this stands in this file; the others carry it out (steps.py, outcomes.py). A lane holds the events of
one user in one partition, in the order of the log, and has one request in flight at most.

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

Whether the user is identified is looked up in the stored state when a step depends on it, and not before: most new
users come with their identify, which is sent either way.

So no track, page or screen is ever sent before an identify of its user was accepted. As tables, which a test reads:

    what waits                      | identified | not identified                         | not looked up
    ------------------------------- | ---------- | -------------------------------------- | -------------
    nothing                         | nothing    | nothing                                | nothing
    a failed request                | again      | again                                  | again
    a delete                        | forget     | forget                                 | forget
    an identify                     | identify   | identify                               | identify
    an event                        | events     | hold; then introduction or dead letter | look up
    an event, behind it an identify | events     | identify                               | look up
    an event, behind it a delete    | events     | hold; then introduction or dead letter | look up
    an event, a delete, an identify | events     | hold; then introduction or dead letter | look up

    request        | accepted             | refused     | refused as all are | failed | given up
    -------------- | -------------------- | ----------- | ------------------ | ------ | -----------
    identify       | identified, finished | dead letter | again              | again  | dead letter
    introduction   | identified           | dead letter | again              | again  | dead letter
    one event      | finished             | dead letter | again              | again  | dead letter
    several events | finished             | halves      | again              | again  | halves

Refused as all are: several users were, before anything was ever accepted (gate.py). Then no event is to blame.
Failed: 5xx, 429, no answer, or an answer that blames the key or the URL. Given up: after having failed for long enough
while others succeeded (giving_up.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING

from consumer.sequencing.events import Delivered, Event, Kind, Outcome, Refused

if TYPE_CHECKING:
    from consumer.choices import Unidentified
    from consumer.sequencing.lanes import Delivery, Lane


class DeliveryKind(Enum):
    """What a request is."""

    IDENTIFY = "identify"
    INTRODUCTION = "introduction"
    """An identify that the consumer makes itself; `events` is the one event that it opens the way for."""
    EVENTS = "events"


class Step(Enum):
    """What a lane that waits for nothing does next."""

    NOTHING = "nothing"
    AGAIN = "again"
    """Send the request that has failed, or half of one that was refused."""
    IDENTIFY = "identify"
    """Send the first identify that waits."""
    EVENTS = "events"
    """Send the tracks, pages and screens at its head."""
    INTRODUCTION = "introduction"
    HOLD = "hold"
    FORGET = "forget"
    """The delete at its head has its turn."""
    LOOK_UP = "look up"
    """Ask the stored state whether the user is identified."""
    DEAD_LETTER = "dead letter"
    """The event at its head, whose user stays unidentified."""


class Meaning(Enum):
    """What becomes of a request and its events."""

    FINISHED = "finished"
    IDENTIFIED = "identified"
    """The user is identified. The event behind the introduction is still to be sent."""
    IDENTIFIED_AND_FINISHED = "identified, finished"
    AGAIN = "again"
    HALVES = "halves"
    DEAD_LETTER = "dead letter"


def next_step(lane: Lane, now: float, hold_seconds: float, unidentified: Unidentified) -> Step:
    """What comes next in a lane without a request in flight."""
    if lane.again:
        return Step.AGAIN
    waiting = lane.waiting
    if not waiting:
        return Step.NOTHING
    head = waiting[0].kind
    if head is Kind.DELETE:
        return Step.FORGET
    if head is Kind.IDENTIFY:
        return Step.IDENTIFY
    if lane.identified:
        return Step.EVENTS
    if lane.identified is None:
        return Step.LOOK_UP
    if lane.identifies and first_identify(waiting) is not None:
        return Step.IDENTIFY
    if now < waiting[0].record.fetched_at + hold_seconds and not lane.hold_waived:
        return Step.HOLD
    return Step.INTRODUCTION if unidentified == "introduce" else Step.DEAD_LETTER


def first_identify(waiting: Sequence[Event]) -> int | None:
    """Index of the first identify that waits. One behind a delete does not count, since the delete would undo it."""
    for index, event in enumerate(waiting):
        if event.kind is Kind.IDENTIFY:
            return index
        if event.kind is Kind.DELETE:
            return None
    return None


def run_length(waiting: Sequence[Event], events_max: int, bytes_max: int) -> int:
    """How many events from the head on go in one request: tracks, pages, screens.

    A first one above `bytes_max` goes alone.
    """
    length, size_bytes = 1, waiting[0].size_bytes
    for event in islice(waiting, 1, events_max):
        size_bytes += event.size_bytes
        if event.kind is Kind.IDENTIFY or event.kind is Kind.DELETE or size_bytes > bytes_max:
            break
        length += 1
    return length


def meaning(delivery: Delivery, outcome: Outcome, *, is_everybodys: bool = False, is_given_up: bool = False) -> Meaning:
    """What an outcome means. `is_everybodys`: all users are refused; `is_given_up`: it has failed for long enough."""
    if isinstance(outcome, Delivered):
        if delivery.kind is DeliveryKind.EVENTS:
            return Meaning.FINISHED
        is_own = delivery.kind is DeliveryKind.INTRODUCTION
        return Meaning.IDENTIFIED if is_own else Meaning.IDENTIFIED_AND_FINISHED
    is_for_good = not is_everybodys if isinstance(outcome, Refused) else is_given_up
    if not is_for_good:
        return Meaning.AGAIN
    return Meaning.HALVES if len(delivery.events) > 1 else Meaning.DEAD_LETTER
