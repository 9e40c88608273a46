"""Which offset may be committed, and what is finished above it. Pure; one tracker an assignment of a partition.

Committable is the next offset to read: below the first that is unfinished. Only offsets that were received count: gaps
(compaction, transaction markers) are normal. A batch is one offset with several events: it is finished with the last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from consumer.sequencing.commit_metadata import METADATA_BYTES_MAX, FinishedBefore, encode

PENDING_SLACK: Final = 1024
METADATA_BYTES_MIN: Final = 40
"""Below this there is room for a topic's id at the most: then nothing is written."""


class CommitPoint(NamedTuple):
    """What is committed: the next offset to read, and the metadata that says what is finished above it."""

    offset: int
    metadata: str
    recorded: int
    """How many finished events, of all since the start, the offset and the metadata account for."""
    finished: int
    """How many there were; more than `recorded` when the metadata had no room for all."""


class _Batch:
    """How many events a record has, where it has several."""

    __slots__ = ("answered", "unfinished")

    def __init__(self, events: int) -> None:
        self.unfinished = events
        self.answered = 0
        """Finished, and not by being skipped: so many a crash would send again."""


class OffsetTracker:
    """The offsets of one assignment of one partition, in the order of the log."""

    def __init__(
        self,
        start: int,
        finished_before: FinishedBefore | None = None,
        cluster_id: str = "",
        topic_id: str | None = None,
    ) -> None:
        self._position = start
        self._committed = CommitPoint(start, "", 0, 0)
        self._finished_before = finished_before
        self._finished_here: Mapping[int, int] = {}
        """Offset → timestamp of what an earlier assignment to this process had finished and not committed."""
        self._cluster_id = cluster_id
        self.topic_id = topic_id
        """Of the topic that these offsets are of; None where the cluster tells none."""
        self.metadata_bytes_max = METADATA_BYTES_MAX
        self._unfinished: dict[int, None] = {}
        """In the order of the log."""
        self._pending: deque[tuple[int, int]] = deque()
        """(offset, timestamp_ms) of the unfinished ones in the order of the log, and of some finished among them."""
        self._finished: deque[tuple[int, int]] = deque()
        """What is below the committable offset and not yet committed."""
        self._finished_count = 0
        self.skipped_count = 0
        """Of those that were finished: nothing was to be done for them."""
        self._batches: dict[int, _Batch] = {}
        """The batches at or above the committable offset, in the order of the log; an ordinary record costs nothing."""
        self._more_unfinished = 0
        """Unfinished events of batches, without the first of each: that stands in `_unfinished`."""

    def received(self, offset: int, timestamp_ms: int, events: int = 1) -> None:
        """A record was fetched, with so many events. Offsets only ever rise within an assignment."""
        assert offset >= self._position, f"offset {offset} after position {self._position}"
        self._position = offset + 1
        self._unfinished[offset] = None
        self._pending.append((offset, timestamp_ms))
        if events > 1:
            self._batches[offset] = _Batch(events)
            self._more_unfinished += events - 1

    def finished_here(self, earlier: Mapping[int, int]) -> None:
        """An earlier assignment to this process has finished these (its `uncommitted`), whatever came of commits."""
        self._finished_here = earlier

    def finished_before(self, offset: int, timestamp_ms: int) -> bool:
        """Whether an earlier owner finished this record; asked in the order of the log, before `received`."""
        if self._finished_here and self._finished_here.get(offset) == timestamp_ms:  # another record: another topic
            return True
        before = self._finished_before
        if before is None:
            return False
        if offset >= before.end:
            self._finished_before = None
            return False
        return offset in before

    def finished(self, offset: int, *, skipped: bool = False) -> bool:
        """An event needs nothing more (delivered, skipped or safe as a dead letter); True: nor does its record."""
        self._finished_count += 1
        self.skipped_count += skipped
        if self._batches and (batch := self._batches.get(offset)) is not None:
            batch.unfinished -= 1
            batch.answered += not skipped
            if batch.unfinished:
                self._more_unfinished -= 1
                return False
        del self._unfinished[offset]
        if len(self._pending) > 2 * len(self._unfinished) + PENDING_SLACK:
            # One record that fails for hours must not keep all that was finished behind it in memory.
            self._pending = deque(pending for pending in self._pending if pending[0] in self._unfinished)
        return True

    def committable(self) -> int:
        """The next offset to read for whoever owns the partition next."""
        pending, unfinished, finished = self._pending, self._unfinished, self._finished
        while pending and pending[0][0] not in unfinished:
            finished.append(pending.popleft())
        return pending[0][0] if pending else self._position

    def commit_point(self) -> CommitPoint:
        """What to commit now."""
        offset = self.committable()
        inherited = list(self._finished_before.from_on(self._position)) if self._finished_before else []
        if len(self._unfinished) == self._position - offset and not inherited:
            left_out = self._left_out_of_batches(offset, self._position)
            text = encode(offset, [], self._cluster_id, self.topic_id, self.metadata_bytes_max).text
            return CommitPoint(offset, text, self._finished_count - left_out, self._finished_count)
        runs = self._runs(offset)
        all_runs = [*runs, *_continued(self._position, inherited)]
        encoded = encode(offset, all_runs, self._cluster_id, self.topic_id, self.metadata_bytes_max)
        left_out = sum(runs[encoded.runs + 1 :: 2])
        left_out += self._left_out_of_batches(offset, offset + sum(runs[: encoded.runs]))
        recorded = max(self._finished_count - left_out, 0)
        return CommitPoint(offset, encoded.text, recorded, self._finished_count)

    def _left_out_of_batches(self, committable: int, recorded_end: int) -> int:
        """Answered events of batches of which the commit says nothing, beyond one for each finished record.

        A batch that is finished in part is read again whole. What was skipped of it does not count: nobody is sent it
        again, and a topic of batches with one event for us in each would soon wait for commits that say nothing.
        """
        batches = self._batches
        while batches and (first := next(iter(batches))) < committable:
            del batches[first]
        left_out = 0
        for offset, batch in batches.items():
            if batch.unfinished:
                left_out += batch.answered
            elif offset >= recorded_end:
                left_out += max(batch.answered - 1, 0)
        return left_out

    def committed(self, point: CommitPoint) -> None:
        """The broker acknowledged a commit."""
        assert point.offset >= self._committed.offset, f"commit of {point.offset} after {self._committed.offset}"
        self._committed = point
        while self._finished and self._finished[0][0] < point.offset:
            self._finished.popleft()

    def metadata_refused(self) -> None:
        """The broker takes less (offset.metadata.max.bytes): half of it next time, at last nothing.

        Without this, nothing could ever be committed.
        """
        half = self.metadata_bytes_max // 2
        self.metadata_bytes_max = half if half >= METADATA_BYTES_MIN else 0

    def uncommitted(self) -> dict[int, int]:
        """Offset → timestamp of what is finished and not committed; of what lies among unfinished ones, the latest."""
        self.committable()
        inherited = {o: timestamp for o, timestamp in self._finished_here.items() if o >= self._position}
        here = {o: timestamp for o, timestamp in self._pending if o not in self._unfinished}
        return inherited | dict(self._finished) | here

    def reached_end(self, end: int) -> None:
        """The log ends at `end` and all of it was fetched: what lies between is no record (transaction markers)."""
        self._position = max(self._position, end)

    def _runs(self, base: int) -> list[int]:
        """Lengths of unfinished and finished runs in turn, from `base`; never received offsets join a finished run."""
        runs: list[int] = []
        at = base
        for passed, offset in enumerate(self._unfinished):
            if runs and offset == at:
                runs[-1] += 1
            else:
                if runs:
                    runs.append(offset - at)
                if len(self._unfinished) - passed == self._position - offset:
                    return [*runs, self._position - offset, 0]  # nothing behind it is finished: most of a backlog
                runs.append(1)
            at = offset + 1
        return [*(runs or [0]), self._position - at]

    @property
    def position(self) -> int:
        """The next offset to fetch."""
        return self._position

    @property
    def committed_offset(self) -> int:
        """What the group has committed, or where it started."""
        return self._committed.offset

    @property
    def unfinished(self) -> int:
        """How many events were received and are not finished."""
        return len(self._unfinished) + self._more_unfinished

    @property
    def finished_count(self) -> int:
        """How many events were finished since the start."""
        return self._finished_count

    @property
    def recorded_count(self) -> int:
        """For how many of them an acknowledged commit accounts."""
        return self._committed.recorded

    @property
    def unrecorded(self) -> int:
        """How many finished events no acknowledged commit accounts for: a crash now would send them again."""
        return self._finished_count - self._committed.recorded

    @property
    def left_unrecorded(self) -> int:
        """How many of them the last acknowledged commit had no room for."""
        return self._committed.finished - self._committed.recorded

    @property
    def is_committed(self) -> bool:
        """Whether a commit now would say nothing new."""
        return self._committed.finished == self._finished_count and self.committable() == self._committed.offset

    def oldest_uncommitted_ms(self) -> int | None:
        """Timestamp of the oldest record in hand that is not committed; None where there is none."""
        if self._finished:
            return self._finished[0][1]
        return self._pending[0][1] if self._pending else None

    def __repr__(self) -> str:
        return (
            f"<OffsetTracker committed {self.committed_offset}, committable {self.committable()}, "
            f"position {self._position}, {self.unfinished} unfinished>"
        )


def _continued(position: int, inherited: Sequence[tuple[int, int]]) -> Iterator[int]:
    """Runs from the position on: what an earlier owner finished and this one has not come to yet.

    Or the first commit of a new owner, made for the lease, would forget it.
    """
    at = position
    for start, end in inherited:
        yield start - at
        yield end - start
        at = end
