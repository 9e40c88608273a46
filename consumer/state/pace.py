"""Keeps background work to a number of records a second. Pure."""

from __future__ import annotations


class Pace:
    """An even pace: time in which there was nothing to do is not saved up."""

    def __init__(self, records_per_second: float) -> None:
        self._seconds_a_record = 1 / records_per_second
        self._free_at = 0.0

    def seconds_until_next(self, records: int, now: float) -> float:
        """How many seconds to rest after taking this many records. `now`: monotonic seconds."""
        self._free_at = max(self._free_at, now) + records * self._seconds_a_record
        return self._free_at - now
