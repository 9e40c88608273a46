"""When to commit, and what. Pure.

Commits are asynchronous, one at a time; a later one carries what the earlier one did not. A commit is a sign of life as
well: it is repeated, unchanged, while events wait and the lease grows old (lease.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from consumer.sequencing.active import Active
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition
from consumer.sequencing.lease import NO_LEASE, Lease
from consumer.sequencing.offsets import CommitPoint

SILENCE_SECONDS: Final = 1.0
"""If events wait for a commit that takes longer than this, say so."""


class CommitSchedule:
    """Commits every interval; at once when half of what a crash may send again is reached, or a lease has run out.

    So a healthy run never waits for a commit.
    """

    def __init__(self, interval_seconds: float, uncommitted_events_max: int, lease: Lease = NO_LEASE) -> None:
        self._interval_seconds = interval_seconds
        self._uncommitted_soft_max = max(uncommitted_events_max // 2, 1)
        self._worth_a_commit = max(uncommitted_events_max // 10, 1)
        self._left_unrecorded = 0
        """How many finished events the last commit had no room for. Another one would have no more room."""
        self._lease = lease
        self._tried_since: float | None = None
        self._asked_at = float("-inf")
        self._asked: dict[Partition, CommitPoint] = {}
        self._asked_of: dict[Partition, Assignment] = {}
        self._failed = False

    def due(
        self, assignments: Mapping[Partition, Assignment], active: Active, now: float
    ) -> dict[Partition, CommitPoint]:
        """What to commit now. Empty when it is too early, or there is nothing new to commit."""
        if self._asked:
            return {}
        is_time = now - self._asked_at >= self._interval_seconds
        if not is_time and (self._failed or not self._is_urgent(active, now)):
            return {}
        self._asked_of = {p: assignment for p, assignment in assignments.items() if self._is_due(assignment, now)}
        self._asked = {partition: assignment.offsets.commit_point() for partition, assignment in self._asked_of.items()}
        if self._asked:
            self._asked_at = now
            self._tried_since = now if self._tried_since is None else self._tried_since
        return self._asked

    def _is_due(self, assignment: Assignment, now: float) -> bool:
        if assignment.closed or not assignment.may_commit:
            return False
        return not assignment.offsets.is_committed or self._is_to_renew(assignment, now)

    def _is_urgent(self, active: Active, now: float) -> bool:
        unrecorded = active.unrecorded
        if unrecorded >= self._uncommitted_soft_max and unrecorded - self._left_unrecorded >= self._worth_a_commit:
            return True
        lease_seconds = self._lease.seconds
        return any(now - a.leased_at >= lease_seconds and a.waits for a in active)

    def _is_to_renew(self, assignment: Assignment, now: float) -> bool:
        return assignment.waits and now - assignment.leased_at >= self._lease.renew_seconds

    def problem(self, active: Active, now: float) -> str | None:
        """Why partitions wait for an acknowledged commit, in words; None: they do not, or only for a moment."""
        if self._tried_since is None or now - self._tried_since < SILENCE_SECONDS:
            return None
        waiting = [str(a.partition) for a in active if a.waits and now - a.leased_at >= self._lease.seconds]
        if not waiting:
            return None
        return (
            f"the group has not accepted a commit for {now - self._tried_since:.0f} s; nothing is sent of "
            f"{', '.join(sorted(waiting))}, which another member may own by now"
        )

    def answered(self, asked: Mapping[Partition, CommitPoint], accepted: Iterable[Partition], *, ok: bool) -> None:
        """The broker has answered, or never will, so the next commit may go. After a failure it waits for its time.

        `asked` is the very object that `due` returned: the answer to a revoke's commit says nothing about this one.
        """
        if asked is not self._asked:
            return
        ok_in_part = ok
        for partition in accepted:
            assignment = self._asked_of[partition]
            assignment.offsets.committed(self._asked[partition])
            assignment.leased_at = self._asked_at
            assignment.touch()
            ok_in_part = True
        self._asked = {}
        self._left_unrecorded = sum(a.offsets.left_unrecorded for a in self._asked_of.values())
        self._failed = not ok
        self._tried_since = None if ok_in_part else self._tried_since
