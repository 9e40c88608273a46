"""Whether sending is paused, as the follower of the state topic says (state/pause_follower.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.sequencing.lease import NEVER

if TYPE_CHECKING:
    from consumer.ops.reporter import Reporter
    from consumer.ports.inputs import PauseRead
    from consumer.sequencing.pauses import PauseOrder
    from consumer.sequencing.sequencer import Sequencer


class Pausing:
    """The last order, and since when nothing has been paused."""

    def __init__(self, sequencer: Sequencer, reporter: Reporter) -> None:
        self.is_known = True
        """False at a start, while the last order is being read. Until then nothing is sent."""
        self._sequencer = sequencer
        self._reporter = reporter
        self._order: PauseOrder | None = None
        self._unpaused_at = NEVER

    @property
    def pause(self) -> PauseOrder | None:
        """The order because of which sending is paused now."""
        return self._order if self._order is not None and self._order.is_paused else None

    def take(self, news: PauseRead, now: float) -> None:
        """An order came, or the news that it is not known yet."""
        before = self.pause
        self._order, self.is_known = news.order, news.is_known
        was_paused, self._sequencer.is_paused = self._sequencer.is_paused, not self.is_known or self.pause is not None
        if was_paused and not self._sequencer.is_paused:
            self._unpaused_at = now
        if self.pause is not None and self.pause != before:
            self._reporter.paused(self.pause)
        elif before is not None and self.pause is None:
            self._reporter.resumed(news.order)

    def unpaused_seconds(self, now: float) -> float:
        """For how long requests may have been sent, as far as pausing is concerned."""
        return 0.0 if self._sequencer.is_paused else now - self._unpaused_at
