"""The pages show the snapshot of the moment they are asked for."""

from __future__ import annotations

import time
from dataclasses import replace

import msgspec
import pytest

from consumer.kafka.members import Group, Members
from consumer.ops.metrics import Metrics
from consumer.ops.page_pace import Paced
from consumer.ops.pages import LINKS, routes
from consumer.ops.server import Asked, Page
from consumer.ops.snapshot import Phase, Snapshot
from consumer.sequencing.gate import State
from consumer.settings.masking import Masker
from tests.ops.given_overview import given_overview
from tests.ops.given_snapshot import snapshot


class Shown:
    """The pages of a snapshot that may change, and of a Kafka thread that polled last at a certain time."""

    def __init__(self, *secrets: str) -> None:
        self.snapshot: Snapshot = replace(snapshot(), taken_at=time.monotonic())
        self.polled_at = time.monotonic()
        metrics = Metrics(lambda: self.snapshot)
        self.overview = given_overview(metrics, lambda: self.snapshot, Masker(secrets))
        self._routes = routes(lambda: self.snapshot, lambda: self.polled_at, metrics, self.overview)

    def page(self, path: str, query: str = "") -> Page:
        """Ask for it."""
        return self._routes[path].answer(Asked(path, query))


def test_every_page_is_there() -> None:
    """And is a 200 when all is well; so are the files of the page."""
    shown = Shown()
    paths = (*LINKS, "/", "/page.css", "/page.js")

    assert [200] * len(paths) == [shown.page(path).status for path in paths]


def test_the_members_are_asked_for_only_by_who_wants_to_see_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """`?members`, alone or among others: a script that reads /status asks no broker."""
    looks: list[int] = []

    def look(self: Members) -> Group:
        looks.append(1)
        return self.known()

    monkeypatch.setattr(Members, "look", look)
    shown = Shown()
    seen = [(shown.page("/status", query), len(looks))[1] for query in ("", "x=members", "members")]
    other = Shown()
    other.page("/status", "x&members&y")

    assert [0, 0, 1] == seen
    assert 2 == len(looks)


def test_all_who_look_on_get_one_answer_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five tabs cost what one costs; a script that reads /status gets the very moment."""
    monkeypatch.setattr(Members, "look", Members.known)
    shown = Shown()
    clock = [time.monotonic()]
    monkeypatch.setattr("consumer.ops.pages.time.monotonic", lambda: clock[0])
    bodies = []
    for seconds in (0.0, 0.4, 0.7):
        clock[0] += seconds
        shown.snapshot = replace(shown.snapshot, users_retrying=shown.snapshot.users_retrying + 1)
        bodies.append([shown.page("/status", "members").body, shown.page("/status").body])
    retrying = [[msgspec.json.decode(body)["users_retrying"] for body in pair] for pair in bodies]
    first = retrying[0][0]

    assert [[first, first], [first, first + 1], [first + 2, first + 2]] == retrying


@pytest.mark.parametrize("path", ["/status", "/history", "/metrics"])
def test_pages_that_cost_time_are_paced(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Whoever asks for them without a pause takes the interpreter from nobody."""
    paced = Page(200, "text/plain", b"after a rest")
    monkeypatch.setattr(Paced, "page", lambda *_: paced)

    assert paced is Shown().page(path)


def test_the_history_is_small_enough_to_be_read_each_minute() -> None:
    """Full, of values with many digits."""
    shown = Shown()
    for second in range(900):
        shown.overview.recorder.note(time.monotonic() + second / 3, 1_795_428_000.0 + second)
    page = shown.page("/history")

    assert 900 == len(msgspec.json.decode(page.body)["series"]["delivered_per_second"])
    assert len(page.body) < 100_000


def test_readiness_and_status_follow_the_snapshot() -> None:
    """503 as soon as it drains, with the reason; /status stays a page."""
    shown = Shown()
    shown.snapshot = replace(shown.snapshot, phase=Phase.DRAINING)

    assert (503, {"status": "draining", "reasons": ["draining"]}) == _told(shown.page("/readyz"))
    assert (200, "draining") == (shown.page("/status").status, _told(shown.page("/status"))[1]["status"])


def test_a_loop_that_hangs_is_not_called_ready() -> None:
    """The last snapshot says that all is well, and is old: the probe, the page and the gauge say so, and what to do."""
    shown = Shown()
    shown.snapshot = replace(shown.snapshot, taken_at=time.monotonic() - 11.0)
    told = msgspec.json.decode(shown.page("/status").body)

    assert (503, "stuck") == (shown.page("/readyz").status, _told(shown.page("/readyz"))[1]["status"])
    assert ("stuck", "docs/runbook.md#stuck") == (told["status"], told["first"]["runbook"])
    assert told["first"]["text"].startswith("the loop has not turned for 11 s")
    assert b"customfit_ready 0.0" in shown.page("/metrics").body
    assert 200 == shown.page("/livez").status


def test_before_the_loop_runs_it_is_not_said_to_hang() -> None:
    """Kafka may be waited for, for minutes."""
    shown = Shown()
    shown.snapshot = replace(shown.snapshot, phase=Phase.STARTING, taken_at=time.monotonic() - 100.0)

    assert (503, "starting") == (shown.page("/readyz").status, _told(shown.page("/readyz"))[1]["status"])


def test_liveness_follows_the_kafka_thread() -> None:
    """503 when it has not polled for long."""
    shown = Shown()
    shown.polled_at -= 1000.0

    assert (503, "stuck") == (shown.page("/livez").status, _told(shown.page("/livez"))[1]["status"])


def test_what_servers_have_said_is_shown_without_secrets() -> None:
    """Of the destination, the brokers and the rest, on /status and /readyz; however it is spelled, and valid JSON."""
    shown = Shown("s3cret/value", "17171717")
    shown.snapshot = replace(
        shown.snapshot,
        destination_state=State.UNAVAILABLE,
        destination_reason="connect_error: s3cret%2fvalue",
        kafka_silent_seconds=99.0,
        kafka_problem="_TRANSPORT: s3cret\\/value",
        state_problem="s3cret&#47;value",
        buffer_events=17171717,
    )
    for path in ("/status", "/readyz"):
        _, told = _told(shown.page(path))
        assert isinstance(told["reasons"], list)
        assert ["***"] * 3 == [reason[reason.index("*") :].partition(";")[0] for reason in told["reasons"]]
        assert b"s3cret" not in shown.page(path).body
    _, status = _told(shown.page("/status"))

    assert 17171717 == status["buffer_events"]


def _told(page: Page) -> tuple[int, dict[str, object]]:
    return page.status, msgspec.json.decode(page.body)


def test_a_hang_is_a_figure_that_grows() -> None:
    """All others stand still then. Before the loop runs it is 0."""
    shown = Shown()
    hanging = replace(shown.snapshot, taken_at=time.monotonic() - 100.0)
    pages = []
    for shown.snapshot in (hanging, replace(hanging, phase=Phase.STARTING)):
        pages.append(shown.page("/metrics").body.decode())

    assert [True, False] == ["customfit_loop_silent_seconds 10" in page for page in pages]
    assert "customfit_loop_silent_seconds 0.0" in pages[1]
