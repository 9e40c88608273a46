"""How an engine keeps, replaces and closes its connections."""

from __future__ import annotations

import asyncio

import pytest

from consumer.customfit.answers import Answered, NoAnswer
from consumer.customfit.engine import answer_to
from tests.customfit.engines.given_engine import BODY, Open
from tests.fakes.servers import Connection, RawServer, answering, sending


async def test_a_connection_is_kept_for_the_next_request(open_: Open) -> None:
    """Requests one after the other share a connection."""
    async with RawServer(answering()) as server:
        engine = open_(server.url)
        for _ in range(5):
            await answer_to(engine, BODY)

    assert server.connections == 1


@pytest.mark.parametrize("how", ["FIN", "RST"])
async def test_a_connection_closed_between_requests_is_replaced(open_: Open, how: str) -> None:
    """The next request goes out on a new connection, once, and is answered."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.answer()
        if how == "RST":
            connection.reset()

    async with RawServer(behave) as server:
        engine = open_(server.url)
        answers = []
        for number in range(1, 4):
            answers.append(await answer_to(engine, BODY))
            await server.connections_closed(number)
            await asyncio.sleep(0.01)  # the client's kernel has heard; now its library must

    assert answers == [Answered(200, None, b"")] * 3
    assert [1, 2, 3] == [request.connection for request in server.requests]


@pytest.mark.parametrize("read", ["all of it", "one byte"])
async def test_a_request_that_may_have_been_sent_is_not_sent_again(open_: Open, read: str) -> None:
    """A kept connection that breaks under the next request gives a protocol_error, and the body goes out once."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.answer()
        if read == "all of it":
            await connection.request()
        else:
            await connection.reader.readexactly(1)
        connection.reset()

    async with RawServer(behave) as server:
        engine = open_(server.url)
        first = await answer_to(engine, b"[1]")
        second = await answer_to(engine, b"[2]")
        third = await answer_to(engine, b"[3]")

    assert first == third == Answered(200, None, b"")
    assert isinstance(second, NoAnswer)
    assert second.kind == "protocol_error"
    assert server.connections == 2
    assert [b"[1]", b"[2]", b"[3]"] == [r.body for r in server.requests] or read == "one byte"


@pytest.mark.parametrize("version", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"])
async def test_a_body_ended_by_closing_is_complete(open_: Open, version: bytes) -> None:
    """HTTP/1.0 and `Connection: close` without a length are answers, and the next request connects again."""
    async with RawServer(sending(version + b"whole")) as server:
        engine = open_(server.url)
        answers = [await answer_to(engine, BODY) for _ in range(2)]

    assert answers == [Answered(200, None, b"whole")] * 2
    assert server.connections == 2


async def test_as_many_connections_as_requests_at_once(open_: Open) -> None:
    """256 requests at in_flight_max=256 are all with the server at the same time, and the connections are kept."""
    count = 256
    everyone_is_here = asyncio.Event()

    async def behave(connection: Connection) -> None:
        while True:
            await connection.request()
            if len(connection.requests) == count:
                everyone_is_here.set()
            await everyone_is_here.wait()
            await connection.answer()

    async with RawServer(behave) as server:
        engine = open_(server.url, in_flight_max=count, request_timeout_seconds=10)
        for _ in range(2):
            answers = await asyncio.gather(*(answer_to(engine, BODY) for _ in range(count)))
            assert answers == [Answered(200, None, b"")] * count

    assert {request.connection for request in server.requests} == set(range(1, count + 1))


async def test_idle_connections_grow_old(open_: Open, engine_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that a burst left behind are closed after IDLE_SECONDS_MAX, and the engine goes on."""
    monkeypatch.setattr(f"consumer.customfit.engine_{engine_name}.IDLE_SECONDS_MAX", 0.1)
    everyone_is_here = asyncio.Event()

    async def behave(connection: Connection) -> None:
        while True:
            await connection.request()
            if len(connection.requests) == 4:
                everyone_is_here.set()
            await everyone_is_here.wait()
            await connection.answer()

    async with RawServer(behave) as server:
        engine = open_(server.url, request_timeout_seconds=5)
        await asyncio.gather(*(answer_to(engine, BODY) for _ in range(4)))
        answer = None
        async with asyncio.timeout(10):
            while server.closed_count < 3:
                answer = await answer_to(engine, BODY)
                await asyncio.sleep(0.01)

    assert answer == Answered(200, None, b"")


async def test_closing_closes_idle_connections(open_: Open) -> None:
    """The server sees every kept connection end; closing twice is harmless."""
    async with RawServer(answering()) as server:
        engine = open_(server.url)
        await asyncio.gather(*(answer_to(engine, BODY) for _ in range(3)))
        await engine.close()
        await engine.close()
        await server.connections_closed(server.connections)

    assert server.connections > 0


async def test_closing_ends_what_is_in_flight(open_: Open) -> None:
    """A request that waits gets a NoAnswer at once, and so does one after the close."""
    arrived = asyncio.Event()

    async def behave(connection: Connection) -> None:
        await connection.request()
        arrived.set()
        await connection.until_closed()

    async with RawServer(behave) as server:
        engine = open_(server.url)
        task = asyncio.ensure_future(answer_to(engine, BODY))
        await arrived.wait()
        await engine.close()
        answers = [await task, await answer_to(engine, BODY)]

    assert [getattr(answer, "kind", answer) for answer in answers] == ["protocol_error", "protocol_error"]
