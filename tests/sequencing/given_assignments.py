"""Assignments that have received and finished records, for tests."""

from __future__ import annotations

from consumer.sequencing.active import Active
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.commits import CommitSchedule
from consumer.sequencing.events import Partition
from consumer.sequencing.offsets import CommitPoint, OffsetTracker

P0, P1 = Partition("segment", 0), Partition("segment", 1)


def ours(*partitions: Partition, received: int = 10) -> dict[Partition, Assignment]:
    """Assignments that have received so many records."""
    assignments = {}
    for partition in partitions:
        offsets = OffsetTracker(0)
        for offset in range(received):
            offsets.received(offset, 0)
        assignments[partition] = Assignment(partition, offsets)
    return assignments


def finish(assignment: Assignment, *offsets: int) -> None:
    """Nothing more is to be done for these."""
    for offset in offsets:
        assignment.offsets.finished(offset)


def offsets_of(points: dict[Partition, CommitPoint]) -> dict[Partition, int]:
    """Only the offsets."""
    return {partition: point.offset for partition, point in points.items()}


def active(assignments: dict[Partition, Assignment]) -> Active:
    """They have something to do."""
    them = Active()
    for assignment in assignments.values():
        them.touch(assignment)
    them.update()
    return them


def due(schedule: CommitSchedule, assignments: dict[Partition, Assignment], now: float) -> dict[Partition, CommitPoint]:
    """What is to be committed."""
    return schedule.due(assignments, active(assignments), now)
