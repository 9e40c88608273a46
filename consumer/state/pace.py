"""How fast something may go that must not disturb: at most so many records a second. Pure."""

from __future__ import annotations


class Pace:
    """So many records a second, evenly: nothing is saved up while there is nothing to do."""

    def __init__(self, records_per_second: float) -> None:
        self._seconds_a_record = 1 / records_per_second
        self._free_at = 0.0

    def seconds_until_next(self, records: int, now: float) -> float:
        """How long to rest, after this many records that were taken by now."""
        self._free_at = max(self._free_at, now) + records * self._seconds_a_record
        return self._free_at - now
