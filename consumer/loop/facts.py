"""What is known of one partition beside what the core knows: what the cluster and the edges have told about it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from consumer.ops.partition_view import PartitionView, Waits
from consumer.sequencing.arrivals import Arrivals
from consumer.sequencing.progress import SILENT_SECONDS
from consumer.sequencing.waiting import retried_events

if TYPE_CHECKING:
    from consumer.sequencing.assignment import Assignment
    from consumer.sequencing.events import Partition
    from consumer.sequencing.stops import Stopped

COUNT_SECONDS: Final = 1.0
"""How often what is tried again is counted, of a partition that does not move."""
COUNT_SECONDS_A_LANE: Final = 0.00002
"""Or so much later for each lane that is tried again: it takes no more than 5 % of the loop's time."""


class Facts:
    """What is known of one partition since it was granted.

    Times are monotonic seconds, unless their name says otherwise.
    """

    def __init__(self, partition: Partition, now: float, before: PartitionView | None = None) -> None:
        """`before`: how it was last shown, if it was ours a moment ago. That is shown until its start is known."""
        self.partition = partition
        self.assignment: Assignment | None = None
        """None until its start is known."""
        self.restoring = True
        self.restore_remaining: int | None = None
        self.identified_users = 0
        self.stopped: Stopped | None = None
        self.is_halted = False
        """Whether what waited in it was let go, because we decided to stop it."""
        self.beginning: int | None = None
        self._granted_at = now
        self._before = before
        self._assigned_at = now
        self._end: int | None = None
        self._end_at = now
        self._stable: int | None = None
        self._arrivals = Arrivals()
        self._blocked_since: float | None = None
        self._moved_at = now
        self._had_nothing_to_do = True
        self._position = -1
        self._position_at = now
        self._read_ms: tuple[int, int] | None = None
        """An offset, and the time of its record, which kafka/peek.py has read."""
        self._oldest_ms: int | None = None
        """What was last said of the oldest record not committed."""
        self._retried_events = 0
        self._count_at = 0.0
        """When they are to be counted again."""

    # ------------------------------------------------------------------ told

    def assigned(self, assignment: Assignment, now: float) -> None:
        """It is now known where the partition starts."""
        self.assignment = assignment
        self._assigned_at = self._moved_at = now

    def bounds(self, end: int, stable: int | None, now: float) -> None:
        """The log ends here, and may be read up to `stable`."""
        self._end, self._end_at = end, now
        self._stable = end if stable is None else stable
        self._arrivals.seen(end, now)
        if self._stable >= end:
            self._blocked_since = None
        elif self._blocked_since is None:
            self._blocked_since = now

    def record_time(self, offset: int, timestamp_ms: int) -> None:
        """The first record at or above the offset has this time."""
        self._read_ms = (offset, timestamp_ms)

    # ------------------------------------------------------------------ shown

    @property
    def wants_time_of(self) -> int | None:
        """The offset of the oldest record not committed, if that record is not in hand and its time is not known."""
        assignment = self.assignment
        if assignment is None or self._end is None:
            return None
        offset = assignment.offsets.committed_offset
        if offset >= self._end or assignment.offsets.oldest_uncommitted_ms() is not None:
            return None
        return None if self._read_ms is not None and self._read_ms[0] == offset else offset

    def view(self, now: float, wall_ms: int, waits: Waits, retention_seconds: float | None) -> PartitionView:
        """All that is shown of it. `waits`: what others know of it."""
        if self.assignment is None:
            before = self._before or PartitionView(self.partition, None, end_offset=self._end)
            return replace(
                before, is_ours=True, waits=waits, restoring=True, stopped=None, unmoved_seconds=now - self._granted_at
            )
        offsets = self.assignment.offsets
        unmoved = self._unmoved_seconds(self.assignment, now)
        return PartitionView(
            partition=self.partition,
            committed_offset=offsets.committed_offset,
            position=offsets.position,
            end_offset=self._end,
            stable_offset=self._stable,
            unfinished=offsets.unfinished,
            oldest_uncommitted_ms=self._oldest_uncommitted_ms(self.assignment, wall_ms),
            unfinished_since=self._unfinished_since(offsets.committed_offset, now),
            retention_seconds=retention_seconds,
            restoring=self.restoring,
            restore_remaining=self.restore_remaining,
            identified_users=self.identified_users,
            stopped=self.assignment.stopped or self.stopped,
            unmoved_seconds=unmoved,
            unread_seconds=self._unread_seconds(offsets.position, now),
            waits=waits,
        )

    def start_seconds(self, now: float) -> float:
        """For how long it has been asked where it starts."""
        return now - self._granted_at if self.assignment is None else 0.0

    def end_seconds(self, now: float) -> float:
        """For how long nobody has said where its log ends."""
        return now - self._end_at if self.assignment is not None else 0.0

    def restoring_seconds(self, now: float) -> float:
        """For how long its state has been read."""
        return now - self._assigned_at if self.restoring and self.assignment is not None else 0.0

    def transaction_seconds(self, now: float) -> float:
        """For how long an open transaction has kept the records behind it from being read."""
        return 0.0 if self._blocked_since is None else now - self._blocked_since

    def silent_seconds(self, now: float) -> tuple[float, float]:
        """For how long nobody has acknowledged a record or a commit; 0: nothing waits for that."""
        assignment = self.assignment
        if assignment is None or assignment.progress.moved_at is None:
            return 0.0, 0.0
        progress = assignment.progress
        return now - progress.recorded_at, now - progress.committed_at

    def counted(self, now: float) -> tuple[int, int, float]:
        """Of a partition that has not moved for a while: held events, and events of users whose requests fail.

        And for how long its oldest request has been without an answer.
        """
        assignment = self.assignment
        if assignment is None or self._unmoved_seconds(assignment, now) < SILENT_SECONDS:
            return 0, 0, 0.0
        if now >= self._count_at:
            self._retried_events = retried_events(assignment)
            self._count_at = now + max(COUNT_SECONDS, COUNT_SECONDS_A_LANE * len(assignment.retrying))
        request = next((lane.in_flight for lane in assignment.under_way), None)
        answer_seconds = 0.0 if request is None else now - request.sent_at
        return assignment.held_events, self._retried_events, answer_seconds

    def _unmoved_seconds(self, assignment: Assignment, now: float) -> float:
        """Since the last progress, or since there has been something to do."""
        offsets = assignment.offsets
        readable = self._stable is not None and offsets.position < self._stable
        if not offsets.unfinished and not readable:
            self._had_nothing_to_do = True
            return 0.0
        if self._had_nothing_to_do:
            self._had_nothing_to_do = False
            self._moved_at = now
        self._moved_at = max(self._moved_at, assignment.progress.moved_at or 0.0)
        return now - self._moved_at

    def _unread_seconds(self, position: int, now: float) -> float:
        """Since something was last read, or since there has been something to read."""
        if position != self._position or self._stable is None or position >= self._stable:
            self._position, self._position_at = position, now
        return now - self._position_at

    def _oldest_uncommitted_ms(self, assignment: Assignment, wall_ms: int) -> int | None:
        """From the record in hand, or what was read of it, or as before, or since the lag was first seen."""
        offset = assignment.offsets.committed_offset
        in_hand = assignment.offsets.oldest_uncommitted_ms()
        if in_hand is not None:
            self._oldest_ms = in_hand
        elif self._end is None or offset >= self._end:
            self._oldest_ms = None
        elif self._read_ms is not None and self._read_ms[0] == offset:
            self._oldest_ms = self._read_ms[1]
        elif self._oldest_ms is None:
            self._oldest_ms = wall_ms
        return self._oldest_ms

    def _unfinished_since(self, offset: int, now: float) -> float | None:
        since = self._arrivals.since(offset)
        return None if since is None else min(since, now)
