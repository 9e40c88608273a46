"""Why the events of one user wait, in each partition where they have any; looked at only when somebody asks. Pure.

A lane waits for one thing at any moment. What keeps all lanes of its partition, or of all partitions, is said before
what keeps this lane alone, since nothing can be done for the user before that is over.

    what is looked at, in this order            | what it waits for
    ------------------------------------------- | --------------------------------------------------
    its partition has stopped, or is given back | somebody to act; the next owner
    its status: asked, held, in flight, blocked | the stored state; the identify; the answer
    whether sending is paused                   | somebody to let it go on
    the gate, for what would be sent            | the destination
    backoff                                     | its own next try
    the lease, and the budget                   | the group; a commit, or what is being written
    the rate                                    | a permit: CUSTOMFIT_REQUESTS_PER_SECOND_MAX
    ready                                       | its turn, behind others
    nothing left to send                        | the state topic, which has yet to take that they are identified
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from consumer.sequencing.events import Partition, User
from consumer.sequencing.gate import Gate, State
from consumer.sequencing.lanes import Delivery, Lane, LaneStatus
from consumer.sequencing.rule import DeliveryKind, Step, first_identify, next_step, run_length
from consumer.sequencing.waiting import given_up_at, next_try_at

if TYPE_CHECKING:
    from consumer.sequencing.sequencer import Sequencer

KNOWN_SEARCHED_MAX: Final = 100_000
"""With more remembered users, looking for one would take longer than looking through all lanes."""


class Why(StrEnum):
    """What the events of one user in one partition wait for.

    If a cause of readiness means the same, the names are the same.
    """

    PARTITION_STOPPED = "partition_stopped"
    GIVEN_BACK = "given_back"
    """The partition is being revoked, or this member stops."""
    LOOK_UP = "look_up"
    """The stored state was asked whether the user is identified."""
    HOLD = "hold"
    IN_FLIGHT = "in_flight"
    EARLIER_REQUEST = "earlier_request"
    """The partition went away and came back, and a request sent before that is not answered."""
    PAUSED = "paused"
    """Nobody's events are sent: `customfit-consumer pause`."""
    DESTINATION_STOPPED = "destination_stopped"
    DESTINATION_UNAVAILABLE = "destination_unavailable"
    DESTINATION_THROTTLED = "destination_throttled"
    RETRY = "retry"
    GROUP_SILENT = "group_silent"
    """The group has not answered for so long that another member may own the partition (lease.py)."""
    COMMITS = "commits"
    """So much was sent and is not committed that nothing more may be sent (budget.py)."""
    RATE = "rate"
    """This member has started as many requests a second as it may; other users went first (rate.py)."""
    QUEUED = "queued"
    """All places in flight are taken by other users' requests."""
    RECORD = "record"
    """All of the user's events are answered; the state topic has yet to acknowledge what is known of them."""


@dataclass(slots=True, frozen=True)
class UserWaits:
    """What one user's events wait for in one partition. Times are monotonic seconds."""

    partition: Partition
    user: User
    why: Why
    identified: bool | None
    """None: they were not looked up, because nothing has depended on it so far."""
    is_recorded: bool
    """Whether the state topic has acknowledged that."""
    reason: str = ""
    """What the destination, the partition or the group says about it, in words."""
    request: str = ""
    """What is under way or goes next: identify, introduction or events.

    Empty: nothing is left, or a delete, which is not sent.
    """
    offset: int | None = None
    """Of its first event."""
    request_events: int = 0
    """How many of the user's events end with the request: none with an introduction."""
    events_behind: int = 0
    """How many events wait behind the request."""
    since: float | None = None
    """When its first event was fetched."""
    attempts: int = 0
    """How often the request was sent and answered."""
    first_failed_at: float | None = None
    last_answer: str = ""
    """The last answer: its status, or what went wrong."""
    next_try_at: float | None = None
    """When the request may go, if that is known; for a hold, when it is over."""
    failing_seconds: float = 0.0
    given_up_at: float | None = None
    unrecorded_events: int = 0
    """How many are delivered and wait for the state topic's acknowledgement."""


class InHand(NamedTuple):
    """Which users have anything here. These are copies, so another thread may search them."""

    users: list[User]
    """Those with events in hand."""
    known: list[str | User]
    """Those remembered as identified, a userId as its text alone. Empty if they are too many to be searched."""


def in_hand(sequencer: Sequencer) -> InHand:
    """Copies all of it: 200,000 users take some 5 ms."""
    users: list[User] = []
    known: list[str | User] = []
    assignments = sequencer.assignments.values()
    for assignment in assignments:
        users += assignment.lanes
    if sum(len(assignment.known) for assignment in assignments) <= KNOWN_SEARCHED_MAX:
        for assignment in assignments:
            known += assignment.known.keys()
    return InHand(users, known)


def user_waits(sequencer: Sequencer, users: Iterable[User], now: float) -> list[UserWaits]:
    """All that is in hand of these users, in the order of the partitions."""
    lanes = [
        assignment.lanes[user]
        for user in users
        for assignment in sequencer.assignments.values()
        if user in assignment.lanes
    ]
    lanes.sort(key=lambda lane: lane.assignment.partition)
    return [_of_lane(sequencer, lane, now) for lane in lanes]


@dataclass(slots=True, frozen=True)
class _Request:
    """What a lane has under way, or would send next."""

    name: str
    offset: int
    fetched_at: float
    events: int
    delivery: Delivery | None = None
    """None: it has not been sent yet."""


