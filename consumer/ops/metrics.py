"""The metrics of one process, as metrics_table.py declares them: counted here, or read from the snapshot."""

from __future__ import annotations

import platform
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from consumer import __version__
from consumer.customfit.answers import Result
from consumer.kafka.client import librdkafka_version
from consumer.ops.exposition import exposition
from consumer.ops.metric_kinds import Counted, Durations, FromSnapshot, Now
from consumer.ops.metrics_table import (
    BUILD_INFO,
    COUNTERS,
    ERRORS,
    FROM_SNAPSHOT,
    HISTOGRAMS,
    LATENCY_SECONDS,
    REQUEST_SECONDS,
    REQUESTS,
)
from consumer.ops.snapshot import Snapshot

RENAMING: Final = ("escaping=dots", "escaping=values")
"""What a scraper may ask for, by which our names would be others."""


class Metrics:
    """The registry of one process."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        disable_created_metrics()
        self.registry = CollectorRegistry()
        """All of them."""
        self._snapshot = snapshot
        self._others = CollectorRegistry()
        """Those that are not read from the snapshot."""
        self.registry.register(_SnapshotCollector(snapshot))
        self._counters = {metric.name: _Counter(metric) for metric in COUNTERS}
        self._histograms = {metric.name: _Histogram(metric) for metric in HISTOGRAMS}
        info = Gauge(BUILD_INFO.name, BUILD_INFO.help, BUILD_INFO.labels, registry=None)
        info.labels(__version__, platform.python_version(), librdkafka_version()).set(1)
        for registry in (self.registry, self._others):
            for collector in (*self._counters.values(), *self._histograms.values(), info):
                registry.register(collector)
            ProcessCollector(registry=registry)
            GCCollector(registry=registry)

    def count(self, metric: Counted, *values: str, times: int = 1) -> None:
        """Count one or more, with these label values."""
        self._counters[metric.name].count(values, times)

    def error(self, stage: str, kind: str) -> None:
        """Something went wrong; stage and kind are in ERROR_KINDS."""
        self.count(ERRORS, stage, kind)

    def responded(self, result: Result, seconds: Sequence[float]) -> None:
        """Requests ended; how long each took."""
        self.count(REQUESTS, result, times=len(seconds))
        self._histograms[REQUEST_SECONDS.name].observe(seconds)

    def delivered(self, timestamps_ms: Sequence[int], wall_seconds: float) -> None:
        """Events were accepted; the times of their records."""
        self._histograms[LATENCY_SECONDS.name].observe([max(wall_seconds - ms / 1000, 0.0) for ms in timestamps_ms])

    def failed_requests(self) -> int:
        """How many requests were not accepted."""
        return self._counters[REQUESTS.name].sum_without(("2xx",))

    def latencies(self) -> tuple[int, ...]:
        """How many events took how long, in the buckets of LATENCY_SECONDS."""
        return self._histograms[LATENCY_SECONDS.name].counts()

    def page(self, accept: str) -> tuple[str, bytes]:
        """Content type and text of /metrics in the format the scraper accepts."""
        try:
            encoder, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # no valid version (prometheus-client 0.23): then text, as without it
            encoder, content_type = choose_encoder("")
        if any(renaming in content_type for renaming in RENAMING):
            return content_type, encoder(self.registry)
        now = Now(time.time(), time.monotonic())
        return content_type, exposition(FROM_SNAPSHOT, self._snapshot(), now, content_type) + encoder(self._others)

    def text(self) -> str:
        """All of it in the plain format."""
        return generate_latest(self.registry).decode()


class _Counter(Collector):
    """A counter of one thread, with all series from the start. The library's takes a lock for each request."""

    def __init__(self, metric: Counted) -> None:
        self._metric = metric
        self._counts = dict.fromkeys(metric.values, 0)

    def count(self, values: tuple[str, ...], times: int) -> None:
        """Count up."""
        assert values in self._counts, (self._metric.name, values)
        self._counts[values] += times

    def sum_without(self, left_out: tuple[str, ...]) -> int:
        """The sum of all counts, except those with these values."""
        return sum(count for values, count in list(self._counts.items()) if values != left_out)

    def collect(self) -> Iterator[Metric]:
        """The counts, for the library."""
        family = CounterMetricFamily(self._metric.name, self._metric.help, labels=self._metric.labels)
        for values, count in list(self._counts.items()):
            family.add_metric(values, count)
        yield family


class _Histogram(Collector):
    """A histogram that one thread fills for every event, at a fifth of the cost of the library's, which locks."""

    def __init__(self, metric: Durations) -> None:
        self._metric = metric
        self._bounds = metric.bounds
        self._counts = [0] * (len(metric.bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: Sequence[float]) -> None:
        """Count some values."""
        counts, bounds = self._counts, self._bounds
        for one in seconds:
            counts[bisect_left(bounds, one)] += 1
        self._sum += sum(seconds)

    def counts(self) -> tuple[int, ...]:
        """The count of each bucket by itself, and of what lies above the last bound."""
        return tuple(self._counts)

    def collect(self) -> Iterator[Metric]:
        """The cumulative buckets that Prometheus wants."""
        counts = list(accumulate(list(self._counts)))
        buckets = zip([*(str(float(bound)) for bound in self._bounds), "+Inf"], map(float, counts), strict=True)
        yield HistogramMetricFamily(self._metric.name, self._metric.help, buckets=list(buckets), sum_value=self._sum)


class _SnapshotCollector(Collector):
    """Metrics from the snapshot.

    Its partitions are those that are ours, or were when Kafka or their topic went away.
    """

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """Walk the table, with one snapshot and one time for all rows."""
        snapshot, now = self._snapshot(), Now(time.time(), time.monotonic())
        for metric in FROM_SNAPSHOT:
            family = _family(metric)
            for values, number in metric.read(snapshot, now):
                family.add_metric(values, number)
            yield family

    def describe(self) -> Iterator[Metric]:
        """Only the names: at registration there may be no snapshot yet."""
        return map(_family, FROM_SNAPSHOT)


def _family(metric: FromSnapshot) -> GaugeMetricFamily | CounterMetricFamily:
    make = GaugeMetricFamily if metric.kind == "gauge" else CounterMetricFamily
    return make(metric.name, metric.help, labels=metric.labels)
