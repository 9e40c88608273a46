"""`top`: the page's first lines in a terminal, of several members, whatever they are called and whoever is silent."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from consumer.cli import app, status_reader
from consumer.cli.places import Place, place_of, places_of
from consumer.cli.status_reader import StatusReader
from consumer.cli.top_frame import frame
from consumer.cli.top_texts import BARS, ago, spark
from consumer.ops.advice import DO
from consumer.ops.causes import findings
from consumer.ops.health import readiness
from consumer.ops.server import HttpServer, Page, Reader, Route
from tests.browser.given_states import STATES, USER_STUCK, all_well, grown, hostile, one_user_stuck, outage, wrong_key
from tests.browser.shown import Shown, shown
from tests.fakes.terminals import CTRL_C, Terminal

WIDTH: Final = 80
NOBODY: Final = "127.0.0.1:1"

Show = Callable[..., Shown]


@pytest.fixture
def show() -> Iterator[Show]:
    """Serves states; ends their servers."""
    with ExitStack() as stack:
        yield lambda given, host="customfit-consumer-0": stack.enter_context(shown(given, host))


def top(*urls: str) -> Result:
    """One frame, in 80 columns."""
    options = [part for url in urls for part in ("--url", url)]
    return CliRunner(env={"COLUMNS": str(WIDTH)}).invoke(app("top"), ["top", "--once", *options])


def joined(text: str) -> str:
    """Without the ends of lines."""
    return " ".join(text.split())


@pytest.mark.parametrize("name", STATES)
def test_the_first_lines_are_those_of_the_page(show: Show, name: str) -> None:
    """The word of readiness, the cause and what to do; nothing is wider than the terminal."""
    server = show(STATES[name]())
    done = top(server.url)
    health, found = readiness(server.given.snapshot), findings(server.given.snapshot)

    assert 0 == done.exit_code, done.output
    assert done.output.startswith(f" {health.status.upper()}  customfit-consumer-0  up 3 h 12 min")
    assert (health.reasons[0] if health.reasons else "ready: 12 partitions") in joined(done.output)
    assert not found or found[0].text != health.reasons[0] or DO[found[0].cause] in joined(done.output)
    assert [] == [line for line in done.output.splitlines() if len(line) > WIDTH]


def test_a_topic_that_has_grown_is_told_though_nothing_is_wrong(show: Show) -> None:
    """In the line of what else there is."""
    done = top(show(grown()).url)

    assert " READY " == done.output[:7]
    assert "+ segment-events has 12 partitions, 8 before it grew 40 s ago" in joined(done.output)


def test_several_members_are_shown_and_one_that_is_silent_is_a_line(show: Show) -> None:
    """What is wrong is shown of all together, each row with the number of its member."""
    done = top(show(outage(), "one").url, show(one_user_stuck(), "two").url, NOBODY)

    assert 0 == done.exit_code
    assert [" DEGRADED  1: one  ", " READY  2: two  ", " NO ANSWER  3: 127.0.0.1:1  "] == re.findall(
        r"^ (?:DEGRADED|READY|NO ANSWER)  \d: \S+  ", done.output, re.MULTILINE
    )
    assert "NO ANSWER  3: 127.0.0.1:1  no answer: Connection refused" in done.output
    assert "PARTITIONS  13 of 24 wait" in done.output
    assert re.search(r"^2  [0-9a-f]{12,16} .*attempt 8, 503 ", done.output, re.MULTILINE)


def test_where_nobody_answers_a_script_is_told() -> None:
    """Exit 69, and the line that says whom was asked."""
    done = top(NOBODY)

    assert (69, " NO ANSWER  127.0.0.1:1  no answer: Connection refused\n\n") == (
        done.exit_code,
        done.output[: done.output.index("PARTITIONS")],
    )


@pytest.mark.parametrize("url", ["ftp://here", "http://", "here:port", "here:70000"])
def test_what_is_no_url_is_refused(url: str) -> None:
    """Exit 2, with the URL in the message."""
    done = top(url)

    assert 2 == done.exit_code
    assert url in done.output


def test_another_server_at_the_port_is_no_member() -> None:
    """Whatever it answers."""
    answers = iter([Page(200, "text/html", b"<p>hello</p>"), Page(200, "application/json", b"[1]")])
    server = HttpServer("127.0.0.1", 0, {"/status": Route(lambda _: next(answers), Reader.VIEWER)})
    server.start()
    said = [top(f"127.0.0.1:{server.port}") for _ in range(3)]
    server.close()

    assert [69] * 3 == [done.exit_code for done in said]
    assert [200, 200, 500] == [int(re.findall(r"it answered (\d+), but not", done.output)[0]) for done in said]


class Liar:
    """A member whose /status has something else in it."""

    def __init__(self, server: Shown, **lies: Any) -> None:
        with urllib.request.urlopen(f"{server.url}status") as answer:  # noqa: S310
            self._told = {**json.load(answer), **lies}
        page = Page(200, "application/json", json.dumps(self._told).encode())
        history = Page(200, "application/json", b'{"series": {"lag_events": [-1e9, null, 3]}}')
        routes = {"/status": Route(lambda _: page, Reader.VIEWER), "/history": Route(lambda _: history, Reader.VIEWER)}
        self._server = HttpServer("127.0.0.1", 0, routes)

    def top(self) -> Result:
        """One frame of it."""
        self._server.start()
        try:
            return top(f"127.0.0.1:{self._server.port}")
        finally:
            self._server.close()


@pytest.mark.parametrize(
    "lies",
    [
        {"requests_in_flight_limit": "\x1b]0;title\x07"},
        {"now_series": {"lag_events": float("inf")}},
        {"now_series": {"lag_events": "many"}},
        {"partitions": None},
        {"first": "text"},
        {"uptime_seconds": 10**400},
        {"now": "yesterday"},
        {"problems": [{"stage": "kafka"}]},
    ],
    ids=lambda lies: str(lies)[:40],
)
def test_a_member_that_says_something_else_is_none(show: Show, lies: dict[str, Any]) -> None:
    """One of another version, or one that lies: nothing of it is shown, and no traceback."""
    done = Liar(show(one_user_stuck()), **lies).top()

    assert (69, True) == (done.exit_code, "not as a member of this version does" in joined(done.output))
    assert "\x1b" not in done.output


def test_a_word_that_is_none_moves_no_cursor(show: Show) -> None:
    """The state is a text like others."""
    done = Liar(show(one_user_stuck()), status="\x1b]0;title\x07" + "w" * 100, not_known_yet={"a": 1}).top()

    assert 0 == done.exit_code
    assert done.output.startswith(" \\x1b]0;TITLE\\x07W")
    assert [] == [character for character in done.output if not character.isprintable() and character != "\n"]


def test_a_member_that_sends_a_byte_at_a_time_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte is soon enough, and all of them never come; it is not asked again meanwhile."""
    monkeypatch.setattr(status_reader, "ANSWERS_SECONDS_MAX", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        reader = StatusReader([place_of(f"127.0.0.1:{listening.getsockname()[1]}", 0)])
        first = reader.ask()
        connection, _ = listening.accept()
        connection.sendall(b"H")
        second = reader.ask()
        listening.settimeout(0.01)
        with pytest.raises(TimeoutError):
            listening.accept()
        connection.close()

    assert ["no answer within 0 s"] * 2 == [answer.problem for answer in (*first, *second)]


@pytest.mark.parametrize(("columns", "lines"), [(40, 10), (10, 3), (300, 100)])
def test_it_fits_any_terminal(show: Show, columns: int, lines: int) -> None:
    """Also one that is too small to be of use."""
    answers = StatusReader([place_of(show(outage()).url, 0)]).ask()
    console = Console(file=io.StringIO(), width=columns)
    console.print(frame(answers, console, lines_max=lines))

    assert columns >= max(len(line) for line in frame(answers, console, lines_max=lines - 1).plain.splitlines()[:-1])


def test_whatever_others_name_moves_no_cursor(show: Show) -> None:
    """Control characters and those that turn text around are escapes; no user id is shown."""
    done = top(show(hostile()).url, show(one_user_stuck()).url)

    assert "<script>" in done.output
    assert [] == [character for character in done.output if not character.isprintable() and character != "\n"]
    assert USER_STUCK not in done.output


def test_a_plain_terminal_gets_plain_letters(show: Show) -> None:
    """Where there are no bars and dots, others stand for them."""
    answers = StatusReader([place_of(show(outage()).url, 0)]).ask()
    written = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(file=written, width=WIDTH)
    console.print(frame(answers, console, lines_max=30))

    assert "q ends it | asks every 2 s" in frame(answers, console, lines_max=30).plain
    written.flush()


def test_what_does_not_fit_is_left_out_from_below(show: Show) -> None:
    """The first lines stay, and the last one says how many are missing."""
    answers = StatusReader([place_of(show(outage()).url, 0)]).ask()
    console = Console(file=io.StringIO(), width=WIDTH)
    lines = frame(answers, console, lines_max=10).plain.splitlines()

    assert 10 == len(lines)
    assert lines[0].startswith(" DEGRADED")
    assert re.fullmatch(r"q ends it · asks every 2 s · \d+ lines do not fit", lines[-1])


def test_a_member_that_falls_silent_is_said_when_it_was_heard(show: Show) -> None:
    """What it said before is not shown as if it were so now."""
    server = show(wrong_key())
    reader = StatusReader([place_of(server.url, 0)])
    first = reader.ask()[0]
    server.stop()
    second = reader.ask()[0]

    assert (True, None) == (first.status is not None, second.status)
    assert second.silent_since is not None
    assert 900 == len(first.series["lag_events"])


def test_a_name_is_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one that has both kinds those of IPv4, so that nobody is there twice; this machine is one."""

    def given(*addresses: str) -> None:
        found: list[Any] = [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 0, "", (one, 9464))
            for one in addresses
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    def hosts(url: str) -> list[str]:
        return [str(place) for place in places_of(place_of(url, 9464))]

    given("192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.2")
    assert ["192.0.2.1:9464", "192.0.2.2:9464"] == hosts("consumer")
    given("2001:db8::1", "2001:db8::2")
    assert ["[2001:db8::1]:9464", "[2001:db8::2]:9464"] == hosts("http://consumer:9464")
    given("::1", "127.0.0.1")
    assert ["localhost:9464"] == hosts("localhost")
    assert ["consumer:443"] == hosts("https://consumer")


def test_urls_are_taken_with_and_without_their_parts() -> None:
    """What is missing is the usual."""
    assert Place("http", "a", 9464) == place_of("a", 9464)
    assert Place("http", "a", 1) == place_of("a:1", 9464)
    assert Place("http", "::1", 1) == place_of("[::1]:1", 9464)
    assert Place("https", "a", 443, "/consumer") == place_of("https://a/consumer/", 9464)


def test_bars_are_as_high_as_the_highest_of_their_seconds() -> None:
    """A peak of one second is seen; nothing is drawn where nothing is known; a calm run looks calm."""
    values: list[float | None] = [None] * 450 + [0.0] * 449 + [70.0]

    assert f"  {BARS[0]}{BARS[-1]}" == spark(values, 4, 10, is_unicode=True)
    assert f"   {BARS[1]}" == spark([1.0], 4, 7, is_unicode=True)
    assert "  _#" == spark(values, 4, 10, is_unicode=False)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (125, "2 min 5 s"), (660, "11 min"), (7_260, "2 h 1 min"), (180_000, "2 d 2 h")],
)
def test_times_are_told_in_their_two_largest_units(seconds: float, text: str) -> None:
    """As on the page."""
    assert text == ago(seconds)


@pytest.mark.parametrize("key", [b"q", CTRL_C], ids=["q", "Ctrl-C"])
def test_a_key_ends_it(show: Show, tmp_path: Path, key: bytes) -> None:
    """And the terminal is as it was."""
    command = [sys.executable, "-m", "consumer", "top", "--url", show(all_well()).url]
    root = str(Path(__file__).resolve().parents[2])
    environ = {**os.environ, "PYTHONPATH": root, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "30"}
    with Terminal(command, tmp_path, environ) as terminal:
        terminal.wait_for("ready: 12 partitions")
        terminal.type(key)

        assert 0 == terminal.exit_code(), terminal.printed
        assert "Traceback" not in terminal.printed
