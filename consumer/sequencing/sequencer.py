"""The scheduler of lanes: events and outcomes in, requests and actions out.

Pure: no socket, clock, thread or randomness. This file decides which lane is next, and when. THE RULE is in rule.py;
steps.py and outcomes.py carry it out. gate.py knows whether the destination takes anything at all, endings.py how
records end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import assert_never

from consumer.sequencing.accounting import Account
from consumer.sequencing.actions import Action, WriteDeadLetter, WriteReceipt
from consumer.sequencing.active import Active
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.budget import Budget
from consumer.sequencing.buffer import Buffered, buffered
from consumer.sequencing.endings import Endings
from consumer.sequencing.events import (
    Decoded,
    Delivered,
    Event,
    HandBack,
    Kind,
    Outcome,
    Partition,
    Record,
    Rejected,
    Skipped,
    User,
)
from consumer.sequencing.gate import Gate
from consumer.sequencing.giving_up import GivingUp
from consumer.sequencing.holds import Holds
from consumer.sequencing.known_users import Pool
from consumer.sequencing.lanes import Delivery, Lane, LaneStatus
from consumer.sequencing.look_ups import LookUps
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.outcomes import Outcomes
from consumer.sequencing.rate import Rate
from consumer.sequencing.ready import ReadyLanes
from consumer.sequencing.ready_within_rate import ReadyWithinRate
from consumer.sequencing.rule import next_step
from consumer.sequencing.rules import SequencingRules
from consumer.sequencing.stalled import Limits, Stalled
from consumer.sequencing.steps import Steps
from consumer.sequencing.waiting import Retrying


class Sequencer:
    """All lanes of all partitions. `backoff(attempt)` gives the seconds to wait after attempt 0, 1, 2 ..."""

    def __init__(self, rules: SequencingRules, gate: Gate, backoff: Callable[[int], float]) -> None:
        self.gate = gate
        self.assignments: dict[Partition, Assignment] = {}
        self.active = Active()
        self.in_flight = 0
        self.is_paused = False
        """Nothing starts until somebody lets it go on (loop/pausing.py)."""
        self.retrying = Retrying()
        self.give_up_seconds = rules.give_up_seconds
        self.rules = rules
        self._endings = Endings(rules.dead_letter_ratio_max, writes_receipts=rules.receipt_topic is not None)
        limit = rules.requests_per_second_max
        self.rate = None if limit is None else Rate(limit)
        """None: requests start as soon as they may."""
        self._within_rate = None if self.rate is None else ReadyWithinRate(self.rate, gate)
        ready = ReadyLanes() if self._within_rate is None else self._within_rate
        self._steps = Steps(rules, gate, self._endings, backoff, ready)
        giving_up = GivingUp(rules.give_up_seconds, gate, lambda: self._nobody_else_can_try)
        self._outcomes = Outcomes(gate, self._endings, giving_up, self._others_wait)
        self._known = Pool(rules.known_users_max)
        self._stalled = Stalled(self._limits)
        self.budget = Budget(
            rules.uncommitted_events_max,
            rules.buffer_events_max,
            rules.commit_interval_seconds,
            holds_replays=limit is not None,
        )
        self._lingering: dict[tuple[Partition, User], Lane] = {}
        """Lanes of dropped assignments whose request is still unanswered."""

    @property
    def holds(self) -> Holds:
        """Lanes that wait for their user's identify."""
        return self._steps.holds

    @property
    def look_ups(self) -> LookUps:
        """Lanes whose user is looked up in the stored state."""
        return self._steps.look_ups

    @property
    def account(self) -> Account:
        """Where every record went."""
        return self._endings.account

    # ------------------------------------------------------------------ partitions

    def assign(self, partition: Partition, offsets: OffsetTracker) -> Assignment:
        """The partition is ours, from where the tracker starts."""
        assert partition not in self.assignments, f"{partition} is ours already"
        assignment = self.assignments[partition] = Assignment(partition, offsets, self._known, self.active)
        self._shares_change()
        return assignment

    def close(self, partition: Partition) -> None:
        """Send nothing more of this partition; its requests in flight still report."""
        if (assignment := self.assignments.get(partition)) is not None:
            assignment.closed = True
            self._shares_change()

    def drop(self, partition: Partition, reason: HandBack) -> None:
        """The partition is no longer ours. What is unfinished belongs to its next owner."""
        assignment = self.assignments.pop(partition, None)
        if assignment is None:
            return
        self._shares_change()
        self.active.drop(assignment)
        assignment.closed = assignment.dropped = True
        assignment.known.leave()
        self._endings.handed_back(assignment, reason)
        for lane in assignment.lanes.values():
            self._let_go(lane)
            if lane.status is LaneStatus.IN_FLIGHT:
                self._lingering[(partition, lane.user)] = lane
        assignment.lanes.clear()

    def _shares_change(self) -> None:
        if self.rate is not None:
            self.rate.changed()

    def empty(self, assignment: Assignment) -> None:
        """Let go of what waits in a partition that has stopped: whoever starts it again reads it again."""
        for lane in assignment.lanes.values():
            self._let_go(lane)
            lane.waiting.clear()
            lane.again = ()
            lane.identifies = 0

    @property
    def buffered(self) -> Buffered:
        """What is fetched and not finished."""
        return buffered(self.account, self.active.stopped)

    @property
    def waits_for_a_place(self) -> bool:
        """Whether all places in flight are taken, and a lane has another request to send."""
        return self.in_flight >= self.gate.window and self._steps.ready.first() is not None

    @property
    def _nobody_else_can_try(self) -> bool:
        return self.budget.is_tight or self.buffered.fills(self.rules.buffer_events_max, self.rules.buffer_bytes_max)

    # ------------------------------------------------------------------ in

    def accept(self, assignment: Assignment, record: Record, items: Sequence[Decoded], now: float) -> None:
        """A record was fetched, with these in it. Skipped and rejected ones end here; events go to their lanes."""
        types = (items[0].type,) if len(items) == 1 else [item.type for item in items]
        self._endings.fetched(assignment, record, types)
        for item in items:
            match item:
                case Event():
                    assignment.guard.note_on_their_way(1)
                    self._arrive(assignment, item, now)
                case Skipped(reason=skip_reason):
                    self._endings.skip(assignment, item.record, skip_reason)
                case Rejected(reason=reason, detail=detail):
                    self._endings.dead_letter(assignment, item.record, reason, detail)
                case _:
                    assert_never(item)

    def accept_all(self, assignment: Assignment, events: Sequence[Event], now: float) -> None:
        """Records of one event each were fetched."""
        self._endings.fetched_all(assignment, events)
        assignment.guard.note_on_their_way(len(events))
        for event in events:
            self._arrive(assignment, event, now)

    def _arrive(self, assignment: Assignment, event: Event, now: float) -> None:
        """Put an event on its lane."""
        user = event.user
        lane = assignment.lanes.get(user)
        if lane is None:
            lane = assignment.lanes[user] = Lane(assignment, user, True if user in assignment.known else None)
            if self._lingering and (assignment.partition, user) in self._lingering:
                lane.status = LaneStatus.BLOCKED
        lane.append(event)
        if lane.status is LaneStatus.IDLE:
            self._steps.take(lane, now)
        elif lane.status is LaneStatus.HELD:
            self._steps.hold_grows(lane, now, is_identify=event.kind is Kind.IDENTIFY)

    def looked_up(self, identified: Mapping[Partition, set[User]], now: float) -> None:
        """The stored state has answered the oldest question (`look_ups.question`)."""
        for lane in self._steps.look_ups.answer(identified):
            lane.status = LaneStatus.IDLE
            self._steps.take(lane, now)

    def forgotten(self, user: User) -> None:
        """A delete of the user has come through, in whichever partition.

        What another partition knows does not count.
        """
        for assignment in self.assignments.values():
            assignment.known.discard(user)
        self._steps.look_ups.forgotten(user)

    def report(self, delivery: Delivery, outcome: Outcome, now: float) -> None:
        """A request was answered, or will not be."""
        lane = delivery.lane
        assignment = lane.assignment
        assert lane.in_flight is delivery, "a request is answered once"
        self.in_flight -= 1
        del assignment.under_way[lane]
        lane.status = LaneStatus.IDLE
        lane.in_flight = None
        delivery.attempts += 1
        self._outcomes.judge(delivery, outcome, now)
        if assignment.dropped:
            self._release(delivery, outcome, now)
        else:
            if delivery.first_failed_at is not None:
                self.retrying.note(lane)
            self._steps.take(lane, now)

    def recorded(self, lanes: Sequence[Lane], now: float) -> None:
        """A `Remember` or `Forget` of each of these is written. A lane with two of them may stand there twice."""
        self._endings.recorded(lanes)
        for lane in dict.fromkeys(lanes):
            if not lane.recording and lane.status is LaneStatus.IDLE and not lane.assignment.dropped:
                self._steps.take(lane, now)

    def dead_lettered(self, action: WriteDeadLetter) -> None:
        """A dead letter is acknowledged."""
        self._endings.dead_lettered(action)

    def receipted(self, action: WriteReceipt) -> None:
        """A receipt is acknowledged."""
        self._endings.receipted(action)

    # ------------------------------------------------------------------ out

    def next_delivery(self, now: float) -> Delivery | None:
        """The next request to send; None: there is none to send now. Each one must be reported.

        `now` must be fresh: by it a process that was stopped sees that its partitions may belong to another member.
        """
        ready, rules, within_rate = self._steps.ready, self.rules, self._within_rate
        if within_rate is not None:
            within_rate.begin(now)
        if self.is_paused:
            return None
        while (lane := ready.first()) is not None:
            if not self.gate.may_start(now, self.in_flight):
                return None
            ready.pop()
            is_leased = now - lane.assignment.leased_at < rules.lease_seconds
            if not is_leased or not (self.budget.may_send(lane.assignment) or self._unblocks_commits(lane)):
                self._stalled.add(lane, now)
                continue
            if within_rate is not None:
                within_rate.start(lane)
            lane.status = LaneStatus.IN_FLIGHT
            self.in_flight += 1
            lane.assignment.under_way[lane] = None
            step = next_step(lane, now, rules.hold_seconds, rules.unidentified)
            delivery = lane.next_delivery(step, rules.batch_events_max, rules.batch_bytes_max)
            delivery.sent_at = now
            lane.in_flight = delivery
            return delivery
        if within_rate is not None:
            within_rate.wait(now, self.in_flight)
        return None

    def _others_wait(self) -> bool:
        """Whether a request is in flight, or a lane has one to send. A lane that waits for its time has none now."""
        return self.in_flight > 0 or self._steps.ready.has_some

    def take_actions(self) -> list[Action]:
        """What the edges have to do now."""
        actions, self._endings.actions = self._endings.actions, []
        return actions

    def tick(self, now: float) -> None:
        """Wake the lanes whose hold or backoff is over, and those that waited for a commit."""
        self.gate.tick(now)
        self.budget.update(self.assignments, self.active, now)
        if self.rate is not None:
            self.rate.tick(self.assignments.values(), now)
        if self._stalled:
            for lane in self._stalled.let_go(now):
                self._steps.ready.add(lane)
        self._steps.wake(now)
        if self.gate.needs_an_answer and not (self.retrying or self._stalled or self._others_wait()):
            self.gate.nothing_to_send(now)

    def next_deadline(self, now: float) -> float | None:
        """When `tick` or `next_delivery` has something to do without any input; None: never."""
        opens_at = self.gate.opens_at(now) if self._steps.ready and not self.is_paused else None
        permit_at = None if self.rate is None else self.rate.waits_until
        moments = (opens_at, permit_at, self._steps.next_due(), self.budget.next_due())
        due = [moment for moment in moments if moment is not None]
        return min(due, default=None)

    def _limits(self, assignment: Assignment, now: float) -> Limits:
        is_leased, offsets = now - assignment.leased_at < self.rules.lease_seconds, assignment.offsets
        may_send = self.budget.may_send(assignment)
        return Limits(is_leased, may_send, self.gate.probing, offsets.is_committed, offsets.committable())

    def _unblocks_commits(self, lane: Lane) -> bool:
        """Whether the lane has its partition's first unfinished event, and ending that is all that allows a commit.

        Or whether one request has to find out if the destination works: that may come from any lane.
        """
        if self.gate.probing:
            return True
        offsets = lane.assignment.offsets
        # An identify that is sent again may have overtaken the first unfinished event, which must go after it.
        firsts = [delivery.events[0] for delivery in lane.again[-1:]] + list(islice(lane.waiting, 1))
        return offsets.is_committed and offsets.committable() in (event.record.offset for event in firsts)

    def _let_go(self, lane: Lane) -> None:
        """What waits in the lane is no longer ours to send."""
        self._steps.no_longer_waits(lane)
        self.retrying.discard(lane)

    def _release(self, delivery: Delivery, outcome: Outcome, now: float) -> None:
        """The last request of a dropped lane is answered, so the user's lane in the present assignment may start."""
        lane = delivery.lane
        partition = lane.assignment.partition
        if self._lingering.get((partition, lane.user)) is lane:
            del self._lingering[(partition, lane.user)]
        present = self.assignments.get(partition)
        successor = present.lanes.get(lane.user) if present else None
        if successor is not None and successor.status is LaneStatus.BLOCKED:
            if isinstance(outcome, Delivered) and successor.assignment.open:
                self._outcomes.delivered_before(delivery, successor)
            self._steps.take(successor, now)
