"""The pages show the snapshot of the moment they are asked for."""

from __future__ import annotations

import time
from dataclasses import replace

import msgspec

from consumer.ops.metrics import Metrics
from consumer.ops.pages import LINKS, routes
from consumer.ops.server import Page
from consumer.ops.snapshot import Phase, Snapshot
from tests.ops.given_snapshot import snapshot


class Shown:
    """The pages of a snapshot that may change, and of a Kafka thread that polled last at a certain time."""

    def __init__(self) -> None:
        self.snapshot: Snapshot = replace(snapshot(), taken_at=time.monotonic())
        self.polled_at = time.monotonic()
        self._routes = routes(lambda: self.snapshot, lambda: self.polled_at, Metrics(lambda: self.snapshot))

    def page(self, path: str) -> Page:
        """Ask for it."""
        return self._routes[path]("")


def test_every_page_that_the_index_names_is_there() -> None:
    """And is a 200 when all is well."""
    shown = Shown()
    index = shown.page("/").body.decode()

    assert all(f'href="{path}"' in index for path in LINKS)
    assert [200] * len(LINKS) == [shown.page(path).status for path in LINKS]


def test_readiness_and_status_follow_the_snapshot() -> None:
    """503 as soon as it drains, with the reason; /status stays a page."""
    shown = Shown()
    shown.snapshot = replace(shown.snapshot, phase=Phase.DRAINING)

    assert (503, {"status": "draining", "reasons": ["draining"]}) == _told(shown.page("/readyz"))
    assert (200, "draining") == (shown.page("/status").status, _told(shown.page("/status"))[1]["status"])


def test_liveness_follows_the_kafka_thread() -> None:
    """503 when it has not polled for long."""
    shown = Shown()
    shown.polled_at -= 1000.0

    assert (503, "stuck") == (shown.page("/livez").status, _told(shown.page("/livez"))[1]["status"])


def _told(page: Page) -> tuple[int, dict[str, object]]:
    return page.status, msgspec.json.decode(page.body)
