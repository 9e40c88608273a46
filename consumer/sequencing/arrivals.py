"""How long a record has been there to be read, by our own clock. Pure.

Producers' clocks may say anything: a record "of ten days ago" may have arrived a moment ago. So we remember at which
time we saw the log end where. The number of samples is limited, so over a long time there is one every few seconds
only. What arrived between two samples counts from the first: a record may look older than it is by that distance, never
younger.
"""

from __future__ import annotations

from typing import Final, NamedTuple

SAMPLES_MAX: Final = 128
DISTANCE_SECONDS_MIN: Final = 0.25


class _Sample(NamedTuple):
    """One end of the log, or several that were seen soon after each other."""

    end: int
    first_at: float
    last_at: float


class Arrivals:
    """Where one partition's log ended, as it was seen over time."""

    def __init__(self) -> None:
        self._samples: list[_Sample] = []
        self.distance_seconds = DISTANCE_SECONDS_MIN
        """Ends that are seen within this time are one sample: at most a 32nd of the time that all samples span."""

    def seen(self, end: int, now: float) -> None:
        """The log ends here now."""
        samples = self._samples
        if samples and end <= samples[-1].end:
            return
        self._narrow(now)
        _add(samples, _Sample(end, now, now), self.distance_seconds)
        while len(self._samples) > SAMPLES_MAX:
            self.distance_seconds *= 2
            fewer: list[_Sample] = []
            for sample in self._samples:
                _add(fewer, sample, self.distance_seconds)
            self._samples = fewer

    def since(self, offset: int) -> float | None:
        """When the log was first seen to end beyond this offset; None: never. Ask with rising offsets."""
        samples = self._samples
        passed = 0
        while passed < len(samples) and samples[passed].end <= offset:
            passed += 1
        if passed:
            del samples[: passed if passed < len(samples) else passed - 1]
        return samples[0].first_at if samples and samples[0].end > offset else None

    def _narrow(self, now: float) -> None:
        """The oldest samples were passed. A shorter time is left, so it can be remembered more closely."""
        span_seconds = now - self._samples[0].first_at if self._samples else 0.0
        while self.distance_seconds > DISTANCE_SECONDS_MIN and self.distance_seconds * SAMPLES_MAX > 4 * span_seconds:
            self.distance_seconds /= 2


def _add(samples: list[_Sample], sample: _Sample, distance_seconds: float) -> None:
    """Put it behind the others, or merge it with the last."""
    if samples and sample.last_at - samples[-1].first_at < distance_seconds:
        samples[-1] = _Sample(sample.end, samples[-1].first_at, sample.last_at)
    else:
        samples.append(sample)
