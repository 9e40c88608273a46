"""What the HTTP server shows: each page is made from the snapshot when it is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from consumer.ops.health import Health, liveness, readiness
from consumer.ops.metrics import Metrics
from consumer.ops.server import Page, Route
from consumer.ops.snapshot import Snapshot
from consumer.ops.status import status

LINKS: Final = ("/metrics", "/livez", "/readyz", "/status")


def routes(
    snapshot: Callable[[], Snapshot],
    polled_at: Callable[[], float],
    metrics: Metrics,
    mask: Callable[[object], object] = lambda value: value,
) -> Mapping[str, Route]:
    """The pages by their paths; `polled_at`: when the Kafka thread polled last, in monotonic seconds.

    `mask` blots secrets out of a JSON value: brokers, the registry and the destination may have put them there.
    """

    def metrics_page(accept: str) -> Page:
        content_type, body = metrics.page(accept)
        return Page(200, content_type, body)

    def live(_accept: str) -> Page:
        health = liveness(snapshot(), polled_at(), time.monotonic())
        return _json(200 if health.ok else 503, _told(health))

    def ready(_accept: str) -> Page:
        health = readiness(snapshot())
        return _json(200 if health.ok else 503, mask(_told(health)))

    def show(_accept: str) -> Page:
        return _json(200, mask(status(snapshot(), time.time(), time.monotonic())))

    def index(_accept: str) -> Page:
        links = "".join(f'<li><a href="{path}">{path}</a></li>' for path in LINKS)
        text = f"<!doctype html><title>customfit-consumer</title><ul>{links}</ul>"
        return Page(200, "text/html; charset=utf-8", text.encode())

    return {"/metrics": metrics_page, "/livez": live, "/readyz": ready, "/status": show, "/": index}


def _told(health: Health) -> dict[str, object]:
    return {"status": health.status, "reasons": health.reasons}


def _json(code: int, value: object) -> Page:
    return Page(code, "application/json", msgspec.json.format(msgspec.json.encode(value)) + b"\n")