def _of_lane(sequencer: Sequencer, lane: Lane, now: float) -> UserWaits:
    why, reason = _why(sequencer, lane, now)
    of_lane = UserWaits(
        partition=lane.assignment.partition,
        user=lane.user,
        why=why,
        identified=lane.identified,
        is_recorded=not lane.recording,
        reason=reason,
        unrecorded_events=len(lane.unrecorded),
    )
    request = _request(sequencer, lane, now)
    if request is None:
        return of_lane
    delivery = request.delivery
    requests = [one for one in (lane.in_flight, *lane.again) if one is not None]
    own = sum(len(one.events) for one in requests if one.kind is not DeliveryKind.INTRODUCTION)
    has_failed = delivery is not None and delivery.first_failed_at is not None
    return replace(
        of_lane,
        request=request.name,
        offset=request.offset,
        request_events=request.events,
        events_behind=len(lane.waiting) + own - request.events,
        since=request.fetched_at,
        attempts=0 if delivery is None else delivery.attempts,
        first_failed_at=None if delivery is None else delivery.first_failed_at,
        last_answer="" if delivery is None else delivery.last_answer,
        next_try_at=_goes_at(sequencer, lane, why, now),
        failing_seconds=0.0 if delivery is None else delivery.failing_seconds,
        given_up_at=given_up_at(sequencer, delivery, now) if delivery is not None and has_failed else None,
    )


def _why(sequencer: Sequencer, lane: Lane, now: float) -> tuple[Why, str]:
    """Why the lane waits, and what else there is to say about it."""
    assignment = lane.assignment
    if assignment.stopped is not None:
        return Why.PARTITION_STOPPED, assignment.stopped.reason
    if assignment.closed:
        return Why.GIVEN_BACK, ""
    match lane.status:
        case LaneStatus.ASKED:
            return Why.LOOK_UP, ""
        case LaneStatus.HELD:
            return Why.HOLD, ""
        case LaneStatus.IN_FLIGHT:
            return Why.IN_FLIGHT, ""
        case LaneStatus.BLOCKED:
            return Why.EARLIER_REQUEST, ""
        case LaneStatus.IDLE:
            return Why.RECORD, ""
        case LaneStatus.BACKOFF | LaneStatus.READY:
            return _why_not_sent(sequencer, lane, now)


def _why_not_sent(sequencer: Sequencer, lane: Lane, now: float) -> tuple[Why, str]:
    if sequencer.is_paused:
        return Why.PAUSED, ""
    gate = sequencer.gate
    is_backoff = lane.status is LaneStatus.BACKOFF
    # If the gate opens before the lane wakes, the lane does not wait for the gate.
    if _is_closed(gate, sequencer.in_flight, lane.wakes_at if is_backoff else now, now):
        return _OF_STATE[gate.state], gate.reason
    if is_backoff:
        return Why.RETRY, ""
    if now - lane.assignment.leased_at >= sequencer.rules.lease_seconds:
        return Why.GROUP_SILENT, ""
    if not sequencer.budget.may_send(lane.assignment):
        return Why.COMMITS, ""
    if sequencer.rate is not None and sequencer.rate.waits_until is not None:
        return Why.RATE, ""
    return Why.QUEUED, ""


_OF_STATE = {
    State.STOPPED: Why.DESTINATION_STOPPED,
    State.UNAVAILABLE: Why.DESTINATION_UNAVAILABLE,
    State.THROTTLED: Why.DESTINATION_THROTTLED,
    State.DELIVERING: Why.QUEUED,
}


def _is_closed(gate: Gate, in_flight: int, until: float, now: float) -> bool:
    """Whether the destination as a whole is what the lane waits for."""
    opens_at = gate.opens_at(now)
    is_throttled = gate.state is State.THROTTLED and in_flight >= gate.window
    return gate.probing or is_throttled or (opens_at is not None and opens_at > until)


def _request(sequencer: Sequencer, lane: Lane, now: float) -> _Request | None:
    delivery = lane.in_flight or (lane.again[-1] if lane.again else None)
    if delivery is not None:
        events = 0 if delivery.kind is DeliveryKind.INTRODUCTION else len(delivery.events)
        first = delivery.events[0].record
        return _Request(delivery.kind.value, first.offset, first.fetched_at, events, delivery)
    rules, waiting = sequencer.rules, lane.waiting
    match next_step(lane, now, rules.hold_seconds, rules.unidentified):
        case Step.NOTHING:
            return None
        case Step.IDENTIFY:
            index = first_identify(waiting) or 0
            return _Request("identify", waiting[index].record.offset, waiting[index].record.fetched_at, 1)
        case Step.EVENTS:
            name, events = "events", run_length(waiting, rules.batch_events_max, rules.batch_bytes_max)
        case Step.FORGET:
            name, events = "delete", 1
        case Step.INTRODUCTION:
            name, events = "introduction", 0
        case _:  # a look-up, a hold, or the end of one: what is sent then is not yet decided
            name, events = "events", 1
    return _Request(name, waiting[0].record.offset, waiting[0].record.fetched_at, events)


def _goes_at(sequencer: Sequencer, lane: Lane, why: Why, now: float) -> float | None:
    match why:
        case Why.HOLD:
            return lane.wakes_at
        case Why.RETRY:
            return next_try_at(sequencer, lane, now)
        case Why.DESTINATION_STOPPED | Why.DESTINATION_UNAVAILABLE | Why.DESTINATION_THROTTLED:
            return sequencer.gate.opens_at(now)
        case _:
            return None
