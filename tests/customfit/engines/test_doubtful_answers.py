"""Which answer belongs to which request, and when a strangely written one counts: an event lost, or sent for ever."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from consumer.customfit.answers import Answered, NoAnswer
from consumer.customfit.engine import answer_to
from tests.customfit.engines.given_engine import BODY, Open, opening
from tests.fakes.servers import Connection, RawServer, sending

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"


async def test_a_second_answer_is_not_the_next_requests(open_: Open) -> None:
    """Two answers in one packet: the next request gets its own, a 503. An event that nobody took would be lost."""

    async def behave(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(BUSY if len(connection.requests) > 1 else WHOLE + WHOLE)

    async with RawServer(behave) as server:
        engine = open_(server.url)
        answers = [await answer_to(engine, BODY) for _ in range(2)]

    assert [Answered(200, None, b"ok"), Answered(503, None, b"")] == answers


@contextmanager
def held_back() -> Iterator[tuple[str, socket.socket]]:
    """A URL, and a socket that listens there: what is done with it is done while the engine's loop stands still."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1/cfe", listener


async def answered_by_hand(listener: socket.socket, answer: bytes) -> socket.socket:
    """Take the next connection, read a request, say this."""
    connection, _ = await asyncio.to_thread(listener.accept)
    connection.settimeout(5)
    await asyncio.to_thread(connection.recv, 65536)
    connection.sendall(answer)
    return connection


async def test_what_came_before_the_request_is_not_its_answer(open_: Open) -> None:
    """The second answer lies unread in the kernel when the next request is sent; an engine has to look."""
    with held_back() as (url, listener):
        engine = open_(url)
        first = asyncio.ensure_future(answer_to(engine, BODY))
        connection = await answered_by_hand(listener, WHOLE)
        assert Answered(200, None, b"ok") == await first
        with suppress(OSError):  # closed already: that is as good
            connection.sendall(WHOLE)  # nobody has asked, and the loop has no turn before it sends
        second = asyncio.ensure_future(answer_to(engine, BODY))
        other = await answered_by_hand(listener, BUSY)
        assert Answered(503, None, b"") == await second
        connection.close()
        other.close()


async def test_an_answer_to_nothing_is_none() -> None:
    """Who says 200 to whoever connects has not taken the event. The plain engine asks too soon to be told."""

    async def behave(connection: Connection) -> None:
        if connection.number == 1:
            await connection.send(WHOLE)
        await connection.until_closed()

    async with RawServer(behave) as server, opening("httptools") as open_:
        answer = await answer_to(open_(server.url, request_timeout_seconds=0.5), BODY)

    assert isinstance(answer, NoAnswer)


async def test_what_comes_before_the_answer_may_be_early(open_: Open) -> None:
    """100 Continue amid the body says nothing of the 200 behind it, which would be refused and sent again for ever."""
    body = bytes(8_000_000)

    async def behave(connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        await connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await connection.reader.readexactly(len(body))
        await connection.answer()

    async with RawServer(behave) as server:
        answer = await answer_to(open_(server.url), body)

    assert Answered(200, None, b"") == answer


@pytest.mark.parametrize(("status", "counts"), [(200, False), (413, True)])
async def test_a_2xx_counts_from_the_last_byte_of_the_request_on(open_: Open, status: int, counts: bool) -> None:
    """Said while the body is still being sent, it can't speak of all of it; that it is too large can be said then."""

    async def behave(connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        await connection.answer(status)
        await connection.until_closed()

    async with RawServer(behave) as server:
        answer = await answer_to(open_(server.url), bytes(32_000_000))

    if counts:
        assert Answered(status, None, b"") == answer
    else:
        assert isinstance(answer, NoAnswer)
        assert "protocol_error" == answer.kind
        assert "before" in answer.detail


EQUAL_LENGTHS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX: y\r\nContent-Length:2 \r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
]
BARE_LINE_FEEDS = [
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nok",
    b"HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 2\n\nok",
    b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\r\nok\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("said", EQUAL_LENGTHS + BARE_LINE_FEEDS)
@pytest.mark.parametrize("in_pieces", [False, True], ids=["at once", "byte by byte"])
async def test_an_oddly_written_2xx_counts(open_: Open, said: bytes, in_pieces: bool) -> None:
    """Equal lengths are one length (RFC 9110, 8.6), and a line may end without CR (RFC 9112, 2.2)."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        for piece in [said[at : at + 1] for at in range(len(said))] if in_pieces else [said]:
            await connection.send(piece)
        await connection.until_closed()

    async with RawServer(behave) as server:
        answer = await answer_to(open_(server.url), BODY)

    assert Answered(200, None, b"ok") == answer


@pytest.mark.parametrize("said", BARE_LINE_FEEDS)
async def test_a_connection_with_bare_line_feeds_is_closed(open_: Open, said: bytes) -> None:
    """Where two readers may see two things, the next answer can't be told from the rest of this one."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(said)
        await connection.until_closed()

    async with RawServer(behave) as server:
        engine = open_(server.url)
        for count in (1, 2):
            await answer_to(engine, BODY)
            async with asyncio.timeout(5):
                await server.connections_closed(count)

    assert [1, 2] == [request.connection for request in server.requests]


async def test_two_different_lengths_tell_the_status_and_nothing_else() -> None:
    """Where the answer ends can't be known: it counts, and the connection is closed. h11 refuses it."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok")
        await connection.until_closed()

    async with RawServer(behave) as server, opening("httptools") as open_:
        answer = await answer_to(open_(server.url), BODY)
        async with asyncio.timeout(5):
            await server.connections_closed(1)

    assert Answered(200, None, b"") == answer


@pytest.mark.parametrize("status", [200, 401, 503])
async def test_an_odd_head_tells_its_status_and_its_headers(open_: Open, status: int) -> None:
    """A wrong key is a wrong key, and a `Retry-After` holds."""
    said = f"HTTP/1.1 {status} Odd\nRetry-After: 7\nContent-Length: 2\nContent-Length: 2\n\nno".encode()
    async with RawServer(sending(said)) as server:
        answer = await answer_to(open_(server.url), BODY)

    assert Answered(status, "7", b"no") == answer


@pytest.mark.parametrize(
    "trailers",
    [
        b"Retry-After: 99\r\n",
        b"Content-Length: 7\r\n",
        b"Content-Length: 7\r\nContent-Length: 7\r\n",
        b"Transfer-Encoding: gzip\r\nConnection: keep-alive\r\n",
        b"Status: 200\r\n",
    ],
)
async def test_trailers_are_no_headers(open_: Open, trailers: bytes) -> None:
    """Whatever stands behind the last chunk says nothing of the answer, and does not spoil it (RFC 9110, 6.5.1)."""
    said = (
        b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\nRetry-After: 7\r\n\r\n2\r\nok\r\n0\r\n"
        + trailers
        + b"\r\n"
    )
    async with RawServer(sending(said)) as server:
        answer = await answer_to(open_(server.url), BODY)

    assert Answered(503, "7", b"ok") == answer
