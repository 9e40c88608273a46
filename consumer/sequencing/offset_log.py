"""Which records of one partition are in hand, and which of them are finished. Pure.

Two arrays of 64-bit numbers and a byte for each record: 17 bytes, and no object that lives as long as the record is in
hand. As dictionaries they cost a quarter of all accounting.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Final

SLACK: Final = 1024
"""So many finished records among open ones are not worth looking for."""
_OPEN_RUN: Final = re.compile(rb"\0+")
_IS_OPEN: Final = bytes([1, 0]).ljust(256, b"\0")
"""Used to count what is not finished."""


class OffsetLog:
    """Offsets in rising order. Gaps are normal: an offset that was never appended is neither open nor finished."""

    __slots__ = ("_finished", "_first_open", "_offsets", "_times", "open")

    def __init__(self) -> None:
        self.open = 0
        """How many are not finished."""
        self._offsets = array("q")
        self._times = array("q")
        self._finished = bytearray()
        """1: finished."""
        self._first_open = 0
        """An index: all records below it are finished. It only rises, except when records are let go."""

    def __len__(self) -> int:
        return len(self._finished)

    def append(self, offset: int, timestamp_ms: int) -> None:
        """One more, behind all others."""
        self._offsets.append(offset)
        self._times.append(timestamp_ms)
        self._finished.append(0)
        self.open += 1

    def extend(self, offsets: Sequence[int], timestamps_ms: Sequence[int]) -> None:
        """Some more, behind all others."""
        self._offsets.extend(offsets)
        self._times.extend(timestamps_ms)
        self._finished += bytes(len(offsets))
        self.open += len(offsets)

    def finish(self, offsets: Sequence[int]) -> None:
        """These are finished. Raises AssertionError for a record that is not open."""
        all_, finished = self._offsets, self._finished
        for offset in offsets:
            assert all_, f"offset {offset} was not received"
            # Without gaps it stands at this index; with gaps, before it.
            index = offset - all_[0]
            if not (0 <= index < len(all_) and all_[index] == offset):
                index = bisect_left(all_, offset, 0, max(min(index, len(all_)), 0))
                assert offset in all_[index : index + 1], f"offset {offset} was not received"
            assert not finished[index], f"offset {offset} was finished before"
            finished[index] = 1
        self.open -= len(offsets)
        if len(finished) > 2 * self.open + SLACK:
            self._let_go()

    def _let_go(self) -> None:
        """Forget finished records: one that fails for hours must not keep all that ended behind it in memory."""
        first = self._seek()
        if len(self._finished) - first <= 2 * self.open + SLACK:
            return
        is_open = self._finished[first:].translate(_IS_OPEN)
        self._offsets[first:] = array("q", compress(self._offsets[first:], is_open))
        self._times[first:] = array("q", compress(self._times[first:], is_open))
        self._finished[first:] = bytes(self.open)

    def _seek(self) -> int:
        found = self._finished.find(0, self._first_open)
        self._first_open = len(self._finished) if found < 0 else found
        return self._first_open

    def first_open(self) -> int | None:
        """The lowest offset that is not finished; None: all are."""
        index = self._seek()
        return self._offsets[index] if index < len(self._offsets) else None

    def drop_below(self, offset: int) -> None:
        """Let go of the records below, which are all finished."""
        index = bisect_left(self._offsets, offset, 0, self._seek())
        del self._offsets[:index], self._times[:index], self._finished[:index]
        self._first_open -= index

    def oldest_ms(self) -> int | None:
        """Timestamp of the lowest record; None: there is none."""
        return self._times[0] if self._times else None

    def finished(self) -> dict[int, int]:
        """Offset → timestamp of the finished records that are still known."""
        return dict(zip(compress(self._offsets, self._finished), compress(self._times, self._finished), strict=True))

    def runs(self, position: int) -> list[int]:
        """Lengths of open and finished runs in turn, from the first open record up to `position`.

        Gaps count as finished.

        An even number of them.
        """
        first = self._seek()
        if first == len(self._offsets):
            return [0, 0]
        runs: list[int] = []
        at = 0
        for run in _OPEN_RUN.finditer(self._finished, first):
            for start, end in self._without_gaps(*run.span()):
                if runs:
                    runs.append(start - at)
                runs.append(end - start)
                at = end
        return [*runs, position - at]

    def _without_gaps(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """The offsets at these indexes as stretches: where each begins, and the offset behind it."""
        offsets = self._offsets
        while begin < end:
            start = offsets[begin]
            # As far as offsets rise by one; nearly always that is all of it.
            length = end - begin
            while length > 1 and offsets[begin + length - 1] - start != length - 1:
                length = bisect_left(offsets, start + length, begin, begin + length) - begin
            yield start, start + length
            begin += length
