"""The real loop, with turns taken from outside, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from consumer.loop.pipeline import Pipeline
from consumer.ops.snapshot import Phase, Snapshot
from consumer.ports.inputs import Input
from consumer.sequencing.lanes import Delivery


class SteppedPipeline(Pipeline):
    """The real loop; each turn is taken from outside, and requests are put out instead of being awaited."""

    def __init__(self, now: Callable[[], float], *args: Any) -> None:
        super().__init__(*args)
        self._now = now
        self._lease_seconds = self._settings.lease.seconds
        self.sent: list[Delivery] = []
        self._news.phase = Phase.RUNNING
        self._grant()

    @property
    def waits_for_lease(self) -> bool:
        """Whether events wait, and the group has not been heard of for too long."""
        now = self._now()
        return any(a.waits and now - a.leased_at >= self._lease_seconds for a in self._sequencer.assignments.values())

    @property
    def ended(self) -> bool:
        """The Kafka thread has ended."""
        return self._ended

    def turn(self, inputs: Sequence[Input], now: float) -> float:
        """Take a turn; gives the seconds until the next is due."""
        self._turn(inputs, now)
        return self._seconds_until_due(now)

    def _publish(self, now: float) -> None:
        """Once: the simulation reads the counts themselves, and each snapshot costs as much as a turn."""
        del now
        if not hasattr(self, "snapshot"):
            super()._publish(float("-inf"))
        self._showing._is_stale = False

    def fresh_snapshot(self, now: float) -> Snapshot:
        """What would be shown now."""
        super()._publish(now)
        return self.snapshot

    def _send(self) -> None:
        while (delivery := self._sequencer.next_delivery(self._now())) is not None:
            self.sent.append(delivery)


class SilentReporter:
    """Takes whatever is reported."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_values, **_named: None
