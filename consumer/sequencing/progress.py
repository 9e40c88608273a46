"""When a partition last made progress. Pure.

Found by comparing counts now and then, so that it costs nothing for a single event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from consumer.sequencing.assignment import Assignment

SILENT_SECONDS: Final = 5.0
"""An acknowledgement that takes longer is not late but missing: a healthy broker answers within 0.1 s."""
SILENT_COMMIT_INTERVALS: Final = 2
"""A commit is not late before it is due: what is finished just after one waits for the next."""


class Progress:
    """Of one assignment. All times are monotonic seconds."""

    def __init__(self) -> None:
        self.moved_at: float | None = None
        """When an event was last delivered or dead-lettered, or the committed offset moved; None: not looked at yet."""
        self.finished_at = 0.0
        self.committed_at = 0.0
        """When a commit last accounted for more, or nothing waited for one."""
        self.recorded_at = 0.0
        """When a state record or dead letter was last acknowledged, or none was under way."""
        self._finished = self._committed_offset = self._recorded = self._acknowledged = -1

    def look(self, assignment: Assignment, now: float) -> None:
        """Compare with what was seen last."""
        offsets = assignment.offsets
        # What is skipped at once says nothing about what waits; only a commit beyond it does.
        finished = offsets.finished_count - offsets.skipped_count
        if finished != self._finished or not offsets.unfinished:
            self.finished_at = now
        if finished != self._finished or offsets.committed_offset != self._committed_offset:
            self.moved_at = now
        if offsets.recorded_count != self._recorded or not offsets.unrecorded:
            self.committed_at = now
        if assignment.acknowledged != self._acknowledged or not assignment.unacknowledged:
            self.recorded_at = now
        self._finished, self._committed_offset = finished, offsets.committed_offset
        self._recorded, self._acknowledged = offsets.recorded_count, assignment.acknowledged

    def is_silent(self, now: float, commit_interval_seconds: float) -> bool:
        """Whether nobody acknowledges its commits or its records."""
        commit_silent_seconds = max(SILENT_SECONDS, SILENT_COMMIT_INTERVALS * commit_interval_seconds)
        return now - self.committed_at >= commit_silent_seconds or now - self.recorded_at >= SILENT_SECONDS

    def is_clogged(self, now: float) -> bool:
        """Whether it has events in hand and finishes none."""
        return now - self.finished_at >= SILENT_SECONDS
