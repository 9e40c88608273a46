"""The scheduler of lanes: events and outcomes in, requests and actions out. Pure.

No socket, clock, thread or randomness.

The rule itself is in lanes.py; whether the destination takes anything at all is in gate.py. Here: which lane is next,
when a lane wakes up, and what each outcome does. The order of steps is the guarantee:

    1. the destination answered 2xx to a user's first identify
    2. `Remember` is acknowledged                        (`recorded`)
    3. the event, and all delivered behind it, is finished
    4. its offset is committable                         (OffsetTracker)
    5. its offset is committed

and for a dead letter: `Bury` is acknowledged by all replicas, then 3, 4, 5.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, assert_never

from consumer.accounting import Account, End, Reason
from consumer.actions import Action, Bury, Forget, Remember
from consumer.assignment import Assignment
from consumer.events import (
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
    SkipReason,
    Unavailable,
    User,
)
from consumer.gate import Gate
from consumer.lanes import Delivery, DeliveryKind, Lane, LaneStatus

THROTTLED_COUNTS: float = 0.1
"""A 429 says "slow down", not "broken": it counts a tenth towards giving up."""
FAILING_STEP_SECONDS_MAX: float = 60.0
"""What one failure adds at the most to how long an event has failed: between two attempts there may lie an outage."""


@dataclass(frozen=True, slots=True)
class SequencingRules:
    """The settings the rule depends on."""

    batch_events_max: int = 100
    batch_bytes_max: int = 450_000
    hold_seconds: float = 0.0
    held_events_max: int = 10_000
    unidentified: Literal["introduce", "dead-letter"] = "introduce"
    give_up_seconds: float = 900.0
    dead_letter_ratio_max: float = 0.5


class Sequencer:
    """All lanes of all partitions. `backoff(attempt)` gives the seconds to wait after attempt 0, 1, 2 ..."""

    def __init__(self, rules: SequencingRules, gate: Gate, backoff: Callable[[int], float]) -> None:
        self.account = Account()
        self.gate = gate
        self.assignments: dict[Partition, Assignment] = {}
        self.in_flight = 0
        self.held_events = 0
        self._rules = rules
        self._backoff = backoff
        self._ready: deque[Lane] = deque()
        self._held: dict[Lane, None] = {}
        """Lanes in hold, oldest first."""
        self._timers: list[tuple[float, int, Lane]] = []
        self._timer_number = 0
        self._lingering: dict[tuple[Partition, User], Lane] = {}
        """Lanes of dropped assignments whose request is still unanswered."""
        self._actions: list[Action] = []

    @property
    def held_users(self) -> int:
        """How many users wait for their identify."""
        return len(self._held)

    # ------------------------------------------------------------------ partitions

    def assign(self, partition: Partition, start_offset: int) -> Assignment:
        """The partition is ours from `start_offset` on."""
        assert partition not in self.assignments, f"{partition} is ours already"
        assignment = self.assignments[partition] = Assignment(partition, start_offset)
        return assignment

    def close(self, partition: Partition) -> Assignment | None:
        """Send nothing more of this partition; its requests in flight still report."""
        assignment = self.assignments.get(partition)
        if assignment is not None:
            assignment.closed = True
        return assignment

    def drop(self, partition: Partition, reason: HandBack) -> None:
        """The partition is no longer ours: forget it. What is unfinished belongs to its next owner."""
        assignment = self.assignments.pop(partition, None)
        if assignment is None:
            return
        assignment.closed = assignment.dropped = True
        self.account.hand_back(reason, assignment.offsets.unfinished, assignment.unfinished_bytes)
        for lane in assignment.lanes.values():
            if lane.status is LaneStatus.HELD:
                self._leave_hold(lane)
            if lane.status is LaneStatus.IN_FLIGHT:
                self._lingering[(partition, lane.user)] = lane
        assignment.lanes.clear()

    # ------------------------------------------------------------------ in

    def accept(self, assignment: Assignment, decoded: Decoded) -> None:
        """A record was fetched. Skipped and rejected ones end here; an event goes on to `receive`."""
        record = decoded.record
        assignment.offsets.received(record.offset, record.timestamp_ms)
        assignment.unfinished_bytes += record.size_bytes
        match decoded:
            case Event():
                self.account.receive(decoded.kind.value, record.size_bytes)
            case Skipped(type=type_, reason=reason):
                self.account.receive(type_, record.size_bytes)
                assignment.note_end(dead_letter=False, ratio_max=self._rules.dead_letter_ratio_max)
                self._finish(assignment, record, End.SKIPPED, reason)
            case Rejected(type=type_, reason=dead_letter_reason, detail=detail):
                self.account.receive(type_, record.size_bytes)
                self._bury(assignment, record, dead_letter_reason, detail)
            case _:
                assert_never(decoded)

    def receive(self, assignment: Assignment, event: Event, now: float, *, identified: bool) -> None:
        """Put an event on its lane. `identified`: what the stored state said; a lane that lives knows better."""
        if assignment.dropped:
            return
        lane = assignment.lanes.get(event.user)
        if lane is None:
            lane = assignment.lanes[event.user] = Lane(assignment, event.user, identified)
            if self._lingering and (assignment.partition, event.user) in self._lingering:
                lane.status = LaneStatus.BLOCKED
        lane.append(event)
        if lane.status is LaneStatus.HELD:
            self.held_events += 1
            if event.kind is Kind.IDENTIFY:
                self._arm(lane, now)
            elif self.held_events > self._rules.held_events_max:
                self._cut_short(now)
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
        assignment = lane.assignment
        assignment.unacknowledged -= 1
        lane.recording -= 1
        if assignment.dropped or lane.recording:
            return
        for event in lane.unrecorded:
            if event.kind is Kind.DELETE:
                self._finish(assignment, event.record, End.SKIPPED, SkipReason.FORGOTTEN)
            else:
                self._finish(assignment, event.record, End.DELIVERED, None)
        lane.unrecorded.clear()
        if lane.status is LaneStatus.IDLE:
            self._arm(lane, now)

    def buried(self, action: Bury) -> None:
        """A dead letter is acknowledged."""
        action.assignment.unacknowledged -= 1
        self._finish(action.assignment, action.record, End.DEAD_LETTERED, action.reason)

    # ------------------------------------------------------------------ out

    def next_delivery(self, now: float) -> Delivery | None:
        """The next request to send, None when there is none to be sent now. Each one must be reported."""
        ready = self._ready
        while ready:
            lane = ready[0]
            if lane.status is not LaneStatus.READY or not lane.assignment.open:
                ready.popleft()
                continue
            if not self.gate.may_start(now, self.in_flight):
                return None
            ready.popleft()
            lane.status = LaneStatus.IN_FLIGHT
            self.in_flight += 1
            lane.assignment.in_flight += 1
            return lane.next_delivery(self._rules.batch_events_max, self._rules.batch_bytes_max)
        return None

    def take_actions(self) -> list[Action]:
        """What the edges have to do now."""
        actions, self._actions = self._actions, []
        return actions

    def tick(self, now: float) -> None:
        """Wake the lanes whose hold or backoff is over."""
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
                    lane.again.append(delivery)
                elif len(delivery.events) > 1:
                    lane.again.extend(reversed(delivery.halves()))
                else:
                    self._bury_delivery(
                        delivery, DeadLetterReason.REFUSED, f"the destination answered {status}", status, body
                    )
            case Misdirected():
                self.gate.misdirected(outcome, now)
                lane.again.append(delivery)
            case Unavailable():
                self._unavailable(delivery, outcome, now)
            case _:
                assert_never(outcome)

    def _delivered(self, delivery: Delivery) -> None:
        lane = delivery.lane
        assignment = lane.assignment
        if delivery.kind is not DeliveryKind.EVENTS and not lane.identified:
            lane.identified = True
            self._record(lane, Remember(lane))
        if delivery.kind is DeliveryKind.INTRODUCTION:
            self.account.introductions += 1
            return
        for event in delivery.events:
            assignment.note_end(dead_letter=False, ratio_max=self._rules.dead_letter_ratio_max)
            if lane.recording:
                lane.unrecorded.append(event)
            else:
                self._finish(assignment, event.record, End.DELIVERED, None)

    def _unavailable(self, delivery: Delivery, outcome: Unavailable, now: float) -> None:
        lane, gate = delivery.lane, self.gate
        if (
            delivery.failed_at is not None
            and gate.last_delivered_at is not None
            and gate.last_delivered_at > delivery.failed_at
        ):
            step = min(now - delivery.failed_at, FAILING_STEP_SECONDS_MAX)
            delivery.failing_seconds += step * THROTTLED_COUNTS if outcome.throttled else step
        delivery.failed_at = now
        gate.failed(lane.user, outcome, now)
        if delivery.failing_seconds < self._rules.give_up_seconds:
            lane.again.append(delivery)
        elif len(delivery.events) > 1:
            lane.again.extend(reversed(delivery.halves()))
        else:
            detail = f"failing for {delivery.failing_seconds:.0f} s while other users succeed: {outcome.cause}"
            self._bury_delivery(delivery, DeadLetterReason.GAVE_UP, detail)

    def _bury_delivery(
        self, delivery: Delivery, reason: DeadLetterReason, detail: str, status: int | None = None, body: bytes = b""
    ) -> None:
        lane, event = delivery.lane, delivery.events[0]
        if lane.assignment.dropped:
            return
        if not self._bury(lane.assignment, event.record, reason, detail, status, body, delivery.attempts):
            lane.again.append(delivery)
        elif delivery.kind is DeliveryKind.INTRODUCTION:
            behind = lane.popleft()
            assert behind is event

    def _bury(  # noqa: PLR0917  these are the fields of one value
        self,
        assignment: Assignment,
        record: Record,
        reason: DeadLetterReason,
        detail: str,
        status: int | None = None,
        body: bytes = b"",
        attempts: int = 0,
    ) -> bool:
        """Dead-letter one record; False when the partition halts instead and the record stays unfinished."""
        by_policy = reason is DeadLetterReason.UNIDENTIFIED
        if not assignment.note_end(dead_letter=not by_policy, ratio_max=self._rules.dead_letter_ratio_max):
            assignment.halted = (
                f"more than {self._rules.dead_letter_ratio_max:.0%} of its recent records would be dead letters "
                f"(last: {detail}); if that is right, raise CUSTOMFIT_DEAD_LETTER_RATIO_MAX and restart"
            )
            return False
        assignment.unacknowledged += 1
        self._actions.append(Bury(assignment, record, reason, detail, status, body, attempts))
        return True

    def _finish(self, assignment: Assignment, record: Record, end: End, reason: Reason) -> None:
        if assignment.dropped:
            return
        assignment.offsets.finished(record.offset)
        assignment.unfinished_bytes -= record.size_bytes
        self.account.finish(end, reason, record.size_bytes)

    def _record(self, lane: Lane, action: Remember | Forget) -> None:
        lane.recording += 1
        lane.assignment.unacknowledged += 1
        self._actions.append(action)

    # ------------------------------------------------------------------ what a lane does next

    def _arm(self, lane: Lane, now: float) -> None:
        """Decide what an idle or held lane waits for."""
        if lane.status is LaneStatus.HELD:
            self._leave_hold(lane)
        lane.status = LaneStatus.IDLE
        if not lane.assignment.open:
            return
        if lane.again:
            self._again(lane, now)
            return
        while lane.waiting:
            head = lane.waiting[0]
            if head.kind is Kind.DELETE:
                lane.identified = False
                lane.unrecorded.append(lane.popleft())
                lane.assignment.note_end(dead_letter=False, ratio_max=self._rules.dead_letter_ratio_max)
                self._record(lane, Forget(lane))
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
            if not self._bury(
                lane.assignment, head.record, DeadLetterReason.UNIDENTIFIED, "no identify came for this user"
            ):
                return
            lane.popleft()
        if not lane.recording:
            del lane.assignment.lanes[lane.user]

    def _again(self, lane: Lane, now: float) -> None:
        delivery = lane.again[-1]
        if delivery.failed_at is None or self.gate.probing:
            # The gate spaces the probes; at the tail, so that another user's event has the next one.
            self._make_ready(lane)
            return
        lane.status = LaneStatus.BACKOFF
        self._set_timer(lane, now + self._backoff(delivery.attempts - 1))

    def _make_ready(self, lane: Lane) -> None:
        lane.status = LaneStatus.READY
        self._ready.append(lane)

    def _hold(self, lane: Lane, until: float, now: float) -> None:
        lane.status = LaneStatus.HELD
        self._held[lane] = None
        self.held_events += len(lane.waiting)
        self._set_timer(lane, until)
        if self.held_events > self._rules.held_events_max:
            self._cut_short(now)

    def _leave_hold(self, lane: Lane) -> None:
        lane.status = LaneStatus.IDLE
        del self._held[lane]
        self.held_events -= len(lane.waiting)

    def _cut_short(self, now: float) -> None:
        """End the oldest hold: the events held take too much of the buffer."""
        lane = next(iter(self._held))
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
