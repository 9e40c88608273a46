"""Takes answers to requests: each goes to the sequencer by itself. What is only counted is counted once a turn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from consumer.customfit.answers import DELIVERED, SUCCESSFUL, Answered, judge, result_of
from consumer.loop.moderation import Moderation
from consumer.sequencing.events import Delivered, Misdirected
from consumer.sequencing.gate import State

if TYPE_CHECKING:
    from consumer.loop.partitions import Partitions
    from consumer.ops.reporter import Reporter
    from consumer.ports.edges import Destination
    from consumer.ports.inputs import Responded
    from consumer.sequencing.sequencer import Sequencer


class Answers:
    """The answers of one turn after the other."""

    def __init__(
        self,
        sequencer: Sequencer,
        partitions: Partitions,
        destination: Destination,
        reporter: Reporter,
        *,
        keeps_status: bool = False,
    ) -> None:
        """`keeps_status`: receipts need the status."""
        self.moderation = Moderation()
        self._keeps_status = keeps_status
        self._sequencer = sequencer
        self._partitions = partitions
        self._destination = destination
        self._reporter = reporter
        self._accepted: list[Responded] = []
        """The requests that were accepted in this turn."""
        self._in_flight = 0
        """How many requests were in flight with each of them, added up."""

    def take(self, response: Responded, now: float) -> None:
        """The destination has answered a request, or failed to."""
        delivery, answer = response.delivery, response.answer
        if isinstance(answer, Answered) and answer.status in SUCCESSFUL:
            self._accepted.append(response)
            self._in_flight += self._sequencer.in_flight
            if self._keeps_status:
                delivery.status = answer.status
            self._sequencer.report(delivery, DELIVERED, now)
            if delivery.lane.assignment.dropped:
                self._partitions.delivered_late(delivery)
            return
        outcome = judge(answer, datetime.now(UTC))
        assert not isinstance(outcome, Delivered)
        self._reporter.responded(result_of(answer), response.seconds)
        self._sequencer.report(delivery, outcome, now)
        self._reporter.not_delivered(outcome, delivery)
        if isinstance(outcome, Misdirected):
            self._destination.misdirected(outcome.status)
            if self._sequencer.gate.state is not State.STOPPED:
                self._reporter.misdirected_alone(outcome.status, delivery)

    def count(self, now: float) -> bool:
        """All answers of this turn were taken. True: one of them was an acceptance."""
        if not self._accepted:
            return False
        accepted, self._accepted = self._accepted, []
        events = sum([len(response.delivery.events) for response in accepted])
        seconds = [response.seconds for response in accepted]
        self._sequencer.gate.measured(now, seconds, events, self._in_flight)
        self._in_flight = 0
        self.moderation.answered(sum(seconds) / len(seconds))
        self._reporter.accepted(seconds, [response.delivery for response in accepted])
        return True
