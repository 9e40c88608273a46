"""Every metric, declared once.

Label values are closed sets and start at 0, so that `rate()` works from the first error on.

What must agree with each other at every scrape (consumed = finished + unfinished, lag) is read from one snapshot; the
rest are ordinary counters of the edges.
"""

from __future__ import annotations

import platform
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from consumer import __version__
from consumer.customfit.answers import RESULTS, Result
from consumer.kafka.client import librdkafka_version
from consumer.ops.snapshot import Snapshot
from consumer.sequencing.events import Event
from consumer.sequencing.gate import State

ERRORS: Final[dict[str, tuple[str, ...]]] = {
    "decode": ("undecodable", "invalid_event", "too_large", "registry"),
    "deliver": ("refused", "gave_up", "unavailable", "misdirected"),
    "dead_letter": ("value_omitted", "not_written", "ratio"),
    "state": ("not_written", "not_stored", "not_read", "not_grown", "set_aside", "unknown_record"),
    "commit": ("failed", "metadata"),
    "kafka": ("client", "partition", "denied"),
}
REBALANCES: Final = ("assigned", "revoked", "lost")
REQUEST_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LATENCY_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600)


class Metrics:
    """The registry of one process."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        disable_created_metrics()
        self.registry = CollectorRegistry()
        self._requests = _counter(self.registry, "customfit_requests", "Requests to the destination", result=RESULTS)
        self._request_seconds = _Durations(
            "customfit_request_duration_seconds", "One request, from sending it to its answer", REQUEST_BUCKETS
        )
        self._latency_seconds = _Durations(
            "customfit_delivery_latency_seconds", "From an event's record timestamp to its 2xx", LATENCY_BUCKETS
        )
        self.registry.register(self._request_seconds)
        self.registry.register(self._latency_seconds)
        self._errors = Counter("customfit_errors", "Errors", ["stage", "kind"], registry=self.registry)
        for stage, kinds in ERRORS.items():
            for kind in kinds:
                self._errors.labels(stage, kind)
        self._rebalances = _counter(self.registry, "customfit_rebalances", "Rebalance callbacks", event=REBALANCES)
        self._commits = _counter(self.registry, "customfit_commits", "Offset commits", result=("ok", "error"))
        Gauge(
            "customfit_build_info",
            "1; the versions are in the labels",
            ["version", "python", "librdkafka"],
            registry=self.registry,
        ).labels(__version__, platform.python_version(), librdkafka_version()).set(1)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.registry.register(_SnapshotCollector(snapshot))

    def responded(self, result: Result, seconds: float) -> None:
        """A request ended."""
        self._requests[result].inc()
        self._request_seconds.observe(seconds)

    def delivered(self, events: Iterable[Event], wall_seconds: float) -> None:
        """Events were accepted."""
        observe = self._latency_seconds.observe
        for event in events:
            observe(max(wall_seconds - event.record.timestamp_ms / 1000, 0.0))

    def error(self, stage: str, kind: str) -> None:
        """Something went wrong; stage and kind are in ERRORS."""
        assert kind in ERRORS[stage], (stage, kind)
        self._errors.labels(stage, kind).inc()

    def rebalanced(self, event: str) -> None:
        """Partitions came or went."""
        self._rebalances[event].inc()

    def committed(self, *, ok: bool) -> None:
        """A commit was answered."""
        self._commits["ok" if ok else "error"].inc()

    def page(self, accept: str) -> tuple[str, bytes]:
        """Content type and text of /metrics in the format the scraper accepts."""
        encoder, content_type = choose_encoder(accept)
        return content_type, encoder(self.registry)

    def text(self) -> str:
        """All of it in the plain format."""
        return generate_latest(self.registry).decode()


def _counter(registry: CollectorRegistry, name: str, text: str, **label: tuple[str, ...]) -> dict[str, Counter]:
    """A counter with one label; its children by value, made now so that each starts at 0."""
    ((label_name, values),) = label.items()
    counter = Counter(name, text, [label_name], registry=registry)
    return {value: counter.labels(value) for value in values}


class _Durations(Collector):
    """A histogram that is observed for every event by one thread: a fifth of the cost of the library's, which locks."""

    def __init__(self, name: str, text: str, bounds: tuple[float, ...]) -> None:
        self._name = name
        self._text = text
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterator[Metric]:
        """Give the cumulative buckets that Prometheus wants."""
        counts = list(accumulate(list(self._counts)))
        buckets = zip([*(str(float(bound)) for bound in self._bounds), "+Inf"], map(float, counts), strict=True)
        yield HistogramMetricFamily(self._name, self._text, buckets=list(buckets), sum_value=self._sum)


