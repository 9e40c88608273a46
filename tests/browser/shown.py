"""The pages of a state, served as `run` serves them: the real server, the real routes, and made-up figures behind."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from consumer.kafka.members import Group, Member, Members
from consumer.ops.metrics import Metrics
from consumer.ops.overview import Overview
from consumer.ops.pages import routes
from consumer.ops.server import HttpServer
from consumer.ops.snapshot import Snapshot
from consumer.sequencing.events import Partition
from consumer.settings import load_settings
from consumer.settings.masking import Masker
from tests.browser.given_states import LAST_SECONDS, TOPIC, Given
from tests.ops.given_overview import given_overview

HOSTS = ("/10.1.4.17", "/10.1.4.18", "/10.1.4.23")
UP_SECONDS = 11_520.0


class Shown:
    """One member with its server; `given` may be replaced by another state while it runs."""

    def __init__(self, given: Given, host: str = "customfit-consumer-0") -> None:
        self.given = given
        metrics = Metrics(self._snapshot)
        overview = _overview(given, host, given_overview(metrics, self._snapshot, Masker()))
        self._routes = routes(self._snapshot, time.monotonic, metrics, overview)
        self._port = 0
        self._server: HttpServer | None = None

    def start(self) -> None:
        """Listen; again at the same port."""
        self._server = HttpServer("127.0.0.1", self._port, self._routes)
        self._server.start()
        self._port = self._server.port

    def stop(self) -> None:
        """As if the process had ended."""
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def url(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self._port}/"

    def _snapshot(self) -> Snapshot:
        """As new as that of a loop that turns: however long a test takes, its member does not hang."""
        return replace(self.given.snapshot, taken_at=time.monotonic())


@contextmanager
def shown(given: Given, host: str = "customfit-consumer-0") -> Iterator[Shown]:
    """Serve it for a while."""
    made = Shown(given, host)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def _overview(given: Given, host: str, overview: Overview) -> Overview:
    now = time.time()
    noise = random.Random(7)
    if given.seconds is not None:
        for ago in range(LAST_SECONDS - 1, -1, -1):
            values = given.seconds(noise, ago, given.trouble_seconds)
            overview.recorder._history.note(values, now - ago)
    for place, (stage, kind, count, text) in enumerate(reversed(given.errors)):
        last = now - 2 - 75 * (len(given.errors) - 1 - place)
        for number in range(count):
            share = (count - 1 - number) / max(count - 1, 1)
            overview.errors.note(stage, kind, text, last - share * max(given.trouble_seconds - 2, 0))
    begun = time.monotonic() - UP_SECONDS
    about = overview.about._replace(host=host, started_at=now - UP_SECONDS, started_monotonic=begun)
    return overview._replace(about=about, members=_Known(given, now))


class _Known(Members):
    """Three members, who share the partitions; no broker is asked."""

    def __init__(self, given: Given, now: float) -> None:
        super().__init__(load_settings({"CUSTOMFIT_API_KEY": "made-up-key"}), lambda: "")
        count = sum(view.partition.topic == TOPIC for view in given.snapshot.partitions)
        self._group = Group(
            now - 4.0,
            None,
            tuple(
                Member(
                    given.client_id, host, tuple(Partition(TOPIC, n) for n in range(count * i, count * (i + 1))), i == 0
                )
                for i, host in enumerate(HOSTS)
            ),
        )

    def look(self) -> Group:
        return self._group
