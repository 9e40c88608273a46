"""When to commit what. Pure. Asynchronous, one at a time; a later one carries whatever the earlier did not."""

from __future__ import annotations

from collections.abc import Mapping

from consumer.assignment import Assignment
from consumer.events import Partition


class CommitSchedule:
    """Every interval, and at once when half of what a crash may send again is reached: a healthy run never waits."""

    def __init__(self, interval_seconds: float, uncommitted_events_max: int) -> None:
        self._interval_seconds = interval_seconds
        self._uncommitted_soft_max = max(uncommitted_events_max // 2, 1)
        self._asked_at = float("-inf")
        self._outstanding = False
        self._failed = False

    def due(self, assignments: Mapping[Partition, Assignment], now: float) -> dict[Partition, int]:
        """The offsets to commit now; empty when it is not the time or nothing has moved."""
        if self._outstanding:
            return {}
        is_time = now - self._asked_at >= self._interval_seconds
        if not is_time and (self._failed or _finished_uncommitted(assignments) < self._uncommitted_soft_max):
            return {}
        offsets = {}
        for partition, assignment in assignments.items():
            committable = assignment.offsets.committable()
            if not assignment.closed and committable > assignment.offsets.committed_offset:
                offsets[partition] = committable
        if offsets:
            self._asked_at = now
            self._outstanding = True
        return offsets

    def answered(self, *, ok: bool) -> None:
        """The broker answered, or never will: the next one may go, after a failure not before its time."""
        self._outstanding = False
        self._failed = not ok


def _finished_uncommitted(assignments: Mapping[Partition, Assignment]) -> int:
    return sum(assignment.offsets.finished_uncommitted for assignment in assignments.values())
