"""What the HTTP server shows. Each page is made from the snapshot when it is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from consumer.ops.health import Health, liveness, readiness_now
from consumer.ops.metrics import Metrics
from consumer.ops.overview import Overview
from consumer.ops.page_pace import Paced
from consumer.ops.server import Asked, Page, Reader, Route
from consumer.ops.snapshot import Snapshot
from consumer.ops.web_files import web_files

JSON: Final = "application/json"
SHARED_SECONDS: Final = 1.0
"""So old may be what the page shows, or older where it costs much: see paced.py."""
LINKS: Final = ("/metrics", "/livez", "/readyz", "/status", "/history")


def routes(
    snapshot: Callable[[], Snapshot], polled_at: Callable[[], float], metrics: Metrics, overview: Overview
) -> Mapping[str, Route]:
    """The pages by path. `polled_at`: when the Kafka thread last polled, in monotonic seconds."""

    def metrics_page(accept: str) -> Page:
        content_type, body = metrics.page(accept)
        return Page(200, content_type, body)

    def live(_: Asked) -> Page:
        health = liveness(snapshot(), polled_at(), time.monotonic())
        return _json(200 if health.ok else 503, _told(health))

    def ready(_: Asked) -> Page:
        health = readiness_now(snapshot(), time.monotonic())
        return _json(200 if health.ok else 503, overview.masker.value(_told(health)))

    def status(*, look: bool) -> bytes:
        return msgspec.json.encode(overview.of(snapshot(), time.time(), time.monotonic(), look=look))

    def show(asked: Asked) -> Page:
        return (watched_status if "members" in asked.query.split("&") else paced_status).page()

    paced_status = Paced(lambda _: Page(200, JSON, _one_a_line(status(look=False))))
    # For programs: not laid out for people.
    watched_status = Paced(lambda _: Page(200, JSON, status(look=True)), SHARED_SECONDS)
    paced_history = Paced(lambda _: Page(200, JSON, msgspec.json.encode(overview.recorder.as_json())))
    paced_metrics = Paced(metrics_page)

    return {
        "/metrics": Route(lambda asked: paced_metrics.page(asked.accept), Reader.SCRAPER),
        "/livez": Route(live, Reader.PROBE),
        "/readyz": Route(ready, Reader.PROBE),
        "/status": Route(show, Reader.VIEWER),
        "/history": Route(lambda _: paced_history.page(), Reader.VIEWER),
        **{path: Route(file, Reader.VIEWER) for path, file in web_files().items()},
    }


def _told(health: Health) -> dict[str, object]:
    return {"status": health.status, "reasons": health.reasons}


def _json(code: int, value: object) -> Page:
    return Page(code, JSON, _one_a_line(msgspec.json.encode(value)))


def _one_a_line(body: bytes) -> bytes:
    return msgspec.json.format(body) + b"\n"
