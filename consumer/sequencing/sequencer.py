"""The scheduler of lanes: events and outcomes in, requests and actions out.

Pure: no socket, clock, thread or randomness. The rule itself is in lanes.py, whether the destination takes anything at
all in gate.py, how records end in endings.py. Here: which lane is next, when a lane wakes up, what each outcome does.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, assert_never

from consumer.sequencing.accounting import Account
from consumer.sequencing.actions import Action, WriteDeadLetter
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.commits import unrecorded_events
from consumer.sequencing.endings import Endings
from consumer.sequencing.events import (
    DeadLetterReason,
    Decoded,
    Delivered,
    Event,
    HandBack,
    Kind,
    Misdirected,
    Outcome,
    Partition,
    Record,
    Refused,
    Rejected,
    Skipped,
    Unavailable,
    User,
)
from consumer.sequencing.gate import Gate
from consumer.sequencing.holds import Holds
from consumer.sequencing.known_users import Pool
from consumer.sequencing.lanes import Delivery, DeliveryKind, Lane, LaneStatus
from consumer.sequencing.lease import NO_LEASE
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.ready import ReadyLanes

THROTTLED_COUNTS: Final = 0.1
"""A 429 says "slow down", not "broken": it counts a tenth towards giving up."""
CRAMPED_COUNTS: Final = 0.1
"""So does failing while nobody else can try: it may be an outage after all."""
FAILING_STEP_SECONDS_MAX: Final = 60.0
"""What one failure adds at the most to how long an event has failed: between two attempts there may lie an outage."""
INTAKE_SHARE: Final = 0.75
"""Of what a crash may send again: above it nothing more is fetched, before sending has to stop."""
BUFFER_FULL: Final = 0.75
"""Above this share of the buffer, a source that has paused does not fetch again."""


@dataclass(frozen=True, slots=True)
class SequencingRules:
    """The settings the rule depends on."""

    batch_events_max: int = 100
    batch_bytes_max: int = 450_000
    buffer_events_max: int = 20_000
    buffer_bytes_max: int = 134_217_728
    hold_seconds: float = 0.0
    held_events_max: int = 10_000
    known_users_max: int = 1_000_000
    unidentified: Literal["introduce", "dead-letter"] = "introduce"
    give_up_seconds: float = 900.0
    uncommitted_events_max: int = 10_000
    dead_letter_ratio_max: float = 0.5
    lease_seconds: float = NO_LEASE.seconds


class Sequencer:
    """All lanes of all partitions. `backoff(attempt)` gives the seconds to wait after attempt 0, 1, 2 ..."""

    def __init__(self, rules: SequencingRules, gate: Gate, backoff: Callable[[int], float]) -> None:
        self.gate = gate
        self.assignments: dict[Partition, Assignment] = {}
        self.in_flight = 0
        self.holds = Holds(rules.held_events_max)
        self._rules = rules
        self._backoff = backoff
        self._endings = Endings(rules.dead_letter_ratio_max)
        self._known = Pool(rules.known_users_max)
        self._ready = ReadyLanes()
        self._stalled: list[Lane] = []
        """Ready lanes that wait for a commit, or for the lease of their partition."""
        self._must_wait_for_commit = False
        self.outgrows_commits = False
        """So much is finished above what commits can say that nothing more is to be fetched."""
        self._timers: list[tuple[float, int, Lane]] = []
        self._timer_number = 0
        self._lingering: dict[tuple[Partition, User], Lane] = {}
        """Lanes of dropped assignments whose request is still unanswered."""

    @property
    def account(self) -> Account:
        """Where every record went."""
        return self._endings.account

    # ------------------------------------------------------------------ partitions

    def assign(self, partition: Partition, offsets: OffsetTracker) -> Assignment:
        """The partition is ours, from where the tracker starts."""
        assert partition not in self.assignments, f"{partition} is ours already"
        assignment = self.assignments[partition] = Assignment(partition, offsets, self._known)
        return assignment

    def close(self, partition: Partition) -> None:
        """Send nothing more of this partition; its requests in flight still report."""
        if (assignment := self.assignments.get(partition)) is not None:
            assignment.closed = True

    def drop(self, partition: Partition, reason: HandBack) -> None:
        """The partition is no longer ours: forget it. What is unfinished belongs to its next owner."""
        assignment = self.assignments.pop(partition, None)
        if assignment is None:
            return
        assignment.closed = assignment.dropped = True
        assignment.known.leave()
        self._endings.handed_back(assignment, reason)
        for lane in assignment.lanes.values():
            if lane.status is LaneStatus.HELD:
                self.holds.remove(lane)
            if lane.status is LaneStatus.IN_FLIGHT:
                self._lingering[(partition, lane.user)] = lane
        assignment.lanes.clear()

    def empty(self, assignment: Assignment) -> None:
        """Let go of what waits in a partition that has halted: whoever starts it again reads it again."""
        for lane in assignment.lanes.values():
            if lane.status is LaneStatus.HELD:
                self.holds.remove(lane)
                lane.status = LaneStatus.IDLE
            lane.waiting.clear()
            lane.again = ()
            lane.identifies = 0

    @property
    def buffered(self) -> tuple[int, int]:
        """Unfinished events and their bytes, without those of partitions that have halted."""
        events, size_bytes = self.account.unfinished, self.account.unfinished_bytes
        for assignment in self.assignments.values():
            if assignment.halted is not None:
                events -= assignment.offsets.unfinished
                size_bytes -= assignment.unfinished_bytes
        return events, size_bytes

    # ------------------------------------------------------------------ in

    def accept(self, assignment: Assignment, record: Record, items: Sequence[Decoded]) -> None:
        """A record was fetched, with these in it. Skipped and rejected ones end here; events go on to `receive`."""
        types = (items[0].type,) if len(items) == 1 else [item.type for item in items]
        self._endings.fetched(assignment, record, types)
        for item in items:
            match item:
                case Event():
                    assignment.note_on_its_way()
                case Skipped(reason=skip_reason):
                    self._endings.skip(assignment, item.record, skip_reason)
                case Rejected(reason=reason, detail=detail):
                    self._endings.dead_letter(assignment, item.record, reason, detail)
                case _:
                    assert_never(item)

    def reserve(self, assignment: Assignment, user: User) -> bool:
        """Keep the user's lane, if there is one, for an event that is on its way; False: ask the stored state."""
        lane = assignment.lanes.get(user)
        if lane is None:
            return False
        lane.reserved += 1
        return True

    def receive(
        self, assignment: Assignment, event: Event, now: float, *, reserved: bool, identified: bool = False
    ) -> None:
        """Put an event on its lane. `identified`: what the stored state said; a lane that lives knows better."""
        if assignment.dropped:
            return
        lane = assignment.lanes.get(event.user)
        if reserved:
            assert lane is not None
            lane.reserved -= 1
        if lane is None:
            lane = assignment.lanes[event.user] = Lane(assignment, event.user, identified)
            if self._lingering and (assignment.partition, event.user) in self._lingering:
                lane.status = LaneStatus.BLOCKED
        lane.append(event)
        if lane.status is LaneStatus.HELD:
            self.holds.grow()
            if event.kind is Kind.IDENTIFY:
                self._arm(lane, now)
            self._cut_holds_short(now)
        elif lane.status is LaneStatus.IDLE:
            self._arm(lane, now)

    def report(self, delivery: Delivery, outcome: Outcome, now: float) -> None:
        """A request was answered, or will not be."""
        lane = delivery.lane
        assignment = lane.assignment
        assert lane.status is LaneStatus.IN_FLIGHT
        self.in_flight -= 1
        assignment.in_flight -= 1
        lane.status = LaneStatus.IDLE
        delivery.attempts += 1
        self._judge(delivery, outcome, now)
        if assignment.dropped:
            self._release(lane, now)
        else:
            self._arm(lane, now)

    def recorded(self, lane: Lane, now: float) -> None:
        """A `Remember` or `Forget` of this lane is written."""
        self._endings.recorded(lane)
        if not lane.assignment.dropped and not lane.recording and lane.status is LaneStatus.IDLE:
            self._arm(lane, now)

    def dead_lettered(self, action: WriteDeadLetter) -> None:
        """A dead letter is acknowledged."""
        self._endings.dead_lettered(action)

    # ------------------------------------------------------------------ out

    def next_delivery(self, now: float) -> Delivery | None:
        """The next request to send, None when there is none to be sent now. Each one must be reported.

        `now` must be fresh: it is what tells a process that was stopped that its partitions may be another's.
        """
        ready = self._ready
        while (lane := ready.first()) is not None:
            if lane.status is not LaneStatus.READY or not lane.assignment.open:
                ready.pop()
                continue
            if not self.gate.may_start(now, self.in_flight):
                return None
            ready.pop()
            is_leased = now - lane.assignment.leased_at < self._rules.lease_seconds
            if not is_leased or (self._must_wait_for_commit and not self._unblocks_commits(lane)):
                self._stalled.append(lane)
                continue
            lane.status = LaneStatus.IN_FLIGHT
            self.in_flight += 1
            lane.assignment.in_flight += 1
            return lane.next_delivery(self._rules.batch_events_max, self._rules.batch_bytes_max)
        return None

    def take_actions(self) -> list[Action]:
        """What the edges have to do now."""
        actions, self._endings.actions = self._endings.actions, []
        return actions

    def tick(self, now: float) -> None:
        """Wake the lanes whose hold or backoff is over, and those that waited for a commit."""
        unrecorded = unrecorded_events(self.assignments.values())
        self._must_wait_for_commit = unrecorded >= self._rules.uncommitted_events_max
        self.outgrows_commits = unrecorded >= INTAKE_SHARE * self._rules.uncommitted_events_max
        stalled, self._stalled = self._stalled, []
        for lane in stalled:
            if lane.status is LaneStatus.READY and lane.assignment.open:
                self._ready.add(lane)
        timers = self._timers
        while timers and timers[0][0] <= now:
            _, number, lane = heapq.heappop(timers)
            if lane.timer != number or lane.assignment.dropped:
                continue
            if lane.status is LaneStatus.BACKOFF:
                self._make_ready(lane)
            elif lane.status is LaneStatus.HELD:
                self._arm(lane, now)

    def next_deadline(self, now: float) -> float | None:
        """When `tick` or `next_delivery` has something to do without any input; None for never."""
        timers = self._timers
        while timers and (timers[0][2].timer != timers[0][1] or timers[0][2].assignment.dropped):
            heapq.heappop(timers)
        opens_at = self.gate.opens_at(now) if self._ready else None
        due = timers[0][0] if timers else None
        if opens_at is None or due is None:
            return due if opens_at is None else opens_at
        return min(opens_at, due)

    def _unblocks_commits(self, lane: Lane) -> bool:
        """Whether the lane has the first unfinished event of its partition, and nothing but that can be committed.

        Or whether one request has to find out if the destination works: it may be any lane's.
        """
        if self.gate.probing:
            return True
        offsets = lane.assignment.offsets
        # An identify that is sent again may have overtaken the first unfinished event, which can only go after it.
        firsts = [delivery.events[0] for delivery in lane.again[-1:]] + list(islice(lane.waiting, 1))
        return offsets.is_committed and offsets.committable() in (event.record.offset for event in firsts)

    # ------------------------------------------------------------------ what an outcome does

    def _judge(self, delivery: Delivery, outcome: Outcome, now: float) -> None:
        lane = delivery.lane
        match outcome:
            case Delivered():
                self.gate.delivered(now)
                if not lane.assignment.dropped:
                    self._delivered(delivery)
            case Refused(status, body):
                if not self.gate.refused(lane.user, status, now):
                    lane.put_back(delivery)
                elif len(delivery.events) > 1:
                    lane.put_back(*reversed(delivery.halves()))
                else:
                    detail = f"the destination answered {status}"
                    self._dead_letter(delivery, DeadLetterReason.REFUSED, detail, status, body)
            case Misdirected():
                self.gate.misdirected(outcome, now)
                lane.put_back(delivery)
            case Unavailable():
                self._unavailable(delivery, outcome, now)
            case _:
                assert_never(outcome)

    def _delivered(self, delivery: Delivery) -> None:
        lane = delivery.lane
        if delivery.kind is not DeliveryKind.EVENTS and not lane.identified:
            self._endings.identified(lane)
        if delivery.kind is DeliveryKind.INTRODUCTION:
            self.account.introductions += 1
            return
        self._endings.delivered(lane, delivery.events)

    def _unavailable(self, delivery: Delivery, outcome: Unavailable, now: float) -> None:
        alone_seconds = self._failed_alone_seconds(delivery, now)
        delivery.failing_seconds += alone_seconds * THROTTLED_COUNTS if outcome.throttled else alone_seconds
        delivery.failed_at = now
        self.gate.failed(delivery.user, outcome, now)
        if not alone_seconds or delivery.failing_seconds < self._rules.give_up_seconds:
            delivery.lane.put_back(delivery)
        elif len(delivery.events) > 1:
            delivery.lane.put_back(*reversed(delivery.halves()))
        else:
            detail = f"failing for {delivery.failing_seconds:.0f} s while other users succeed: {outcome.cause}"
            self._dead_letter(delivery, DeadLetterReason.GAVE_UP, detail)

    def _failed_alone_seconds(self, delivery: Delivery, now: float) -> float:
        """Seconds since its last failure, if another request succeeded since then; 0 in an outage.

        When the buffer is full of what waits behind one or two failing users, nobody else can succeed: then a part of
        their time counts too, or it would stay so for ever.
        """
        failed_at, delivered_at = delivery.failed_at, self.gate.last_delivered_at
        if failed_at is None:
            return 0.0
        seconds = min(now - failed_at, FAILING_STEP_SECONDS_MAX)
        if delivered_at is not None and delivered_at > failed_at:
            return seconds
        return seconds * CRAMPED_COUNTS if self._nobody_else_can_try and not self.gate.everybody_fails else 0.0

    @property
    def _nobody_else_can_try(self) -> bool:
        events, size_bytes = self.buffered
        rules = self._rules
        full = events >= BUFFER_FULL * rules.buffer_events_max or size_bytes >= BUFFER_FULL * rules.buffer_bytes_max
        return full or self.outgrows_commits

    def _dead_letter(
        self, delivery: Delivery, reason: DeadLetterReason, detail: str, status: int | None = None, body: bytes = b""
    ) -> None:
        """Dead-letter the one event of a request; of an introduction, the event behind it."""
        lane, event = delivery.lane, delivery.events[0]
        if lane.assignment.dropped:
            return
        if not self._endings.dead_letter(
            lane.assignment, event.record, reason, detail, status, body, delivery.attempts
        ):
            lane.put_back(delivery)
        elif delivery.kind is DeliveryKind.INTRODUCTION:
            behind = lane.popleft()
            assert behind is event

    # ------------------------------------------------------------------ what a lane does next

    def _arm(self, lane: Lane, now: float) -> None:
        """Decide what an idle or held lane waits for."""
        if lane.status is LaneStatus.HELD:
            self.holds.remove(lane)
        lane.status = LaneStatus.IDLE
        if not lane.assignment.open:
            return
        if lane.again:
            self._again(lane, now)
            return
        while lane.waiting:
            head = lane.waiting[0]
            if head.kind is Kind.DELETE:
                self._endings.forgotten(lane, lane.popleft())
                continue
            if lane.identified or lane.first_identify() is not None:
                self._make_ready(lane)
                return
            hold_until = head.record.fetched_at + self._rules.hold_seconds
            if now < hold_until and not lane.hold_waived:
                self._hold(lane, hold_until, now)
                return
            if self._rules.unidentified == "introduce":
                self._make_ready(lane)
                return
            detail = "no identify came for this user"
            if not self._endings.dead_letter(lane.assignment, head.record, DeadLetterReason.UNIDENTIFIED, detail):
                return
            lane.popleft()
        if not (lane.recording or lane.reserved):
            del lane.assignment.lanes[lane.user]

    def _again(self, lane: Lane, now: float) -> None:
        delivery = lane.again[-1]
        if delivery.failed_at is None or self.gate.probing:
            # The gate spaces the probes; another user's event has the next one.
            self._make_ready(lane, last=self.gate.probing)
            return
        lane.status = LaneStatus.BACKOFF
        self._set_timer(lane, now + self._backoff(delivery.attempts - 1))

    def _make_ready(self, lane: Lane, *, last: bool = False) -> None:
        lane.status = LaneStatus.READY
        self._ready.add(lane, last=last)

    def _hold(self, lane: Lane, until: float, now: float) -> None:
        lane.status = LaneStatus.HELD
        self.holds.add(lane)
        self._set_timer(lane, until)
        self._cut_holds_short(now)

    def _cut_holds_short(self, now: float) -> None:
        """End the oldest holds while the events held take too much of the buffer."""
        while (lane := self.holds.too_many) is not None:
            lane.hold_waived = True
            self.account.holds_cut_short += 1
            self._arm(lane, now)

    def _release(self, lane: Lane, now: float) -> None:
        """The last request of a dropped lane is answered: the user's lane of the present assignment may start."""
        partition = lane.assignment.partition
        if self._lingering.get((partition, lane.user)) is lane:
            del self._lingering[(partition, lane.user)]
        present = self.assignments.get(partition)
        successor = present.lanes.get(lane.user) if present else None
        if successor is not None and successor.status is LaneStatus.BLOCKED:
            self._arm(successor, now)

    def _set_timer(self, lane: Lane, due: float) -> None:
        self._timer_number += 1
        lane.timer = self._timer_number
        heapq.heappush(self._timers, (due, self._timer_number, lane))
