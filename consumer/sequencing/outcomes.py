"""Carries out what THE RULE says about an answer: what it means for its events and its lane. Pure.

What an answer says about the destination as a whole is decided by the gate, which hears of each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from consumer.sequencing.endings import Endings
from consumer.sequencing.events import DeadLetterReason, Delivered, Misdirected, Outcome, Refused, Unavailable
from consumer.sequencing.gate import Gate
from consumer.sequencing.giving_up import GivingUp
from consumer.sequencing.lanes import Delivery, Lane
from consumer.sequencing.rule import DeliveryKind, Meaning, meaning


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
        match outcome:
            case Delivered():
                self._gate.delivered(now, delivery.sent_at)
                if not delivery.lane.assignment.dropped:
                    self._delivered(delivery, meaning(delivery, outcome))
            case Refused(status, body):
                is_everybodys = not self._gate.refused(delivery.user, status, now, delivery.sent_at)
                found = meaning(delivery, outcome, is_everybodys=is_everybodys)
                refused = DeadLetterReason.REFUSED, f"the destination answered {status}", status, body
                self._not_delivered(delivery, found, *refused)
            case Misdirected() | Unavailable():
                self._failed(delivery, outcome, now)
            case _:
                assert_never(outcome)

    def delivered_before(self, delivery: Delivery, lane: Lane) -> None:
        """A request of an earlier assignment was accepted.

        What is still in the user's lane of it counts as delivered.
        """
        if delivery.lane.assignment.offsets.topic_id != lane.assignment.offsets.topic_id:
            return
        if events := lane.same_as(delivery.events):
            if delivery.kind is not DeliveryKind.INTRODUCTION:
                lane.take(events)
            same = Delivery(lane, delivery.kind, events, status=delivery.status)
            self._delivered(same, meaning(same, Delivered()))

    def _delivered(self, delivery: Delivery, found: Meaning) -> None:
        lane = delivery.lane
        if found is not Meaning.FINISHED and not lane.identified:
            self._endings.identified(lane)
        if found is Meaning.IDENTIFIED:
            self._endings.account.introductions += 1
        else:
            self._endings.delivered(lane, delivery.events, delivery.status)

    def _failed(self, delivery: Delivery, outcome: Misdirected | Unavailable, now: float) -> None:
        is_given_up = self._giving_up.is_due(delivery, outcome, now)
        if isinstance(outcome, Misdirected):
            status, delivery.last_answer = outcome.status, str(outcome.status)
            self._gate.misdirected(delivery.user, outcome, now, others_wait=self._others_wait())
        else:
            status, delivery.last_answer = None, outcome.cause
            if outcome.retry_after_seconds is not None and not outcome.throttled:
                delivery.not_before = now + outcome.retry_after_seconds
            self._gate.failed(delivery.user, outcome, now, delivery.sent_at)
        detail = f"failing for {delivery.failing_seconds:.0f} s while other users succeed: {delivery.last_answer}"
        found = meaning(delivery, outcome, is_given_up=is_given_up)
        self._not_delivered(delivery, found, DeadLetterReason.GAVE_UP, detail, status)

    def _not_delivered(  # noqa: PLR0917  what would stand in the dead letter
        self,
        delivery: Delivery,
        found: Meaning,
        reason: DeadLetterReason,
        detail: str,
        status: int | None,
        body: bytes = b"",
    ) -> None:
        if found is Meaning.AGAIN:
            delivery.lane.put_back(delivery)
        elif found is Meaning.HALVES:
            delivery.lane.put_back(*reversed(delivery.halves()))
        else:
            self._dead_letter(delivery, reason, detail, status, body)

    def _dead_letter(
        self, delivery: Delivery, reason: DeadLetterReason, detail: str, status: int | None = None, body: bytes = b""
    ) -> None:
        """Dead-letter the one event of a request; for an introduction, the event behind it."""
        lane, event = delivery.lane, delivery.events[0]
        if lane.assignment.dropped or lane.assignment.stopped:  # the partition's next owner reads it again
            return
        if not self._endings.dead_letter(
            lane.assignment, event.record, reason, detail, status, body, delivery.attempts
        ):
            lane.put_back(delivery)
        elif delivery.kind is DeliveryKind.INTRODUCTION:
            behind = lane.popleft()
            assert behind is event
