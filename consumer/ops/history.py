"""The last 15 minutes of a few figures, one value a second, so that a page opened late shows how it began. Pure.

The arrays take 8 bytes a value: 65 KB for all of it, full or empty.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Final

from consumer.ops.wall_time import iso

STEP_SECONDS: Final = 1
VALUES_MAX: Final = 900
SERIES: Final = (
    "delivered_per_second",
    "latency_p50_seconds",
    "latency_p99_seconds",
    "lag_events",
    "lag_seconds",
    "dead_letters_per_second",
    "retries_per_second",
    "requests_in_flight",
    "held_events",
)
_UNKNOWN: Final = float("nan")

Values = Mapping[str, float | None]
"""By name of the series."""


class History:
    """A ring of the newest values of each series. One thread at a time may use it."""

    def __init__(self) -> None:
        self._series = {name: array("d", [_UNKNOWN]) * VALUES_MAX for name in SERIES}
        self._next = 0
        self._length = 0
        self._ends_at = 0.0

    def note(self, values: Values, wall_seconds: float, missed: int = 0) -> None:
        """Note the values of this second. `missed`: how many seconds before it nothing is known of."""
        for _ in range(min(missed, VALUES_MAX)):
            self._push({})
        self._push(values)
        self._ends_at = wall_seconds

    def newest(self) -> dict[str, float | None]:
        """The last value of each series."""
        return {name: _known(ring[self._next - 1]) for name, ring in self._series.items()}

    def as_json(self) -> dict[str, Any]:
        """All of it, the oldest value first."""
        begin = self._next - self._length
        series = {name: [_known(ring[i]) for i in range(begin, self._next)] for name, ring in self._series.items()}
        seconds = VALUES_MAX * STEP_SECONDS
        return {"step_seconds": STEP_SECONDS, "ends_at": iso(self._ends_at), "seconds": seconds, "series": series}

    def _push(self, values: Values) -> None:
        for name, ring in self._series.items():
            value = values.get(name)
            ring[self._next] = _UNKNOWN if value is None else value
        self._next = (self._next + 1) % VALUES_MAX
        self._length = min(self._length + 1, VALUES_MAX)


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """The value below which this share of all counted values lies. Between two bounds they count as evenly spread.

    `counts`: one for each bucket, and one above the last bound, which counts as the last bound.
    """
    wanted = share * sum(counts)
    if not wanted:
        return None
    below = 0
    for number, count in enumerate(counts[:-1]):
        if below + count >= wanted:
            low = bounds[number - 1] if number else 0.0
            return low + (bounds[number] - low) * (wanted - below) / count
        below += count
    return bounds[-1]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
