"""What only the engine that reads HTTP by itself can get wrong; the rest is beside this file."""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from consumer.customfit.answers import Answer, Answered, NoAnswer
from consumer.customfit.connection import RECEIVED_BYTES_MAX
from consumer.customfit.engine import Engine, answer_to
from consumer.customfit.engine_httptools import HttptoolsEngine
from consumer.customfit.opening import open_engine
from consumer.settings import load_settings
from tests.customfit.engines import (
    test_connections,
    test_http_answers,
    test_no_answer,
    test_proxies,
    test_requests,
    test_tls,
)
from tests.customfit.engines.given_engine import Open, opening
from tests.fakes.servers import Behaviour, Connection, RawServer, answering, make_tls, sending

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
        answer = await answer_to(engine, BODY)
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
        answer = await answer_to(engine, BODY)
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
        first = await answer_to(engine, BODY)
        async with asyncio.timeout(5):
            await server.connections_closed(1)
        second = await answer_to(engine, BODY)
        await engine.close()

    assert [Answered(200, None, b"ok")] * 2 == [first, second]
    assert [1, 2] == [request.connection for request in server.requests]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"])
async def test_another_protocol_is_no_answer(answer: bytes) -> None:
    """It was not asked for."""
    async with RawServer(sending(answer)) as server:
        engine = engine_for(server.url)
        answered = await answer_to(engine, BODY)
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
        answers = [await answer_to(engine, body) for body in bodies]
        return [body for body, answer in zip(bodies, answers, strict=True) if answer != Answered(200, None, body)]

    async with RawServer(echo) as server:
        engine = engine_for(server.url)
        mistaken = await asyncio.gather(*(call(caller) for caller in range(20)))
        await engine.close()

    assert [[]] * 20 == mistaken
    assert 20 == server.connections


@pytest.mark.parametrize(("behind_the_host", "path"), [("?team=7", "/?team=7"), ("//v1//cfe", "//v1//cfe")])
async def test_the_path_is_asked_for_as_it_was_written(behind_the_host: str, path: str) -> None:
    """Without a path it is the root's; two slashes are no host."""
    async with RawServer(answering()) as server:
        engine = engine_for(f"http://127.0.0.1:{server.port}{behind_the_host}")
        await answer_to(engine, BODY)
        await engine.close()

    (request,) = server.requests
    assert f"POST {path} HTTP/1.1" == request.line
    assert f"127.0.0.1:{server.port}" == request.headers["host"]


