"""Whether a record that looks like Avro is garbage, when no schema registry is set. Pure.

Two things look the same. Five bytes of garbage in a topic of JSON should become a dead letter. The first record of a
topic in Avro should not, nor should those behind it: there only a setting of ours is missing.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from consumer.sequencing.dead_letter_guard import RATIO_RECORDS_MIN, RATIO_WINDOW_RECORDS

WINDOW_RECORDS: Final = RATIO_WINDOW_RECORDS
FIRST_RECORDS: Final = RATIO_RECORDS_MIN
"""So many records of a partition, as this process reads it, are too few to say what it holds."""


class FormatGuard:
    """What the last records of one partition were."""

    def __init__(self) -> None:
        self._records = 0
        self._last_json = -WINDOW_RECORDS
        self._garbage: deque[int] = deque(maxlen=WINDOW_RECORDS)
        """Which of the records were taken as garbage."""

    def note(self, *, is_json: bool, records: int = 1) -> None:
        """Count records that were accepted."""
        self._records += records
        if is_json:
            self._last_json = self._records

    def takes_as_garbage(self, ratio_max: float) -> bool:
        """Whether the next record, which needs a registry, is garbage. If so, it is counted; if not, it waits.

        Garbage stands among JSON: some of the 1,000 records before it were readable JSON, and at most this share of the
        last 1,000, itself included, look like it.
        """
        number = self._records + 1
        if number <= FIRST_RECORDS or self._last_json < number - WINDOW_RECORDS:
            return False
        while self._garbage and self._garbage[0] <= number - WINDOW_RECORDS:
            self._garbage.popleft()
        if len(self._garbage) + 1 > ratio_max * min(number, WINDOW_RECORDS):
            return False
        self._records = number
        self._garbage.append(number)
        return True
