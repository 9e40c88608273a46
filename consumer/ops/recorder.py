"""Notes once a second what /history shows, in a thread of its own, which goes on when the loop hangs.

It costs nothing for an event: all figures come from the snapshot, and from what is counted anyway. The same thread sees
whether the loop hangs, and logs it (hangs.py).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from consumer.log_codes import Code, fields
from consumer.ops.hangs import Hangs
from consumer.ops.history import STEP_SECONDS, History, Values, quantile
from consumer.ops.metrics import Metrics
from consumer.ops.metrics_table import LATENCY_SECONDS
from consumer.ops.snapshot import Snapshot
from consumer.sequencing.accounting import End

log = logging.getLogger("consumer")


class _Totals(NamedTuple):
    """Totals that only grow, as of one second."""

    delivered: int = 0
    dead_letters: int = 0
    failed_requests: int = 0
    latencies: tuple[int, ...] = (0,) * (len(LATENCY_SECONDS.bounds) + 1)


class Recorder:
    """Owns the history."""

    def __init__(self, snapshot: Callable[[], Snapshot], metrics: Metrics) -> None:
        self._snapshot = snapshot
        self._metrics = metrics
        self._history = History()
        self._lock = threading.Lock()
        self._noted_at = time.monotonic()
        self._totals = _Totals()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)

    def start(self) -> None:
        """Start the thread; called in the loop's thread."""
        self._noted_at = time.monotonic()
        self._hangs = Hangs(threading.get_ident())
        self._thread.start()

    def stop(self) -> None:
        """End the thread, without waiting for it."""
        self._stop.set()

    def as_json(self) -> dict[str, Any]:
        """All that is remembered."""
        with self._lock:
            return self._history.as_json()

    def newest(self) -> dict[str, float | None]:
        """The last value of each series."""
        with self._lock:
            return self._history.newest()

    def note(self, monotonic_seconds: float, wall_seconds: float) -> None:
        """Note this second. Seconds that were left out, as while the process was stopped, stay unknown."""
        seconds = max(monotonic_seconds - self._noted_at, 0.001)
        totals = self._totals_now()
        values = self._values(totals, seconds, wall_seconds)
        missed = max(round(seconds / STEP_SECONDS) - 1, 0)
        self._totals, self._noted_at = totals, monotonic_seconds
        with self._lock:
            self._history.note(values, wall_seconds, missed)

    def _run(self) -> None:
        due = time.monotonic() + STEP_SECONDS
        while not self._stop.wait(max(due - time.monotonic(), 0.0)):
            now = time.monotonic()
            due = max(due + STEP_SECONDS, now)  # no faster, to catch up
            try:
                self.note(now, time.time())
                self._hangs.look(self._snapshot(), now)
            except Exception as error:  # whatever went wrong, events are delivered without it
                log.error("the history failed: %r", error, exc_info=error, extra=fields(Code.PAGE_FAILED))
                return

    def _totals_now(self) -> _Totals:
        snapshot = self._snapshot()
        ends = {end: sum(n for (one, _), n in snapshot.finished.items() if one is end) for end in End}
        return _Totals(
            ends[End.DELIVERED],
            ends[End.DEAD_LETTERED],
            self._metrics.failed_requests(),
            self._metrics.latencies(),
        )

    def _values(self, totals: _Totals, seconds: float, wall_seconds: float) -> Values:
        before, snapshot = self._totals, self._snapshot()
        counts = [now - then for now, then in zip(totals.latencies, before.latencies, strict=True)]
        lags = [view.lag_events for view in snapshot.partitions]
        ages = [view.lag_seconds(wall_seconds) for view in snapshot.partitions]
        known_lags, known_ages = [n for n in lags if n is not None], [age for age in ages if age is not None]
        return {
            "delivered_per_second": (totals.delivered - before.delivered) / seconds,
            "latency_p50_seconds": quantile(LATENCY_SECONDS.bounds, counts, 0.5),
            "latency_p99_seconds": quantile(LATENCY_SECONDS.bounds, counts, 0.99),
            "lag_events": sum(known_lags) if known_lags else None,
            "lag_seconds": max(known_ages, default=None),
            "dead_letters_per_second": (totals.dead_letters - before.dead_letters) / seconds,
            "retries_per_second": (totals.failed_requests - before.failed_requests) / seconds,
            "requests_in_flight": snapshot.in_flight,
            "held_events": snapshot.held_events,
        }
