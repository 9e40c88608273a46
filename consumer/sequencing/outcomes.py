"""What the answer to a request means for its events and its lane. Pure. Rules 4 and 5 of lanes.py are carried out here.

What it says of the destination as a whole is the gate's affair, and the gate is told of each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from consumer.sequencing.endings import Endings
from consumer.sequencing.events import DeadLetterReason, Delivered, Misdirected, Outcome, Refused, Unavailable
from consumer.sequencing.gate import Gate
from consumer.sequencing.giving_up import GivingUp
from consumer.sequencing.lanes import Delivery, DeliveryKind, Lane


class Outcomes:
    """Ends the events of a request, or puts it back on its lane."""

    def __init__(self, gate: Gate, endings: Endings, giving_up: GivingUp, others_wait: Callable[[], bool]) -> None:
        """`others_wait`: whether any lane has a request in flight, or one to send."""
        self._gate = gate
        self._endings = endings
        self._giving_up = giving_up
        self._others_wait = others_wait

    def judge(self, delivery: Delivery, outcome: Outcome, now: float) -> None:
        """A request was answered, or will not be."""
        lane = delivery.lane
        match outcome:
            case Delivered():
                self._gate.delivered(now, delivery.sent_at)
                if not lane.assignment.dropped:
                    self._delivered(delivery)
            case Refused(status, body):
                if not self._gate.refused(lane.user, status, now, delivery.sent_at):
                    lane.put_back(delivery)
                elif not lane.put_back_halves(delivery):
                    detail = f"the destination answered {status}"
                    self._dead_letter(delivery, DeadLetterReason.REFUSED, detail, status, body)
            case Misdirected():
                self._misdirected(delivery, outcome, now)
            case Unavailable():
                self._unavailable(delivery, outcome, now)
            case _:
                assert_never(outcome)

    def delivered_before(self, delivery: Delivery, lane: Lane) -> None:
        """A request of an earlier assignment was accepted: what waits of it in the user's lane is delivered."""
        if delivery.lane.assignment.offsets.topic_id != lane.assignment.offsets.topic_id:
            return
        if events := lane.same_as(delivery.events):
            if delivery.kind is not DeliveryKind.INTRODUCTION:
                lane.take(events)
            self._delivered(Delivery(lane, delivery.kind, events))

    def _delivered(self, delivery: Delivery) -> None:
        lane = delivery.lane
        if delivery.kind is not DeliveryKind.EVENTS and not lane.identified:
            self._endings.identified(lane)
        if delivery.kind is DeliveryKind.INTRODUCTION:
            self._endings.account.introductions += 1
            return
        self._endings.delivered(lane, delivery.events)

    def _misdirected(self, delivery: Delivery, outcome: Misdirected, now: float) -> None:
        is_given_up = self._giving_up.is_due(delivery, outcome, now)
        delivery.last_answer = str(outcome.status)
        self._gate.misdirected(delivery.user, outcome, now, others_wait=self._others_wait())
        self._put_back_or_give_up(delivery, outcome.status, is_given_up=is_given_up)

    def _unavailable(self, delivery: Delivery, outcome: Unavailable, now: float) -> None:
        is_given_up = self._giving_up.is_due(delivery, outcome, now)
        delivery.last_answer = outcome.cause
        if outcome.retry_after_seconds is not None and not outcome.throttled:
            delivery.not_before = now + outcome.retry_after_seconds
        self._gate.failed(delivery.user, outcome, now, delivery.sent_at)
        self._put_back_or_give_up(delivery, None, is_given_up=is_given_up)

    def _put_back_or_give_up(self, delivery: Delivery, status: int | None, *, is_given_up: bool) -> None:
        if not is_given_up:
            delivery.lane.put_back(delivery)
        elif not delivery.lane.put_back_halves(delivery):
            detail = f"failing for {delivery.failing_seconds:.0f} s while other users succeed: {delivery.last_answer}"
            self._dead_letter(delivery, DeadLetterReason.GAVE_UP, detail, status)

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
