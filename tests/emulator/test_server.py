"""The emulator as its clients, its operator and the tests that use it see it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from consumer.cli.emulator import PROBLEM_LINES_MAX, PROBLEM_LINES_SECONDS, Console, lines
from consumer.emulator.contract import read_call
from consumer.emulator.server import Emulator, running_emulator
from tests.emulator.emulator_calls import KEY, events, identify, introduction, track, track_event

BEARER = {"Authorization": f"Bearer {KEY}"}


async def status(client: httpx.AsyncClient, body: Any, **options: Any) -> int:
    """The status that this request is answered with."""
    return (await client.post("/v1/cfe", json=body, **options)).status_code


async def test_what_keeps_the_contract_is_accepted(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """An accepted request is answered as CustomFit does it and stands in the ledger."""
    answer = await client.post("/some/prefix/v1/cfe", json=identify("u1"))

    assert (200, {"status": "success"}) == (answer.status_code, answer.json())
    assert [("u1", "traits", True)] == [
        (entry.user_id, entry.identify, entry.answered) for entry in emulator.ledger.entries()
    ]


async def test_what_breaks_it_is_refused_with_the_reason(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """The first problem, and where it is."""
    answer = await client.post("/v1/cfe", json=events("u1", {**track_event(), "insert_id": 7}))

    assert 400 == answer.status_code
    assert {"status": "error", "reason": "Expected `str`, got `int` - at `$.events[0].insert_id`"} == answer.json()
    assert {"400": 1} == emulator.ledger.summary()["refused"]


async def test_other_paths_and_methods(client: httpx.AsyncClient) -> None:
    """404 and 405, as anywhere."""
    assert 404 == (await client.post("/v1/cfe/more")).status_code
    assert 404 == (await client.get("/elsewhere")).status_code
    assert 405 == (await client.get("/v1/cfe")).status_code
    assert "POST" == (await client.get("/v1/cfe")).headers["allow"]
    assert "GET, POST" == (await client.delete("/control")).headers["allow"]
    assert 200 == (await client.get("/healthz")).status_code


async def test_both_ways_of_sending_the_key(emulator: Emulator) -> None:
    """A bearer token or `cfenc`; too short a key, or none, is refused."""
    async with httpx.AsyncClient(base_url=emulator.base_url, trust_env=False) as client:
        in_query = await client.post("/v1/cfe", params={"cfenc": "eightlng"}, json=identify("u1"))
        too_short = await client.post("/v1/cfe", params={"cfenc": "short"}, json=identify("u1"))
        without = await client.post("/v1/cfe", json=identify("u1"))

    assert [200, 401, 401] == [in_query.status_code, too_short.status_code, without.status_code]
    assert "no API key: neither `Authorization: Bearer KEY` nor `?cfenc=KEY`" == without.json()["reason"]


async def test_only_the_keys_that_were_named() -> None:
    """With keys given, any other is refused before the body is looked at."""
    emulator = Emulator(keys=frozenset({"the-right-key"}))
    await emulator.start()
    async with httpx.AsyncClient(base_url=emulator.base_url, trust_env=False) as client:
        right = await client.post("/v1/cfe", headers={"Authorization": "Bearer the-right-key"}, json=identify("u1"))
        wrong = await client.post("/v1/cfe", headers=BEARER, content=b"not even JSON")
    await emulator.stop()

    assert [200, 401] == [right.status_code, wrong.status_code]


# --- the operator's paths


async def test_control_changes_and_shows_the_faults(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """What is not named stays as it was; what is wrong is said."""
    changed = await client.post("/control", json={"fail_rate": 0.25})
    shown = await client.get("/control")
    wrong = [await client.post("/control", content=content) for content in (b"[]", b"{", b"\xff", b'{"x":1}')]

    assert changed.json() == shown.json()
    assert (0.25, 503) == (shown.json()["fail_rate"], emulator.faults.fail_status)
    assert [400] * 4 == [answer.status_code for answer in wrong]


async def test_the_ledger_can_be_read(client: httpx.AsyncClient) -> None:
    """The summary alone, or with entries from a place on."""
    for number in range(5):
        await status(client, introduction(f"u{number}"))
    summary = (await client.get("/ledger")).json()
    listed = (await client.get("/ledger", params={"entries": "1", "after": "2", "limit": "2"})).json()

    assert 5 == summary["accepted"]
    assert "listed" not in summary
    assert [(3, "u2"), (4, "u3")] == [(entry["sequence"], entry["user_id"]) for entry in listed["listed"]]
    assert 400 == (await client.get("/ledger", params={"after": "x"})).status_code


async def test_reset_empties_the_ledger(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """And nothing else: the faults stay."""
    emulator.faults.refuse_users = ["bad"]
    await status(client, identify("u1"))
    await client.post("/reset")

    assert 0 == (await client.get("/ledger")).json()["requests"]
    assert ["bad"] == emulator.faults.refuse_users


# --- the library


async def test_it_can_go_and_come_back(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """After a stop nobody answers; started again on its port it knows what it knew."""
    await status(client, identify("u1"))
    port = emulator.port
    await emulator.stop()
    with pytest.raises(httpx.ConnectError):
        await status(client, track("u1"))
    await emulator.start(port=port)

    assert 200 == await status(client, track("u1"))
    assert 0 == emulator.ledger.summary()["identifies_first_violations"]


def test_it_runs_in_a_thread() -> None:
    """For whoever has no loop; ledger and faults are used from outside."""
    with running_emulator() as emulator:
        emulator.faults.fail_rate = 1.0
        failed = httpx.post(emulator.url, headers=BEARER, json=identify("u1"), trust_env=False)
        emulator.faults.fail_rate = 0.0
        passed = httpx.post(emulator.url, headers=BEARER, json=identify("u1"), trust_env=False)

    assert [503, 200] == [failed.status_code, passed.status_code]
    assert 1 == emulator.ledger.summary()["accepted"]


def test_a_taken_port_is_an_error_of_the_caller() -> None:
    """And leaves no thread behind."""
    with running_emulator() as emulator, pytest.raises(OSError, match="in use"), running_emulator(port=emulator.port):
        pass


# --- what is printed


def test_a_call_is_shown_as_one_line_for_each_event() -> None:
    """In words of somebody who sees it for the first time."""

    def shown(body: dict[str, Any]) -> list[str]:
        return lines(read_call(httpx.Request("POST", "http://x", json=body).content))

    page = {"event_type": "pageview", "insert_id": "p", "event_timestamp": "2026-11-23 10:00:00.000Z"}

    assert ['identify u1 {"plan":"pro"}'] == shown(identify("u1"))
    assert ["identify u1 (introduced: nothing known but the id)"] == shown(introduction("u1"))
    assert ['track a1 (anonymous) "Order Completed"', "pageview a1 (anonymous)"] == shown(
        events("a1", track_event(), page, anonymous=True)
    )


def test_nothing_that_a_terminal_would_obey_is_printed() -> None:
    """Escape sequences, line breaks and letters that turn the direction of text are shown as what they are."""
    call = read_call(httpx.Request("POST", "http://x", json=introduction("a\x1b[31mb\nc" + "x" * 300)).content)
    [line] = lines(call)

    assert line.startswith(r"identify a\x1b[31mb\ncxxx")
    assert "x… (introduced" in line


def test_many_problems_are_not_all_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A flood of refusals leaves the screen readable, and says how many were left out."""
    times = [0.0]
    console = Console(verbose=False, clock=lambda: times[-1])
    for _ in range(PROBLEM_LINES_MAX + 7):
        console.refused(503, "failing", "/v1/cfe")
    times.append(PROBLEM_LINES_SECONDS)
    console.refused(400, "bad", "/v1/cfe")
    printed = capsys.readouterr().out.splitlines()

    assert PROBLEM_LINES_MAX + 2 == len(printed)
    assert ["(7 more problems were not shown)", "refused with 400: bad (/v1/cfe)"] == printed[-2:]


