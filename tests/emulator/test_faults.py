"""The emulator's faults: what a client sees of each, and what the ledger says about it afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from consumer.emulator.faults import Faults, FaultsError, Throttle
from consumer.emulator.server import Emulator
from tests.emulator.emulator_calls import KEY, events, identify, introduction, post, track, track_event

BEARER = {"Authorization": f"Bearer {KEY}"}


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The emulator's clock."""
    return Clock()


@pytest.fixture
async def emulator(clock: Clock) -> AsyncIterator[Emulator]:
    """A running emulator."""
    running = Emulator(clock=clock)
    await running.start()
    yield running
    await running.stop()


async def status(client: httpx.AsyncClient, body: Any, **options: Any) -> int:
    """The status that this request is answered with."""
    return (await client.post("/v1/cfe", json=body, **options)).status_code


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.005)


async def test_failing_at_a_rate(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """About that share of requests gets the status; the same seed fails the same ones."""
    emulator.faults.change({"fail_rate": 0.5, "fail_status": 502, "fail_retry_after_seconds": 7})
    answers = [await client.post("/v1/cfe", json=introduction(f"u{number}")) for number in range(100)]
    failed = [answer for answer in answers if answer.status_code == 502]

    assert {200, 502} == {answer.status_code for answer in answers}
    assert 30 < len(failed) < 70
    assert {"7"} == {answer.headers["retry-after"] for answer in failed}


async def test_a_redirect_names_a_place(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """A client that followed it would be caught: nothing is there."""
    emulator.faults.change({"fail_rate": 1, "fail_status": 307})
    answer = await client.post("/v1/cfe", json=introduction("u1"), follow_redirects=True)

    assert 404 == answer.status_code
    assert {"307": 1} == emulator.ledger.summary()["refused"]


async def test_throttling(emulator: Emulator, client: httpx.AsyncClient, clock: Clock) -> None:
    """Above the rate 429 with Retry-After, until time has passed."""
    emulator.faults.throttle_requests_per_second = 2
    first = [await status(client, introduction("u1")) for _ in range(4)]
    refused = await client.post("/v1/cfe", json=introduction("u1"))
    clock.now += 0.5

    assert [200, 200, 429, 429] == first
    assert "1" == refused.headers["retry-after"]
    assert 200 == await status(client, introduction("u1"))


def test_a_throttle_below_one_request_a_second() -> None:
    """One request for each interval, and no burst."""
    throttle = Throttle()

    assert [True, False, False, True] == [throttle.admits(now, 0.5) for now in (10.0, 11.0, 11.9, 12.0)]


async def test_rejected_keys(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """A key, or all of them, stops being accepted, and works again."""
    seen = []
    changes: list[dict[str, Any]] = [
        {"reject_keys": [KEY]},
        {"reject_keys": []},
        {"reject_all_keys": True},
        {"reject_all_keys": False},
    ]
    for change in changes:
        emulator.faults.change(change)
        seen.append(await status(client, introduction("u1")))

    assert [401, 200, 401, 200] == seen


async def test_refused_users_and_names(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """Requests that CustomFit will never take, of one user or with one event; all others are accepted."""
    emulator.faults.change({"refuse_users": ["bad"], "refuse_names": ["Poison"]})

    assert 400 == await status(client, introduction("bad"))
    assert 400 == await status(client, events("u1", track_event("t1"), track_event("t2", "Poison")))
    assert 200 == await status(client, events("u1", track_event("t1")))


async def test_unavailable_for_a_while(emulator: Emulator, client: httpx.AsyncClient, clock: Clock) -> None:
    """Requests are dropped from the first one on; the operator's paths go on; then it is as before."""
    emulator.faults.unavailable_seconds = 30
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            await status(client, introduction("u1"))
        clock.now += 29.9 / 2
    healthy = await client.get("/healthz")
    clock.now += 0.2
    after = await status(client, introduction("u1"))

    assert [200, 200] == [healthy.status_code, after]
    assert {"close": 2} == emulator.ledger.summary()["dropped"]
    assert 0 == emulator.faults.unavailable_seconds


async def test_hanging(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """A request is read and never answered, nor recorded; the connection goes when its client does."""
    emulator.faults.hang = True
    with pytest.raises(httpx.ReadTimeout):
        await status(client, introduction("u1"), timeout=0.2)
    emulator.faults.hang = False
    await eventually(lambda: not emulator._connections)

    assert {"hang": 1} == emulator.ledger.summary()["dropped"]
    assert 0 == emulator.ledger.sequence


async def test_a_lost_answer_was_accepted(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """The request is in the ledger, and its sender only sees a reset."""
    emulator.faults.reset_rate = 1.0
    with pytest.raises(httpx.ReadError):
        await status(client, identify("u1"))
    emulator.faults.reset_rate = 0.0
    await status(client, identify("u1"))
    summary = emulator.ledger.summary()

    assert (2, 1, 1) == (summary["accepted"], summary["answers_lost"], summary["duplicate_insert_ids"])


async def test_a_lost_request_was_not(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """The same seen from outside, but nothing was recorded."""
    emulator.faults.reset_unrecorded_rate = 1.0
    with pytest.raises(httpx.ReadError):
        await status(client, identify("u1"))

    assert (0, {"reset": 1}) == (emulator.ledger.sequence, emulator.ledger.summary()["dropped"])


async def test_a_request_is_accepted_when_it_is_answered(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """So a track sent while its identify was still unanswered is a violation."""
    emulator.faults.latency_seconds = 0.2
    slow = asyncio.create_task(status(client, identify("u1")))
    await eventually(lambda: bool(emulator._connections) and any(c._answering for c in emulator._connections))
    emulator.faults.latency_seconds = 0
    await status(client, track("u1"))
    await slow

    assert ["track", "identify"] == [entry.kinds[0] for entry in emulator.ledger.entries()]
    assert 1 == emulator.ledger.summary()["identifies_first_violations"]


async def test_who_gave_up_was_not_answered(emulator: Emulator) -> None:
    """A server does not notice: the request is accepted, its answer is lost."""
    emulator.faults.latency_seconds = 0.05
    _, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    writer.write(post(identify("u1")))
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await eventually(lambda: emulator.ledger.sequence == 1)

    assert [False] == [entry.answered for entry in emulator.ledger.entries()]


async def test_latency_concerns_events_only(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """Who turned it up too far can still turn it down."""
    emulator.faults.change({"latency_seconds": 3600, "latency_jitter_seconds": 3600})
    answer = await client.post("/control", json={"latency_seconds": 0, "latency_jitter_seconds": 0})

    assert 200 == answer.status_code
    assert 200 == await status(client, identify("u1"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"latency": 1}, "no fault is called `latency`; did you mean `latency_seconds`?"),
        ({"zzz": 1}, "no fault is called `zzz`; there are: latency_seconds, "),
        ({"fail_rate": 2}, "Expected `float` <= 1.0 - at `$.fail_rate`"),
        ({"fail_status": 200}, "Expected `int` >= 300 - at `$.fail_status`"),
        ({"fail_rate": 0.5, "hang": "yes"}, "Expected `bool`, got `str` - at `$.hang`"),
    ],
)
def test_faults_that_do_not_exist_change_nothing(changes: dict[str, Any], reason: str) -> None:
    """The message names what is wrong, and none of the changes is made."""
    faults = Faults()
    with pytest.raises(FaultsError) as caught:
        faults.change(changes)

    assert reason in str(caught.value)
    assert Faults() == faults


async def test_one_user_fails_alone(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """With the status and the Retry-After that are asked for; all others are accepted."""
    emulator.faults.change({"fail_users": ["bad"], "fail_users_status": 503, "fail_users_retry_after_seconds": 60})
    reply = await client.post("/v1/cfe", json=introduction("bad"))

    assert (503, "60") == (reply.status_code, reply.headers["Retry-After"])
    assert 200 == await status(client, introduction("good"))
