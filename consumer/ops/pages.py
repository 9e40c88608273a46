"""What the HTTP server shows: each page is made from the snapshot when it is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from consumer.ops.health import Health, liveness, readiness
from consumer.ops.metrics import Metrics
from consumer.ops.overview import Overview
from consumer.ops.server import Asked, Page, Reader, Route
from consumer.ops.snapshot import Snapshot
from consumer.ops.web_files import web_files

JSON: Final = "application/json"
LINKS: Final = ("/metrics", "/livez", "/readyz", "/status", "/history")


def routes(
    snapshot: Callable[[], Snapshot], polled_at: Callable[[], float], metrics: Metrics, overview: Overview
) -> Mapping[str, Route]:
    """The pages by their paths; `polled_at`: when the Kafka thread polled last, in monotonic seconds."""

    def metrics_page(asked: Asked) -> Page:
        content_type, body = metrics.page(asked.accept)
        return Page(200, content_type, body)

    def live(_: Asked) -> Page:
        health = liveness(snapshot(), polled_at(), time.monotonic())
        return _json(200 if health.ok else 503, _told(health))

    def ready(_: Asked) -> Page:
        health = readiness(snapshot())
        return _json(200 if health.ok else 503, overview.masker.value(_told(health)))

    def show(asked: Asked) -> Page:
        look = "members" in asked.query.split("&")
        return _json(200, overview.of(snapshot(), time.time(), time.monotonic(), look=look))

    def history(_: Asked) -> Page:
        return Page(200, JSON, msgspec.json.encode(overview.recorder.as_json()))  # 8,000 numbers: not one a line

    return {
        "/metrics": Route(metrics_page, Reader.SCRAPER),
        "/livez": Route(live, Reader.PROBE),
        "/readyz": Route(ready, Reader.PROBE),
        "/status": Route(show, Reader.VIEWER),
        "/history": Route(history, Reader.VIEWER),
        **{path: Route(file, Reader.VIEWER) for path, file in web_files().items()},
    }


def _told(health: Health) -> dict[str, object]:
    return {"status": health.status, "reasons": health.reasons}


def _json(code: int, value: object) -> Page:
    return Page(code, JSON, msgspec.json.format(msgspec.json.encode(value)) + b"\n")