async def test_a_coding_other_than_chunks_ends_with_the_connection() -> None:
    """An answer must not be lost, and its events sent for ever, because of a header that means nothing to us."""
    async with RawServer(sending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok")) as server:
        engine = engine_for(server.url)
        answer = await answer_to(engine, BODY)
        await engine.close()

    assert Answered(200, None, b"ok") == answer


@pytest.mark.parametrize("piece", [b"X: y\r\n" * 1000, b"x" * 8000], ids=["many", "one"])
async def test_endless_trailers_are_cut_off(piece: bytes) -> None:
    """What comes behind the last chunk is limited too; the status counts."""
    sent_bytes = 0
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: "

    async def behave(connection: Connection) -> None:
        nonlocal sent_bytes
        await connection.request()
        await connection.send(head)
        while sent_bytes < 100 * RECEIVED_BYTES_MAX:
            await connection.send(piece)
            sent_bytes += len(piece)

    async with RawServer(behave) as server:
        engine = engine_for(server.url)
        answer = await answer_to(engine, BODY)
        await server.connections_closed(1)
        await engine.close()

    assert Answered(200, None, b"ok") == answer


async def test_a_connection_that_is_closing_is_not_used() -> None:
    """The server's end came in this very turn, and the transport has yet to tell."""
    async with RawServer(answering()) as server:
        engine = engine_for(server.url)
        assert isinstance(engine, HttptoolsEngine)
        await answer_to(engine, BODY)
        engine.idle[-1].transport.close()
        answer = await answer_to(engine, BODY)
        await engine.close()

    assert Answered(200, None, b"") == answer
    assert [1, 2] == [request.connection for request in server.requests]


async def test_an_answer_before_the_whole_request_ends_the_connection() -> None:
    """The next request would stand behind what may never be read."""

    async def behave(connection: Connection) -> None:
        if connection.number == 1:
            await connection.reader.readuntil(b"\r\n\r\n")
            await connection.answer(413)
            await asyncio.Event().wait()  # reads nothing more, and does not close
        await connection.request()
        await connection.answer()

    async with RawServer(behave) as server:
        engine = engine_for(server.url)
        answers = [await answer_to(engine, bytes(32_000_000)), await answer_to(engine, BODY)]
        await engine.close()

    assert [Answered(413, None, b""), Answered(200, None, b"")] == answers


def resolving_to(*addresses: str) -> Callable[..., Coroutine[Any, Any, list[Any]]]:
    """A stand-in for `loop.getaddrinfo`."""

    async def getaddrinfo(_host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return getaddrinfo


async def test_an_address_that_does_not_answer_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name has several addresses and the first is a black hole (IPv6 that leads nowhere): the next one is tried."""
    with socket.socket() as hole, socket.socket() as first, socket.socket() as second:
        async with RawServer(answering()) as server:
            hole.bind(("127.0.0.2", server.port))
            hole.listen(0)
            for filler in (first, second):  # the kernel answers nobody while the queue is full
                filler.setblocking(False)
                filler.connect_ex(hole.getsockname())
            monkeypatch.setattr(
                asyncio.get_running_loop(), "getaddrinfo", resolving_to("127.0.0.2", "127.0.0.2", "127.0.0.1")
            )
            engine = engine_for(f"http://two.invalid:{server.port}/")
            answer = await answer_to(engine, BODY)
            await engine.close()

    assert Answered(200, None, b"") == answer


async def test_an_address_that_refuses_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is tried at once; where all refuse, the request is told so."""
    async with RawServer(answering()) as server:
        loop = asyncio.get_running_loop()
        engine = engine_for(f"http://two.invalid:{server.port}/")
        monkeypatch.setattr(loop, "getaddrinfo", resolving_to("127.0.0.2", "127.0.0.1"))
        answer = await answer_to(engine, BODY)
        await engine.close()
        other = engine_for(f"http://two.invalid:{server.port}/")
        monkeypatch.setattr(loop, "getaddrinfo", resolving_to("127.0.0.2", "127.0.0.3"))
        refused = await answer_to(other, BODY)
        await other.close()

    assert Answered(200, None, b"") == answer
    assert isinstance(refused, NoAnswer)
    assert refused.kind == "connect_error"


async def test_a_fault_while_connecting_reaches_whoever_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request without any outcome would keep its user waiting for ever."""

    async def getaddrinfo(*_: object, **__: object) -> list[Any]:
        raise RuntimeError("not foreseen")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    engine = engine_for("http://a.invalid/")
    with pytest.raises(RuntimeError, match="not foreseen"):
        await asyncio.wait_for(answer_to(engine, BODY), 5)
    await engine.close()


# The contract once more, on the loop that `run` has where it is installed


def contract() -> list[Callable[[Open], Coroutine[Any, Any, None]]]:
    """What is demanded of each engine and needs no other fixture."""
    return [
        test
        for module in (test_requests, test_http_answers, test_no_answer, test_connections, test_proxies, test_tls)
        for name, test in vars(module).items()
        if name.startswith("test_") and list(inspect.signature(test).parameters) == ["open_"]
    ]


@pytest.mark.parametrize("demand", contract(), ids=lambda test: test.__name__)
def test_it_is_the_same_on_uvloop(demand: Callable[[Open], Coroutine[Any, Any, None]]) -> None:
    """Its transports write at once and end in another order than asyncio's."""
    uvloop = pytest.importorskip("uvloop")

    async def run() -> None:
        async with opening("httptools") as open_:
            await demand(open_)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def test_tls_is_the_same_on_uvloop(tmp_path: Path) -> None:
    """What `run` does where all is installed: large bodies whole, connections kept, a silent handshake given up."""
    uvloop = pytest.importorskip("uvloop")
    if (tls := make_tls(tmp_path)) is None:
        pytest.skip("no openssl command")

    async def echo_size(connection: Connection) -> None:
        while True:
            request = await connection.request()
            await connection.answer(200, str(len(request.body)).encode())

    async def call(url: str, silent_url: str) -> tuple[list[Answer], Answer]:
        async with opening("httptools") as open_:
            engine = open_(url, api_ca_file=tls.ca, request_timeout_seconds=10)
            answers = [await answer_to(engine, b"1")]
            answers += await asyncio.gather(*(answer_to(engine, bytes(450_000)) for _ in range(4)))
            answers += await asyncio.gather(*(answer_to(engine, bytes(size)) for size in range(4)))
            silent = open_(silent_url.replace("http:", "https:"), api_ca_file=tls.ca, request_timeout_seconds=0.3)
            return answers, await answer_to(silent, BODY)

    def call_on_uvloop(url: str, silent_url: str) -> tuple[list[Answer], Answer]:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(call(url, silent_url))

    async def serve() -> tuple[tuple[list[Answer], Answer], int]:
        # In a loop of its own: uvloop does not take over a connection for TLS as asyncio does (`start_tls`).
        async with RawServer(echo_size, tls=tls.context) as server, RawServer(Connection.until_closed) as silent:
            return await asyncio.to_thread(call_on_uvloop, server.url, silent.url), server.connections

    (answers, silence), connections = asyncio.run(serve())

    assert [Answered(200, None, str(size).encode()) for size in (1, *[450_000] * 4, *range(4))] == answers
    assert NoAnswer("timeout", "no connection within 0.3 s") == silence
    assert 4 == connections


def test_the_contract_is_not_empty() -> None:
    """A renamed fixture must not leave the tests above without any."""
    assert len(contract()) >= 13
