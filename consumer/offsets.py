"""Which offset may be committed: the next one to read, below the first that is unfinished. Pure.

One tracker a partition.

Only offsets that were received count: gaps (compaction, transaction markers) are normal.
"""

from __future__ import annotations

from collections import deque


class OffsetTracker:
    """The offsets of one assignment of one partition, in the order of the log."""

    def __init__(self, start: int) -> None:
        self._position = start
        self._committed = start
        self._unfinished: set[int] = set()
        self._pending: deque[tuple[int, int]] = deque()
        """(offset, timestamp_ms) from the first unfinished one on."""
        self._finished: deque[tuple[int, int]] = deque()
        """What is below the committable offset and not yet committed."""

    def received(self, offset: int, timestamp_ms: int) -> None:
        """A record was fetched. Offsets only ever rise within an assignment."""
        assert offset >= self._position, f"offset {offset} after position {self._position}"
        self._position = offset + 1
        self._unfinished.add(offset)
        self._pending.append((offset, timestamp_ms))

    def finished(self, offset: int) -> None:
        """The record needs nothing more: delivered, skipped or acknowledged as a dead letter."""
        self._unfinished.remove(offset)

    def committable(self) -> int:
        """The next offset to read for whoever owns the partition next."""
        pending, unfinished, finished = self._pending, self._unfinished, self._finished
        while pending and pending[0][0] not in unfinished:
            finished.append(pending.popleft())
        return pending[0][0] if pending else self._position

    def committed(self, offset: int) -> None:
        """The broker acknowledged a commit of `offset`."""
        self._committed = max(self._committed, offset)
        while self._finished and self._finished[0][0] < offset:
            self._finished.popleft()

    def reached_end(self, end: int) -> None:
        """The log ends at `end` and all of it was fetched: what lies between is no record (transaction markers)."""
        self._position = max(self._position, end)

    @property
    def position(self) -> int:
        """The next offset to fetch."""
        return self._position

    @property
    def committed_offset(self) -> int:
        """What the group has committed, or where it started."""
        return self._committed

    @property
    def unfinished(self) -> int:
        """How many records were received and are not finished."""
        return len(self._unfinished)

    @property
    def uncommitted(self) -> int:
        """How many records were received and are not committed."""
        return len(self._pending) + len(self._finished)

    @property
    def finished_uncommitted(self) -> int:
        """How many finished records a crash now would send again at the most."""
        return self.uncommitted - self.unfinished

    def oldest_uncommitted_ms(self) -> int | None:
        """Timestamp of the oldest record in hand that is not committed; None where there is none."""
        if self._finished:
            return self._finished[0][1]
        return self._pending[0][1] if self._pending else None

    def __repr__(self) -> str:
        return (
            f"<OffsetTracker committed {self._committed}, committable {self.committable()}, "
            f"position {self._position}, {self.unfinished} unfinished>"
        )