@contextmanager
def command(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and the URL that it says it listens on."""
    arguments = [sys.executable, "-m", "consumer", "emulator", "--port", "0", *options]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        yield process, next((word.rstrip(",") for word in first.split() if word.startswith("http://")), first)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_command_says_what_happens(tmp_path: Path) -> None:
    """Accepted events, refusals, violations; and the summary when it is told to stop."""
    ledger = tmp_path / "ledger.jsonl"
    with command("-v", "--ledger", str(ledger), "--refuse-user", "bad", "--accept-key", KEY) as (process, url):
        for body in (identify("u1"), track("u1"), track("early"), introduction("bad")):
            httpx.post(url, headers=BEARER, json=body, trust_env=False)
        httpx.post(f"{url}?cfenc=not-the-secret", json=identify("u1"), trust_env=False)
        process.send_signal(signal.SIGTERM)
        printed = process.stdout.read() if process.stdout is not None else ""
        code = process.wait(60)

    assert 0 == code
    assert printed.startswith('identify u1 {"plan":"pro"}\ntrack u1 "Order Completed"\ntrack early "Order Completed"\n')
    assert 'out of order: track early "Order Completed"' in printed
    assert "refused with 400: this user is refused on purpose (refuse_users) (/v1/cfe)\n" in printed
    assert "refused with 401: an unknown API key (/v1/cfe)\n" in printed
    assert "not-the-secret" not in printed
    assert "identifies_first_violations              1\n" in printed
    assert 3 == len(ledger.read_bytes().splitlines())


def test_the_command_does_not_start_on_what_is_wrong(tmp_path: Path) -> None:
    """A taken port, a fault out of range and a foreign ledger file each get a line that names the option."""
    (tmp_path / "foreign").write_text("hello\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cases = [
            (["--port", str(taken.getsockname()[1])], 1, "--port"),
            (["--port", "0", "--fail-rate", "2"], 2, "--fail-rate"),
            (["--port", "0", "--ledger", str(tmp_path / "foreign")], 1, "--ledger"),
        ]
        results = [
            subprocess.run(
                [sys.executable, "-m", "consumer", "emulator", *options], capture_output=True, text=True, check=False
            )
            for options, _, _ in cases
        ]

    assert [code for _, code, _ in cases] == [result.returncode for result in results]
    for (_, _, named), result in zip(cases, results, strict=True):
        assert named in result.stderr
        assert "Traceback" not in result.stderr
