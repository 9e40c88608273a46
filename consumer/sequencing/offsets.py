"""Which offset may be committed, and what is finished above it. Pure. One tracker for an assignment of a partition.

Committable is the next offset to read: below the first unfinished record. Only offsets that were received count: gaps
(compaction, transaction markers) are normal. A batch is one offset with several events, and is finished with the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from consumer.sequencing.commit_metadata import METADATA_BYTES_MAX, FinishedBefore, encode
from consumer.sequencing.offset_log import OffsetLog

METADATA_BYTES_MIN: Final = 40
"""With less room than this, a topic's id would fit at most, so nothing is written."""


class CommitPoint(NamedTuple):
    """What is committed: the next offset to read, and the metadata that says what is finished above it."""

    offset: int
    metadata: str
    recorded: int
    """How many finished events since the start the offset and the metadata account for."""
    finished: int
    """How many events were finished; more than `recorded` if the metadata had no room for all."""


class _Batch:
    """How many events a record with several has."""

    __slots__ = ("answered", "unfinished")

    def __init__(self, events: int) -> None:
        self.unfinished = events
        self.answered = 0
        """Finished and not skipped: a crash would send these again."""


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
        self._finished_here_end = 0
        self._cluster_id = cluster_id
        self.topic_id = topic_id
        """The id of the topic that these offsets belong to; None: the cluster gives topics no ids."""
        self.metadata_bytes_max = METADATA_BYTES_MAX
        self._log = OffsetLog()
        """The records in hand: all that are not committed."""
        self._finished_count = 0
        self.skipped_count = 0
        """How many of the finished events needed nothing to be done."""
        self._batches: dict[int, _Batch] = {}
        """The batches at or above the committable offset, in the order of the log.

        An ordinary record costs nothing here.
        """
        self._more_unfinished = 0
        """Unfinished events of batches, without the first of each: that one stands in `_log`."""

    def received(self, offset: int, timestamp_ms: int, events: int = 1) -> None:
        """A record was fetched, with so many events. Within an assignment offsets only rise."""
        assert offset >= self._position, f"offset {offset} after position {self._position}"
        self._position = offset + 1
        self._log.append(offset, timestamp_ms)
        if events > 1:
            self._batches[offset] = _Batch(events)
            self._more_unfinished += events - 1

    def received_all(self, offsets: Sequence[int], timestamps_ms: Sequence[int]) -> None:
        """Records of one event each were fetched; at least one."""
        assert offsets[0] >= self._position, f"offset {offsets[0]} after position {self._position}"
        assert offsets[-1] - offsets[0] >= len(offsets) - 1, "offsets rise"
        self._position = offsets[-1] + 1
        self._log.extend(offsets, timestamps_ms)

    def finished_here(self, earlier: Mapping[int, int]) -> None:
        """An earlier assignment to this process finished these (its `uncommitted`), whatever became of its commits."""
        self._finished_here = earlier
        self._finished_here_end = max(earlier, default=-1) + 1

    @property
    def is_all_new(self) -> bool:
        """Whether nobody has finished anything of what is still to come."""
        return self._finished_before is None and not self._finished_here

    def finished_before(self, offset: int, timestamp_ms: int) -> bool:
        """Whether an earlier owner finished this record. Ask in the order of the log, before `received`."""
        if self._finished_here:
            if offset >= self._finished_here_end:
                self._finished_here = {}
            elif self._finished_here.get(offset) == timestamp_ms:  # another time: a record of another topic
                return True
        before = self._finished_before
        if before is None:
            return False
        if offset >= before.end:
            self._finished_before = None
            return False
        return offset in before

    def finished(self, offset: int, *, skipped: bool = False) -> bool:
        """An event needs nothing more: delivered, skipped, or safe as a dead letter. True: so does its whole record."""
        self._finished_count += 1
        self.skipped_count += skipped
        if self._batches and (batch := self._batches.get(offset)) is not None:
            batch.unfinished -= 1
            batch.answered += not skipped
            if batch.unfinished:
                self._more_unfinished -= 1
                return False
        self._log.finish((offset,))
        return True

    @property
    def has_batches(self) -> bool:
        """Whether a record in hand has several events."""
        return bool(self._batches)

    def finished_all(self, offsets: Sequence[int]) -> None:
        """Events need nothing more. Each was the only one of its record, and was sent, not skipped."""
        self._finished_count += len(offsets)
        self._log.finish(offsets)

    def committable(self) -> int:
        """The next offset to read for whoever owns the partition next."""
        first_open = self._log.first_open()
        return self._position if first_open is None else first_open

    def commit_point(self) -> CommitPoint:
        """What to commit now."""
        offset = self.committable()
        inherited = list(self._finished_before.from_on(self._position)) if self._finished_before else []
        if self._log.open == self._position - offset and not inherited:
            left_out = self._left_out_of_batches(offset, self._position)
            text = encode(offset, [], self._cluster_id, self.topic_id, self.metadata_bytes_max).text
            return CommitPoint(offset, text, self._finished_count - left_out, self._finished_count)
        runs = self._log.runs(self._position)
        all_runs = [*runs, *_continued(self._position, inherited)]
        encoded = encode(offset, all_runs, self._cluster_id, self.topic_id, self.metadata_bytes_max)
        left_out = sum(runs[encoded.runs + 1 :: 2])
        left_out += self._left_out_of_batches(offset, offset + sum(runs[: encoded.runs]))
        recorded = max(self._finished_count - left_out, 0)
        return CommitPoint(offset, encoded.text, recorded, self._finished_count)

    def _left_out_of_batches(self, committable: int, recorded_end: int) -> int:
        """Answered events of batches about which the commit says nothing, beyond one for each finished record.

        A batch that is finished in part is read again whole. Its skipped events do not count: they are sent to nobody,
        and otherwise a topic of batches with one event for us in each would soon wait for commits that say nothing.
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
        self._log.drop_below(point.offset)

    def metadata_refused(self) -> None:
        """The broker takes less metadata (offset.metadata.max.bytes): try half of it next time, at last none.

        Otherwise nothing could ever be committed.
        """
        half = self.metadata_bytes_max // 2
        self.metadata_bytes_max = half if half >= METADATA_BYTES_MIN else 0

    def uncommitted(self) -> dict[int, int]:
        """Offset → timestamp of what is finished and not committed, as far as it is still known."""
        inherited = {o: timestamp for o, timestamp in self._finished_here.items() if o >= self._position}
        return inherited | self._log.finished()

    def reached_end(self, end: int) -> None:
        """The log ends at `end`, and all below was fetched: what is missing is no record (transaction markers)."""
        self._position = max(self._position, end)

    @property
    def inherited_end(self) -> int:
        """The offset behind everything that earlier owners have finished of what is still to come."""
        return max(self._position, self._finished_before.end if self._finished_before else 0)

    @property
    def position(self) -> int:
        """The next offset to fetch."""
        return self._position

    @property
    def committed_offset(self) -> int:
        """What the group has committed, or where this assignment started."""
        return self._committed.offset

    @property
    def unfinished(self) -> int:
        """How many events were received and are not finished."""
        return self._log.open + self._more_unfinished

    @property
    def finished_count(self) -> int:
        """How many events were finished since the start."""
        return self._finished_count

    @property
    def recorded_count(self) -> int:
        """How many of them an acknowledged commit accounts for."""
        return self._committed.recorded

    @property
    def unrecorded(self) -> int:
        """How many finished events no acknowledged commit accounts for: a crash now would send them again."""
        return self._finished_count - self._committed.recorded

    @property
    def left_unrecorded(self) -> int:
        """For how many of them the last acknowledged commit had no room."""
        return self._committed.finished - self._committed.recorded

    @property
    def is_committed(self) -> bool:
        """Whether a commit now would say nothing new."""
        return self._committed.finished == self._finished_count and self.committable() == self._committed.offset

    def oldest_uncommitted_ms(self) -> int | None:
        """Timestamp of the oldest record in hand that is not committed; None: there is none."""
        return self._log.oldest_ms()

    def __repr__(self) -> str:
        return (
            f"<OffsetTracker committed {self.committed_offset}, committable {self.committable()}, "
            f"position {self._position}, {self.unfinished} unfinished>"
        )


def _continued(position: int, inherited: Sequence[tuple[int, int]]) -> Iterator[int]:
    """Runs from the position on that an earlier owner finished and this one has not reached yet.

    Without them, the first commit of a new owner, made for the lease, would forget them.
    """
    at = position
    for start, end in inherited:
        yield start - at
        yield end - start
        at = end
