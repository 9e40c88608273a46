"""What only the engine that reads HTTP by itself can get wrong; the rest is in test_destination.py."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from consumer.answers import Answered, NoAnswer
from consumer.destination import Engine, open_engine
from consumer.settings import load_settings
from tests import test_destination
from tests.servers import Behaviour, Connection, RawServer, answering, sending

pytest.importorskip("httptools")

BODY = b"{}"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def engine_for(url: str, **environ: str) -> Engine:
    """The engine, opened for a URL."""
    settings = {"CUSTOMFIT_API_KEY": "the-servers-key", "CUSTOMFIT_API_URL": url, "CUSTOMFIT_HTTP_ENGINE": "httptools"}
    return open_engine(load_settings(settings | environ), {})


async def test_informational_answers_are_passed_over() -> None:
    """100 and 103 come before the answer, with headers of their own that mean nothing for it."""
    informational = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n"
    async with RawServer(sending(informational + WHOLE)) as server:
        engine = engine_for(server.url)
        answer = await engine.post(BODY)
        await engine.close()

    assert Answered(200, None, b"ok") == answer


async def test_an_answer_in_single_bytes_is_whole() -> None:
    """However the network cuts it."""

    async def trickle(connection: Connection) -> None:
        await connection.request()
        for byte in WHOLE:
            await connection.send(bytes([byte]))

    async with RawServer(trickle) as server:
        engine = engine_for(server.url)
        answer = await engine.post(BODY)
        await engine.close()

    assert Answered(200, None, b"ok") == answer


async def follow_unasked(connection: Connection) -> None:
    """Answer, and a moment later answer what was not asked."""
    await connection.request()
    await connection.send(WHOLE)
    await asyncio.sleep(0.02)
    await connection.send(b"HTTP/1.1 500 Who Asked\r\nContent-Length: 0\r\n\r\n")
    await connection.until_closed()


async def answer_twice(connection: Connection) -> None:
    """Two answers to one request, in one packet."""
    await connection.request()
    await connection.send(WHOLE + b"HTTP/1.1 500 Who Asked\r\nContent-Length: 0\r\n\r\n")
    await connection.until_closed()


@pytest.mark.parametrize("behaviour", [follow_unasked, answer_twice])
async def test_an_answer_that_nobody_asked_for_ends_the_connection(behaviour: Behaviour) -> None:
    """It must never be taken for the answer to the next request: that would settle events that were not delivered."""
    async with RawServer(behaviour) as server:
        engine = engine_for(server.url)
        first = await engine.post(BODY)
        await server.connections_closed(1)
        second = await engine.post(BODY)
        await engine.close()

    assert [Answered(200, None, b"ok")] * 2 == [first, second]
    assert [1, 2] == [request.connection for request in server.requests]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"])
async def test_another_protocol_is_no_answer(answer: bytes) -> None:
    """It was not asked for."""
    async with RawServer(sending(answer)) as server:
        engine = engine_for(server.url)
        answered = await engine.post(BODY)
        await engine.close()

    assert isinstance(answered, NoAnswer)
    assert answered.kind == "protocol_error"


async def test_many_requests_share_few_connections_and_get_their_own_answers() -> None:
    """2,000 requests of 20 callers: each gets the answer to its own body."""

    async def echo(connection: Connection) -> None:
        while True:
            request = await connection.request()
            await connection.answer(200, request.body)

    async def call(caller: int) -> list[bytes]:
        bodies = [f"{caller}-{number}".encode() for number in range(100)]
        answers = [await engine.post(body) for body in bodies]
        return [body for body, answer in zip(bodies, answers, strict=True) if answer != Answered(200, None, body)]

    async with RawServer(echo) as server:
        engine = engine_for(server.url)
        mistaken = await asyncio.gather(*(call(caller) for caller in range(20)))
        await engine.close()

    assert [[]] * 20 == mistaken
    assert 20 == server.connections


async def test_the_root_is_asked_for_where_the_url_has_no_path() -> None:
    """`http://host?team=7` is `/?team=7` of that host."""
    async with RawServer(answering()) as server:
        engine = engine_for(f"http://127.0.0.1:{server.port}?team=7")
        await engine.post(BODY)
        await engine.close()

    (request,) = server.requests
    assert "POST /?team=7 HTTP/1.1" == request.line
    assert f"127.0.0.1:{server.port}" == request.headers["host"]


# The contract once more, on the loop that `run` has where it is installed


def contract() -> list[Callable[[test_destination.Open], Coroutine[Any, Any, None]]]:
    """What test_destination.py demands of each engine and what needs no other fixture."""
    return [
        test
        for name, test in vars(test_destination).items()
        if name.startswith("test_") and list(inspect.signature(test).parameters) == ["open_"] and "proxy" not in name
    ]


@pytest.mark.parametrize("demand", contract(), ids=lambda test: test.__name__)
def test_it_is_the_same_on_uvloop(demand: Callable[[test_destination.Open], Coroutine[Any, Any, None]]) -> None:
    """Its transports write at once and end in another order than asyncio's."""
    uvloop = pytest.importorskip("uvloop")

    async def run() -> None:
        async with test_destination.opening("httptools") as open_:
            await demand(open_)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def test_the_contract_is_not_empty() -> None:
    """A renamed fixture must not leave the tests above without any."""
    assert len(contract()) >= 13
