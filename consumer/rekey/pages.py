"""What the process of `rekey` serves: /metrics, /livez, /readyz and /status."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, Gauge, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from consumer import __version__
from consumer.kafka.client import librdkafka_version
from consumer.ops.metrics_table import BUILD_INFO
from consumer.ops.server import Asked, Page, Reader, Route
from consumer.rekey.figures import FIGURES, Figures, not_alive, not_ready

JSON: Final = "application/json"
METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"

Mask = Callable[[str], str]


def routes(figures: Figures, about: Mapping[str, str], mask: Mask) -> Mapping[str, Route]:
    """The pages by their paths; `about`: what does not change. `mask` blots secrets out."""
    registry = _registry(figures)

    def told(reason: str | None, well: str) -> Page:
        said = {"status": well if reason is None else "not " + well, "reasons": [mask(reason)] if reason else []}
        return _json(503 if reason else 200, said)

    def status(_: Asked) -> Page:
        now = time.monotonic()
        reason = not_ready(figures, now)
        shown: dict[str, object] = {**about, "ready": reason is None, "reasons": [mask(reason)] if reason else []}
        for figure in FIGURES:
            samples = list(figure.samples(figures, now))
            if not figure.labels:
                shown[figure.name] = samples[0][1]
            else:
                shown[figure.name] = {" ".join(labels): number for labels, number in samples}
        return _json(200, shown)

    return {
        "/metrics": Route(lambda _: Page(200, METRICS, generate_latest(registry)), Reader.SCRAPER),
        "/livez": Route(lambda _: told(not_alive(figures, time.monotonic()), "alive")),
        "/readyz": Route(lambda _: told(not_ready(figures, time.monotonic()), "ready")),
        "/status": Route(status, Reader.VIEWER),
    }


def _registry(figures: Figures) -> CollectorRegistry:
    disable_created_metrics()
    registry = CollectorRegistry()
    registry.register(_Collector(figures))
    info = Gauge(BUILD_INFO.name, BUILD_INFO.help, BUILD_INFO.labels, registry=registry)
    info.labels(__version__, platform.python_version(), librdkafka_version()).set(1)
    ProcessCollector(registry=registry)
    return registry


class _Collector(Collector):
    """The table of figures.py, for one scrape."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Walk the table."""
        now = time.monotonic()
        for figure in FIGURES:
            make = GaugeMetricFamily if figure.kind == "gauge" else CounterMetricFamily
            family = make(figure.name, figure.help, labels=figure.labels)
            for labels, number in figure.samples(self._figures, now):
                family.add_metric(labels, number)
            yield family


def _json(code: int, value: object) -> Page:
    return Page(code, JSON, msgspec.json.format(msgspec.json.encode(value)) + b"\n")
