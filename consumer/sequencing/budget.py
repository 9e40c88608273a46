"""How much of what all partitions share one may use: events not yet committed, and the buffer. Pure.

While its commits and records are acknowledged, a partition may use all that is free. If nothing was acknowledged for
SILENT_SECONDS (for a commit: two commit intervals, if that is longer), it is held to its share, so that the others go
on: a state partition without a leader stops one partition, not the member. So a crash sends again at most
`uncommitted_events_max` events, plus what each partition that is held to its share had used before that was noticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from consumer.sequencing.active import Active
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition

SHARE_EVENTS_MIN: Final = 100
INTAKE_SHARE: Final = 0.75
"""At this part of what a crash may send again, nothing more is fetched. Sending stops only at all of it."""
LOOK_SECONDS: Final = 0.25


class Budget:
    """Decides for each partition whether it may send and fetch."""

    def __init__(
        self,
        uncommitted_events_max: int,
        buffer_events_max: int,
        commit_interval_seconds: float,
        *,
        holds_replays: bool = False,
    ) -> None:
        """`holds_replays`: replays never get more than their share of the buffer; see `_is_over`."""
        self._holds_replays = holds_replays
        self.is_tight = False
        """So much is uncommitted that nothing more is to be fetched."""
        self.held_to_share: set[Partition] = set()
        """Partitions that fetch nothing more until what they have is acknowledged or finished."""
        self._uncommitted_events_max = uncommitted_events_max
        self._buffer_events_max = buffer_events_max
        self._commit_interval_seconds = commit_interval_seconds
        self._is_spent = False
        self._silent: set[Partition] = set()
        self._look_at = 0.0
        self._share = uncommitted_events_max
        self._buffer_share = buffer_events_max

    def update(self, assignments: Mapping[Partition, Assignment], active: Active, now: float) -> None:
        """Add up what is used. Runs once a turn, so it has to be cheap with a thousand partitions."""
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self._look(assignments, now)
        active.update()
        used = active.unrecorded
        for partition in self._silent:
            assignment = assignments.get(partition)
            if assignment is not None and assignment.stopped is None:
                used -= max(assignment.unrecorded_events - self._share, 0)
        self._is_spent = used >= self._uncommitted_events_max
        self.is_tight = used >= INTAKE_SHARE * self._uncommitted_events_max

    def may_send(self, assignment: Assignment) -> bool:
        """Whether more of this partition may be sent. A crash would send that again."""
        if self._silent and assignment.partition in self._silent:
            return assignment.unrecorded_events < self._share
        return not self._is_spent

    def beyond_share(self, assignments: Mapping[Partition, Assignment]) -> tuple[int, int]:
        """How many events and bytes the partitions that are held to their share have above it.

        They had them before they were held. The other partitions must not wait for that.
        """
        events = size_bytes = 0
        for partition in self.held_to_share:
            if (assignment := assignments.get(partition)) is not None and (has := assignment.offsets.unfinished):
                beyond = max(has - self._buffer_share, 0)
                events += beyond
                size_bytes += assignment.unfinished_bytes * beyond // has
        return events, size_bytes

    def next_due(self) -> float | None:
        """When to look again without any input, because a partition may be released.

        None: none is held to its share.
        """
        return self._look_at if self._silent or self.held_to_share else None

    def _look(self, assignments: Mapping[Partition, Assignment], now: float) -> None:
        active = [assignment for assignment in assignments.values() if assignment.stopped is None]
        for assignment in active:
            assignment.progress.look(assignment, now)
        self._share = self._share_of(self._uncommitted_events_max, len(active))
        self._silent = {a.partition for a in active if a.progress.is_silent(now, self._commit_interval_seconds)}
        self._buffer_share = self._share_of(self._buffer_events_max, len(active))
        if len(active) > 1:
            self.held_to_share = {a.partition for a in active if self._is_over(a, self._buffer_share, now)}
        else:
            self.held_to_share = set()

    def _is_over(self, assignment: Assignment, buffer_share: int, now: float) -> bool:
        """Whether it has used its share and does not move. Once held, it stays so until it has let go of half."""
        part = 0.5 if assignment.partition in self.held_to_share else 1.0
        if assignment.partition in self._silent:
            unrecorded = assignment.unrecorded_events
            if unrecorded >= part * INTAKE_SHARE * self._share:
                return True
        in_hand = assignment.offsets.unfinished
        if in_hand < part * buffer_share:
            return False
        if assignment.is_replay and self._holds_replays:
            return True  # with a rate set they may be slow, and live events would wait for room behind them
        if not assignment.progress.is_clogged(now):
            return False
        # Those held wait for their identify, which has yet to be fetched: half a full buffer ends their hold.
        return in_hand - assignment.held_events >= part * buffer_share

    @staticmethod
    def _share_of(events_max: int, partitions: int) -> int:
        return max(events_max // max(partitions, 1), min(SHARE_EVENTS_MIN, events_max))
