"""What the HTTP server shows: each page is made from the snapshot when it is asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from consumer.ops.health import Health, liveness, readiness_now
from consumer.ops.metrics import Metrics
from consumer.ops.overview import Overview
from consumer.ops.paced import Paced
from consumer.ops.server import Asked, Page, Reader, Route
from consumer.ops.snapshot import Snapshot
from consumer.ops.web_files import web_files

JSON: Final = "application/json"
SHARED_SECONDS: Final = 1.0
"""So old may be what a page shows: five tabs of 300 partitions took 2 % of a core when each had its own."""
LINKS: Final = ("/metrics", "/livez", "/readyz", "/status", "/history")


def routes(
    snapshot: Callable[[], Snapshot], polled_at: Callable[[], float], metrics: Metrics, overview: Overview
) -> Mapping[str, Route]:
    """The pages by their paths; `polled_at`: when the Kafka thread polled last, in monotonic seconds."""

    def metrics_page(accept: str) -> Page:
        content_type, body = metrics.page(accept)
        return Page(200, content_type, body)

    def live(_: Asked) -> Page:
        health = liveness(snapshot(), polled_at(), time.monotonic())
        return _json(200 if health.ok else 503, _told(health))

    def ready(_: Asked) -> Page:
        health = readiness_now(snapshot(), time.monotonic())
        return _json(200 if health.ok else 503, overview.masker.value(_told(health)))

    def show(asked: Asked) -> Page:
        if "members" in asked.query.split("&"):
            return watched.page()
        return paced_status.page()

    watched = _Shared(lambda: _json(200, overview.of(snapshot(), time.time(), time.monotonic(), look=True)))

    paced_status = Paced(lambda _: _json(200, overview.of(snapshot(), time.time(), time.monotonic(), look=False)))
    # 8,000 numbers: not one a line.
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


class _Shared:
    """One answer for all who look on, until it is a second old. Asked from several threads."""

    def __init__(self, make: Callable[[], Page]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._page: Page | None = None
        self._made_at = 0.0

    def page(self) -> Page:
        """Whoever comes while it is being made waits for it."""
        with self._lock:
            if self._page is None or time.monotonic() - self._made_at >= SHARED_SECONDS:
                self._page = self._make()
                self._made_at = time.monotonic()
            return self._page


def _told(health: Health) -> dict[str, object]:
    return {"status": health.status, "reasons": health.reasons}


def _json(code: int, value: object) -> Page:
    return Page(code, JSON, msgspec.json.format(msgspec.json.encode(value)) + b"\n")
