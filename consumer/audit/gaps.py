"""Gaps, reported as runs of neighbours: a commit that came too early leaves thousands of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

RUNS_MAX: Final = 1000
"""How many runs are kept to be shown. All gaps are counted."""


class Gap(StrEnum):
    """What is missing. judge.py says what each kind means."""

    NOT_DELIVERED = "not_delivered"
    COMMIT_AHEAD = "commit_ahead"
    NO_DEAD_LETTER = "no_dead_letter"
    REPLAY_NOT_DELIVERED = "replay_not_delivered"
    BEYOND_END = "beyond_end"


@dataclass(slots=True)
class Run:
    """Gaps of one kind in one partition, without a visible end between them."""

    partition: int
    first: int
    last: int
    events: int
    gap: Gap


class Gaps:
    """All gaps of a window, in the order in which they are found."""

    def __init__(self, commits: Mapping[int, int]) -> None:
        """`commits`: the committed offset of each partition."""
        self.events = 0
        self.runs: list[Run] = []
        self._commits = commits
        self._open: dict[tuple[int, bool], dict[Gap, Run]] = {}
        """By partition, and whether below the commit: the runs that the next gap there may extend."""

    def note(self, partition: int, offset: int, gap: Gap | None, *, is_proof: bool) -> None:
        """Note the judgement of a partition's next event; `gap` None: none. `is_proof`: the event has a visible end."""
        if gap is None:
            if is_proof and self._open:
                self._open.pop((partition, offset < self._commits[partition]), None)
            return
        self.events += 1
        where = partition, offset < self._commits[partition]
        runs = self._open.setdefault(where, {})
        if (run := runs.get(gap)) is not None:
            run.last = offset
            run.events += 1
            return
        run = runs[gap] = Run(partition, offset, offset, 1, gap)
        if len(self.runs) < RUNS_MAX:
            self.runs.append(run)

    def beyond_end(self, partition: int, end: int) -> None:
        """The partition ends there, and its commit is beyond that."""
        self.events += 1
        self.runs.append(Run(partition, end, self._commits[partition] - 1, 1, Gap.BEYOND_END))

    def close(self, reached: Mapping[int, int]) -> None:
        """All was judged, up to these offsets.

        What is missing right below a commit means that the commit came too early.
        """
        for (partition, is_below), runs in self._open.items():
            is_to_commit = is_below and reached.get(partition, 0) >= self._commits[partition]
            if is_to_commit and (run := runs.get(Gap.NOT_DELIVERED)) is not None:
                run.gap = Gap.COMMIT_AHEAD
