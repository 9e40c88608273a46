"""Since when a record has been there to be read, by our own clock. Pure.

Producers' clocks say anything: a record of ten days ago may have arrived a moment ago. So the ends of the log that
were seen are remembered with the time; a bounded number of them, the older ones the coarser.
"""

from __future__ import annotations

from typing import Final

SAMPLES_MAX: Final = 128


class Arrivals:
    """The ends of one partition's log, as they were seen."""

    def __init__(self) -> None:
        self._samples: list[tuple[int, float]] = []
        """(end, when it was first seen), both rising."""

    def seen(self, end: int, now: float) -> None:
        """The log ends here now."""
        if self._samples and end <= self._samples[-1][0]:
            return
        self._samples.append((end, now))
        if len(self._samples) > SAMPLES_MAX:
            # Of each two of the older half the later goes: what was there is not made younger.
            half = SAMPLES_MAX // 2
            self._samples = self._samples[:half:2] + self._samples[half:]

    def since(self, offset: int) -> float | None:
        """When the log was first seen to end beyond this offset; None: it never was. Asked with rising offsets."""
        samples = self._samples
        passed = 0
        while passed < len(samples) and samples[passed][0] <= offset:
            passed += 1
        if passed:
            del samples[: passed if passed < len(samples) else passed - 1]
        return samples[0][1] if samples and samples[0][0] > offset else None
