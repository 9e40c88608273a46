"""Holes in offsets and commits: more is committed than has ended, or than the group has accepted."""

from __future__ import annotations

from typing import Any, Final

from consumer.sequencing.active import Active
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.commits import CommitSchedule
from consumer.sequencing.offset_log import OffsetLog
from consumer.sequencing.offsets import CommitPoint, OffsetTracker
from tests.simulation.faults.fault import Fault, around, constant


def a_commit_is_one_too_far(original: Any, self: OffsetTracker) -> CommitPoint:
    point: CommitPoint = original(self)
    return point._replace(offset=min(point.offset + 1, self.position))


def unfinished_ones_are_committed(_original: Any, self: OffsetTracker) -> int:
    return self.position


def metadata_says_one_too_many(original: Any, self: OffsetLog, position: int) -> list[int]:
    runs: list[int] = original(self, position)
    if runs[-2] > 1:
        runs[-2:] = [runs[-2] - 1, runs[-1] + 1]
    return runs


def any_answer_is_taken(original: Any, self: CommitSchedule, _asked: Any, accepted: Any, *, ok: bool) -> None:
    ours = [partition for partition in accepted if partition in self._asked]
    original(self, self._asked, ours, ok=ok)


def an_accepted_commit_is_not_counted(_original: Any, self: Active, assignment: Assignment) -> None:
    if assignment.offsets.unfinished:
        self._touched.add(assignment)


FAULTS: Final = (
    Fault("a commit one too far", around(OffsetTracker, "commit_point", a_commit_is_one_too_far), ("commit",), 10),
    Fault(
        "unfinished ones are committed",
        around(OffsetTracker, "committable", unfinished_ones_are_committed),
        ("commit",),
        10,
    ),
    Fault("metadata says too much", around(OffsetLog, "runs", metadata_says_one_too_many), ("commit",), 10),
    Fault(
        "metadata is not read",
        constant(OffsetTracker, "finished_before", False),
        ("duplicate", "order", "dead letter"),
        300,
    ),
    Fault(
        "an accepted commit of an idle partition is not counted",
        around(Active, "touch", an_accepted_commit_is_not_counted),
        ("counted",),
        10,
    ),
    Fault("any answer counts", around(CommitSchedule, "answered", any_answer_is_taken), ("commit",), 50, 1370),
)
