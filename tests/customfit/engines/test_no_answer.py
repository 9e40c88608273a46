"""What an engine makes of no answer, or of half of one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from consumer.customfit.answers import Answered, NoAnswer
from consumer.customfit.engine import answer_to
from tests.customfit.engines.given_engine import BODY, ENCODED_KEY, KEY, TIMEOUT_SECONDS, Open
from tests.fakes.servers import Connection, RawServer, closed_port, sending, stalling


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"],
    ids=["before the answer", "in a header", "in the body"],
)
async def test_a_stall_times_out(open_: Open, said: bytes) -> None:
    """The total time is bounded wherever the server stops, and the connection is closed."""
    async with RawServer(stalling(said)) as server:
        answer = await answer_to(open_(server.url, request_timeout_seconds=TIMEOUT_SECONDS), BODY)
        await server.connections_closed(1)

    assert answer == NoAnswer("timeout", "no complete answer within 0.3 s")


async def test_each_of_several_times_out_in_its_own_time(open_: Open) -> None:
    """Whatever was sent before and after it, and whether that was answered; also with nothing sent any more."""
    answered = 0

    async def first_only(connection: Connection) -> None:
        nonlocal answered
        while True:
            await connection.request()
            if answered:
                await connection.until_closed()
                return
            answered += 1
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    loop = asyncio.get_running_loop()
    ended: list[float] = []

    async def post() -> NoAnswer:
        started = loop.time()
        answer = await answer_to(engine, BODY)
        ended.append(loop.time() - started)
        assert isinstance(answer, NoAnswer)
        return answer

    async with RawServer(first_only) as server:
        engine = open_(server.url, request_timeout_seconds=TIMEOUT_SECONDS)
        assert isinstance(await answer_to(engine, BODY), Answered)
        tasks = []
        for _ in range(3):
            tasks.append(asyncio.ensure_future(post()))
            await asyncio.sleep(TIMEOUT_SECONDS / 3)
        answers = await asyncio.wait_for(asyncio.gather(*tasks), 60)

    assert [NoAnswer("timeout", "no complete answer within 0.3 s")] * 3 == answers
    assert all(seconds > TIMEOUT_SECONDS - 0.05 for seconds in ended), "nobody's time was cut"


async def test_a_slow_body_times_out(open_: Open) -> None:
    """Bytes that keep trickling in do not extend the time."""

    async def trickle(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        while True:
            await connection.send(b"x")
            await asyncio.sleep(TIMEOUT_SECONDS / 10)

    async with RawServer(trickle) as server:
        answer = await answer_to(open_(server.url, request_timeout_seconds=TIMEOUT_SECONDS), BODY)

    assert answer == NoAnswer("timeout", "no complete answer within 0.3 s")


async def test_a_stalled_tls_handshake_times_out(open_: Open) -> None:
    """A server that accepts and then says nothing is a time-out like any other."""
    async with RawServer(Connection.until_closed) as server:
        answer = await answer_to(open_(server.url.replace("http:", "https:"), request_timeout_seconds=0.2), BODY)
        await server.connections_closed(1)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "timeout"


async def reset_unanswered(connection: Connection) -> None:
    """Break the connection instead of answering."""
    await connection.request()
    connection.reset()


async def reset_in_the_body(connection: Connection) -> None:
    """Break the connection in the middle of the answer."""
    await connection.request()
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    connection.reset()


@pytest.mark.parametrize(
    "behaviour",
    [
        reset_unanswered,
        reset_in_the_body,
        sending(b""),
        sending(b"HTTP/1.1 200"),
        sending(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
        sending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhel"),
        sending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n"),
        sending(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
        sending(f"SSH-2.0-garbage {KEY} \x00\x1b[31m\r\n\r\n".encode()),
        sending(b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"y" * 2_000_000),
    ],
    ids=[
        "RST unanswered",
        "RST in the body",
        "FIN unanswered",
        "FIN in the status line",
        "FIN in the body",
        "FIN in a chunk",
        "bad chunk",
        "bad length",
        "garbage",
        "huge header",
    ],
)
async def test_a_broken_answer_is_a_protocol_error(
    open_: Open, behaviour: Callable[[Connection], Awaitable[None]]
) -> None:
    """It was sent, so it is no connect_error and not sent again; the reason is one printable line without the key."""
    async with RawServer(behaviour) as server:
        answer = await answer_to(open_(server.url, request_timeout_seconds=5), BODY)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "protocol_error"
    assert len(server.requests) == 1
    assert answer.detail.isprintable()
    assert 0 < len(answer.detail) <= 200
    assert KEY not in answer.detail


@pytest.mark.parametrize("auth", ["bearer", "query"])
@pytest.mark.parametrize("where", ["refused", "unresolvable", "not TLS"])
async def test_no_connection_is_a_connect_error(open_: Open, where: str, auth: str) -> None:
    """Refused, no such host, no TLS: nothing was sent. The reason says which, without the key or the URL's query."""

    async def speak_plainly(connection: Connection) -> None:
        await connection.send(b"220 plain text\r\n")
        await connection.until_closed()

    async with RawServer(speak_plainly) as server:
        url = {
            "refused": f"http://127.0.0.1:{closed_port()}/?team=7",
            "unresolvable": "http://customfit.invalid/?team=7",
            "not TLS": server.url.replace("http:", "https:") + "?team=7",
        }[where]
        answer = await answer_to(open_(url, api_auth=auth, request_timeout_seconds=5), BODY)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "connect_error"
    assert answer.detail
    assert not any(text in answer.detail for text in (KEY, ENCODED_KEY, "cfenc", "team=7"))
