"""Decides which partitions the client pauses, and how many records it may hand over."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from consumer.sequencing.buffer import BUFFER_FULL
from consumer.sequencing.events import Partition

RESUME_SHARE: Final = 1 - BUFFER_FULL
FETCH_RECORDS_MIN: Final = 500
"""Fewer are not fetched, unless the buffer is small."""
STALL_RECORDS_MAX: Final = 100
STALL_BYTES_MAX: Final = 1_048_576
STALL_SECONDS_BEFORE_PAUSE: Final = 1.0
"""A pause throws away what the client has prefetched (librdkafka), so a short stall is waited out instead."""


class Change(NamedTuple):
    """What to tell the client."""

    pause: set[Partition]
    resume: set[Partition]


class BackPressure:
    """Knows what is paused. A full buffer pauses everything; a partition that rests is paused alone. Pure."""

    def __init__(self, buffer_events_max: int) -> None:
        self.held_back = False
        """All partitions are paused, because the buffer has been full for a while."""
        self._buffer_events_max = buffer_events_max
        self._stalled_since: float | None = None
        self._paused: set[Partition] = set()

    def room(self, records: int, size_bytes: int) -> int:
        """How many more records the loop takes. 0 rather than a handful, so that a batch is worth its cost."""
        if size_bytes <= 0:
            return 0
        return records if records >= min(FETCH_RECORDS_MIN, self._buffer_events_max // 4) else 0

    def may_poll_for_an_answer(self, records: int, size_bytes: int) -> bool:
        """Whether to poll the client without room, because the loop waits for what only polling brings.

        A poll may bring a record, too. At most STALL_RECORDS_MAX records and STALL_BYTES_MAX bytes go beyond the limit
        so.
        """
        records_max = max(min(self._buffer_events_max // 4, STALL_RECORDS_MAX), 1)
        return records > -records_max and size_bytes > -STALL_BYTES_MAX

    def change(self, room: int, assigned: Collection[Partition], resting: AbstractSet[Partition], now: float) -> Change:
        """What to pause and to resume now; it counts as done. `now`: monotonic seconds."""
        if room <= 0:
            self._stalled_since = self._stalled_since or now
            self.held_back = self.held_back or now - self._stalled_since >= STALL_SECONDS_BEFORE_PAUSE
        elif not self.held_back or room >= RESUME_SHARE * self._buffer_events_max:
            self._stalled_since = None
            self.held_back = False
        wanted = set(assigned) if self.held_back else set(resting)
        change = Change(wanted - self._paused, self._paused - wanted)
        self._paused = wanted
        return change

    def added(self, partitions: Collection[Partition]) -> None:
        """These partitions were assigned, and are paused."""
        self._paused |= set(partitions)

    def gone(self, partitions: Collection[Partition]) -> None:
        """These partitions are no longer assigned."""
        self._paused -= set(partitions)
