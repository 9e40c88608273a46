"""Carries out what THE RULE wants for an idle lane: make it ready, hold it, look it up, or let it wait. Pure."""

from __future__ import annotations

from collections.abc import Callable

from consumer.sequencing.endings import Endings
from consumer.sequencing.events import DeadLetterReason
from consumer.sequencing.gate import Gate
from consumer.sequencing.holds import Holds
from consumer.sequencing.lanes import Lane, LaneStatus
from consumer.sequencing.look_ups import LookUps
from consumer.sequencing.ready import ReadyLanes
from consumer.sequencing.ready_within_rate import ReadyWithinRate
from consumer.sequencing.rule import Step, next_step
from consumer.sequencing.rules import SequencingRules
from consumer.sequencing.timers import Timers


class Steps:
    """The lanes that are ready, and those that wait for a time. `backoff(attempt)` gives seconds."""

    def __init__(
        self,
        rules: SequencingRules,
        gate: Gate,
        endings: Endings,
        backoff: Callable[[int], float],
        ready: ReadyLanes | ReadyWithinRate,
    ) -> None:
        self.ready = ready
        self.holds = Holds(rules.held_events_max)
        self.look_ups = LookUps()
        self._timers = Timers()
        self._rules = rules
        self._gate = gate
        self._endings = endings
        self._backoff = backoff

    def take(self, lane: Lane, now: float) -> None:
        """Let an idle or held lane take its next step, or say what it waits for."""
        if lane.status is not LaneStatus.IDLE or lane.timer:
            self.no_longer_waits(lane)
            lane.status = LaneStatus.IDLE
        rules = self._rules
        while lane.assignment.open:
            step = next_step(lane, now, rules.hold_seconds, rules.unidentified)
            if step is Step.NOTHING:
                if not lane.recording:
                    del lane.assignment.lanes[lane.user]
                return
            if step is Step.HOLD:
                self._hold(lane, now)
                return
            if step is Step.LOOK_UP:
                self.look_ups.add(lane)
                return
            if step is Step.FORGET:
                self.look_ups.forgotten(lane.user)  # an answer may come in this turn, before the action is handed out
                self._endings.forgotten(lane, lane.popleft())
            elif step is Step.DEAD_LETTER:
                self._dead_letter_unidentified(lane)
            else:
                self._send_or_wait(lane, now)
                return

    def hold_grows(self, lane: Lane, now: float, *, is_identify: bool) -> None:
        """One more event waits in a lane that is held."""
        self.holds.grow(lane)
        if is_identify:
            self.take(lane, now)
        self._cut_holds_short(now)

    def wake(self, now: float) -> None:
        """Go on with the lanes whose hold or backoff is over."""
        while (woken := self._timers.pop_due(now)) is not None:
            if woken.status is LaneStatus.BACKOFF:
                self._make_ready(woken, last=self._gate.probing)  # the next probe is another user's turn
            elif woken.status is LaneStatus.HELD:
                self.take(woken, now)

    def next_due(self) -> float | None:
        """When `wake` has something to do; None: never."""
        return self._timers.next_due()

    def no_longer_waits(self, lane: Lane) -> None:
        """End a hold, and forget for which time it waits."""
        if lane.status is LaneStatus.HELD:
            self.holds.remove(lane)
            lane.status = LaneStatus.IDLE
        if lane.timer:
            self._timers.cancel(lane)

    def _dead_letter_unidentified(self, lane: Lane) -> None:
        reason, detail = DeadLetterReason.UNIDENTIFIED, "no identify came for this user"
        if self._endings.dead_letter(lane.assignment, lane.waiting[0].record, reason, detail):
            lane.popleft()

    def _send_or_wait(self, lane: Lane, now: float) -> None:
        if not lane.again:
            self._make_ready(lane)
            return
        delivery, is_probing = lane.again[-1], self._gate.probing
        if (delivery.failed_at is None or is_probing) and now >= delivery.not_before:
            # The gate spaces the probes; the next one is another user's turn.
            self._make_ready(lane, last=is_probing)
            return
        lane.status = LaneStatus.BACKOFF
        backoff_seconds = 0.0 if is_probing else self._backoff(delivery.attempts - 1)
        self._timers.set(lane, max(now + backoff_seconds, delivery.not_before))

    def _make_ready(self, lane: Lane, *, last: bool = False) -> None:
        lane.status = LaneStatus.READY
        self.ready.add(lane, last=last)

    def _hold(self, lane: Lane, now: float) -> None:
        lane.status = LaneStatus.HELD
        self.holds.add(lane)
        self._timers.set(lane, lane.waiting[0].record.fetched_at + self._rules.hold_seconds)
        self._cut_holds_short(now)

    def _cut_holds_short(self, now: float) -> None:
        """End the oldest holds while held events take too much of the buffer."""
        while (lane := self.holds.too_many) is not None:
            lane.hold_waived = True
            self._endings.account.holds_cut_short += 1
            self.take(lane, now)
