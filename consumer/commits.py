"""When to commit what. Pure. Asynchronous, one at a time; a later one carries whatever the earlier did not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from consumer.assignment import Assignment
from consumer.events import Partition
from consumer.offsets import CommitPoint


class CommitSchedule:
    """Every interval, and at once when half of what a crash may send again is reached: a healthy run never waits."""

    def __init__(self, interval_seconds: float, uncommitted_events_max: int) -> None:
        self._interval_seconds = interval_seconds
        self._uncommitted_soft_max = max(uncommitted_events_max // 2, 1)
        self._asked_at = float("-inf")
        self._asked: dict[Partition, CommitPoint] = {}
        self._asked_of: dict[Partition, Assignment] = {}
        self._failed = False

    def due(self, assignments: Mapping[Partition, Assignment], now: float) -> dict[Partition, CommitPoint]:
        """What to commit now; empty when it is not the time, or there is nothing new to say."""
        if self._asked:
            return {}
        is_time = now - self._asked_at >= self._interval_seconds
        if not is_time and (self._failed or unrecorded_events(assignments.values()) < self._uncommitted_soft_max):
            return {}
        self._asked_of = {
            partition: assignment
            for partition, assignment in assignments.items()
            if not assignment.closed and not assignment.offsets.is_committed
        }
        self._asked = {partition: assignment.offsets.commit_point() for partition, assignment in self._asked_of.items()}
        if self._asked:
            self._asked_at = now
        return self._asked

    def answered(self, asked: Mapping[Partition, CommitPoint], accepted: Iterable[Partition], *, ok: bool) -> None:
        """The broker answered, or never will: the next one may go, after a failure not before its time.

        `asked` is the very thing that `due` gave: the answer to the commit of a revoke says nothing about this one.
        """
        if asked is not self._asked:
            return
        for partition in accepted:
            self._asked_of[partition].offsets.committed(self._asked[partition])
        self._asked = {}
        self._failed = not ok


def unrecorded_events(assignments: Iterable[Assignment]) -> int:
    """How many answered events a crash now would send again."""
    return sum(a.offsets.unrecorded + a.unrecorded for a in assignments if a.halted is None)