class _SnapshotCollector(Collector):
    """What is in the snapshot. Partitions that are no longer ours vanish with the next scrape."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        snapshot = self._snapshot()
        yield from _partitions(snapshot, time.time())
        yield from _events(snapshot)
        yield from _destination(snapshot)


def _partitions(snapshot: Snapshot, wall_seconds: float) -> Iterator[Metric]:
    lag_events = GaugeMetricFamily(
        "customfit_lag_events", "End offset minus committed offset", labels=["topic", "partition"]
    )
    lag_seconds = GaugeMetricFamily(
        "customfit_lag_seconds", "Age of the oldest record not yet committed", labels=["topic", "partition"]
    )
    restoring = GaugeMetricFamily(
        "customfit_restore_remaining_records", "State records still to be read", labels=["topic", "partition"]
    )
    users: dict[int, int] = {}
    for view in snapshot.partitions:
        labels = [view.partition.topic, str(view.partition.number)]
        if (events := view.lag_events) is not None:
            lag_events.add_metric(labels, events)
        if (seconds := view.lag_seconds(wall_seconds)) is not None:
            lag_seconds.add_metric(labels, seconds)
        if not view.restoring or view.restore_remaining is not None:
            restoring.add_metric(labels, view.restore_remaining or 0)
        users[view.partition.number] = users.get(view.partition.number, 0) + view.identified_users
    identified = GaugeMetricFamily("customfit_identified_users", "Users stored as identified", labels=["partition"])
    for number, count in users.items():
        identified.add_metric([str(number)], count)
    yield from (lag_events, lag_seconds, restoring, identified)


def _events(snapshot: Snapshot) -> Iterator[Metric]:
    consumed = CounterMetricFamily("customfit_events_consumed", "Events fetched", labels=["type"])
    for type_, count in snapshot.consumed.items():
        consumed.add_metric([type_], count)
    finished = CounterMetricFamily(
        "customfit_events_finished", "Events by how they ended", labels=["outcome", "reason"]
    )
    for (end, reason), count in snapshot.finished.items():
        finished.add_metric([end.value, "ok" if reason is None else reason.value], count)
    yield from (consumed, finished)
    yield GaugeMetricFamily("customfit_events_unfinished", "Events fetched and not finished", snapshot.unfinished)
    yield CounterMetricFamily(
        "customfit_introductions", "Identifies made by the consumer itself", snapshot.introductions
    )
    yield CounterMetricFamily("customfit_hold_cut_short", "Holds ended early", snapshot.holds_cut_short)
    yield GaugeMetricFamily("customfit_held_events", "Events that wait for their user's identify", snapshot.held_events)
    yield GaugeMetricFamily("customfit_held_users", "Users whose identify is waited for", snapshot.held_users)


def _destination(snapshot: Snapshot) -> Iterator[Metric]:
    yield GaugeMetricFamily("customfit_requests_in_flight", "Requests being answered", snapshot.in_flight)
    yield GaugeMetricFamily(
        "customfit_requests_in_flight_limit",
        "Requests that may be, as the destination has it",
        snapshot.in_flight_limit,
    )
    state = snapshot.destination_state
    up = state in (State.DELIVERING, State.THROTTLED)
    yield GaugeMetricFamily("customfit_destination_up", "1 delivering, 0 stopped or unavailable", int(up))
    states = GaugeMetricFamily("customfit_destination_state", "1 for the present state", labels=["state"])
    for known in State:
        states.add_metric([known.value], int(known is state))
    yield states
