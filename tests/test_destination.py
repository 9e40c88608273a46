"""The HTTP engines, held to one contract by servers that misbehave in every way a network knows."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from consumer.answers import Answered, NoAnswer
from consumer.destination import Engine, EngineUnavailable, open_engine, proxy_for
from consumer.settings import Settings, load_settings
from tests.servers import (
    Connection,
    RawServer,
    TlsFiles,
    answering,
    closed_port,
    endless,
    make_tls,
    sending,
    stalling,
)

KEY = "server+key/with=odd&characters"
ENCODED_KEY = "server%2Bkey%2Fwith%3Dodd%26characters"
TIMEOUT_SECONDS = 0.3
BODY = b'{"user":{"user_customer_id":"u1"}}'

Open = Callable[..., Engine]


def settings_for(url: str, **fields: Any) -> Settings:
    """Settings with our key and URL, and fields that `load_settings` might find out of bounds."""
    settings = load_settings({"CUSTOMFIT_API_KEY": KEY, "CUSTOMFIT_API_URL": "http://127.0.0.1/"})
    return dataclasses.replace(settings, api_url=url, **fields)


@pytest.fixture(params=["httptools", "pyreqwest", "httpx"])
def engine_name(request: pytest.FixtureRequest) -> str:
    """Each engine that is installed."""
    if request.param != "httpx":
        pytest.importorskip(request.param)
    return str(request.param)


@pytest.fixture
async def open_(engine_name: str) -> AsyncIterator[Open]:
    """Opens the engine under test for a URL; closes what it opened."""
    async with opening(engine_name) as open_one:
        yield open_one


@asynccontextmanager
async def opening(engine_name: str) -> AsyncIterator[Open]:
    """What the fixture is made of, for other loops than the fixture's."""
    engines: list[Engine] = []

    def open_one(url: str, environ: Mapping[str, str] | None = None, **fields: Any) -> Engine:
        fields = {"request_timeout_seconds": 5.0, "in_flight_max": 4, "http_engine": engine_name} | fields
        engines.append(open_engine(settings_for(url, **fields), environ or {}))
        return engines[-1]

    yield open_one
    for engine in engines:
        await engine.close()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """An own CA, and a server's side of TLS with it."""
    files = make_tls(tmp_path_factory.mktemp("tls"))
    if files is None:
        pytest.skip("no openssl command")
    return files


@pytest.fixture
def takes_proxies(engine_name: str) -> None:
    """Leaves out the engine that connects directly only."""
    if engine_name == "httptools":
        with pytest.raises(EngineUnavailable, match=r"CUSTOMFIT_HTTP_ENGINE=httptools .* NO_PROXY"):
            open_engine(settings_for("http://a/", http_engine=engine_name), {"HTTP_PROXY": "http://p:1"})
        pytest.skip("connects directly, and says so")


# What is sent


async def test_sends_one_json_post_with_a_bearer_key(open_: Open) -> None:
    """The body goes out as it is, with the key in a header and no compressed answer asked for."""
    async with RawServer(answering()) as server:
        engine = open_(f"{server.url}?team=7")
        await engine.post(BODY)

    (request,) = server.requests
    assert request.line == "POST /v1/cfe?team=7 HTTP/1.1"
    assert request.body == BODY
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"].startswith("customfit-consumer/")


@pytest.mark.parametrize(
    ("given", "sent"), [("", f"?cfenc={ENCODED_KEY}"), ("?team=7&x=%20", f"?team=7&x=%20&cfenc={ENCODED_KEY}")]
)
async def test_sends_the_key_in_the_query_where_asked(open_: Open, given: str, sent: str) -> None:
    """`query` adds the percent-encoded key behind what the URL already has, and sends no Authorization."""
    async with RawServer(answering()) as server:
        engine = open_(f"{server.url}{given}", api_auth="query")
        await engine.post(BODY)

    (request,) = server.requests
    assert request.line == f"POST /v1/cfe{sent} HTTP/1.1"
    assert "authorization" not in request.headers


async def test_sends_large_bodies_whole(open_: Open) -> None:
    """A batch of the largest size arrives byte for byte."""
    body = bytes(range(256)) * 4096
    async with RawServer(answering()) as server:
        answer = await open_(server.url, request_timeout_seconds=5).post(body)

    assert answer == Answered(200, None, b"")
    assert server.requests[0].body == body


async def test_keeps_no_cookies(open_: Open) -> None:
    """What one answer sets is not sent with the next request."""
    async with RawServer(answering(200, b"", "Set-Cookie: a=b")) as server:
        engine = open_(server.url)
        await engine.post(BODY)
        await engine.post(BODY)

    assert [False, False] == ["cookie" in request.headers for request in server.requests]


# Answers


@pytest.mark.parametrize(
    ("status", "body", "headers", "retry_after"),
    [
        (200, b'{"ok":true}', (), None),
        (202, b"accepted", (), None),
        (204, b"", (), None),
        (302, b"", ("Location: /elsewhere",), None),
        (401, b"no such key", (), None),
        (404, b"", (), None),
        (429, b"slow down", ("Retry-After: 7",), "7"),
        (500, b"oops", (), None),
        (503, b"", ("retry-after: Fri, 31 Dec 1999 23:59:59 GMT",), "Fri, 31 Dec 1999 23:59:59 GMT"),
        (503, b"", ("Retry-After: " + "9" * 4000,), "9" * 100),
    ],
)
async def test_every_status_is_an_answer(
    open_: Open, status: int, body: bytes, headers: tuple[str, ...], retry_after: str | None
) -> None:
    """Status, Retry-After and body come back as they are; a redirect is not followed."""
    async with RawServer(answering(status, body, *headers)) as server:
        answer = await open_(server.url).post(BODY)

    assert answer == Answered(status, retry_after, body)
    assert len(server.requests) == 1


async def test_an_unreadable_retry_after_is_still_an_answer(open_: Open) -> None:
    """Bytes that are no text in a header do not turn an answer into an exception."""
    answer_bytes = b"HTTP/1.1 503 Busy\r\nRetry-After: \xff\xfe\r\nContent-Length: 0\r\n\r\n"
    async with RawServer(sending(answer_bytes)) as server:
        answer = await open_(server.url).post(BODY)

    assert isinstance(answer, Answered)
    assert answer.status == 503


async def test_keeps_the_beginning_of_the_body(open_: Open) -> None:
    """512 bytes of it are kept."""
    async with RawServer(answering(400, b"x" * 5000)) as server:
        answer = await open_(server.url).post(BODY)

    assert answer == Answered(400, None, b"x" * 512)


@pytest.mark.parametrize("said", [KEY, ENCODED_KEY])
async def test_the_key_is_blotted_out_of_a_body(open_: Open, said: str) -> None:
    """A server that says the key back does not get it into a dead letter."""
    async with RawServer(answering(401, f"unknown key '{said}'".encode())) as server:
        answer = await open_(server.url).post(BODY)

    assert answer == Answered(401, None, b"unknown key '***'")


async def test_a_compressed_body_is_not_unpacked(open_: Open) -> None:
    """A decompression bomb stays packed."""
    async with RawServer(answering(200, b"\x1f\x8bpacked", "Content-Encoding: gzip")) as server:
        answer = await open_(server.url).post(BODY)

    assert answer == Answered(200, None, b"\x1f\x8bpacked")


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"x" * 32768 + b"\r\n"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"8000\r\n" + b"x" * 32768 + b"\r\n",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
    ],
    ids=["100 MB", "endless chunks", "chunks with a length", "no length"],
)
async def test_a_huge_body_is_cut_off(open_: Open, head: bytes, piece: bytes) -> None:
    """Reading stops at 64 KiB and the connection is closed; the status counts."""
    async with RawServer(endless(head, piece)) as server:
        answer = await open_(server.url, request_timeout_seconds=5).post(BODY)
        await server.connections_closed(1)

    assert answer == Answered(200, None, b"x" * 512)


# No answer


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"],
    ids=["before the answer", "in a header", "in the body"],
)
async def test_a_stall_times_out(open_: Open, said: bytes) -> None:
    """The total time is bounded wherever the server stops, and the connection is closed."""
    async with RawServer(stalling(said)) as server:
        answer = await open_(server.url, request_timeout_seconds=TIMEOUT_SECONDS).post(BODY)
        await server.connections_closed(1)

    assert answer == NoAnswer("timeout", "no complete answer within 0.3 s")


async def test_a_slow_body_times_out(open_: Open) -> None:
    """Bytes that keep trickling in do not extend the time."""

    async def trickle(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        while True:
            await connection.send(b"x")
            await asyncio.sleep(TIMEOUT_SECONDS / 10)

    async with RawServer(trickle) as server:
        answer = await open_(server.url, request_timeout_seconds=TIMEOUT_SECONDS).post(BODY)

    assert answer == NoAnswer("timeout", "no complete answer within 0.3 s")


async def test_a_stalled_tls_handshake_times_out(open_: Open) -> None:
    """A server that accepts and then says nothing is a time-out like any other."""
    async with RawServer(Connection.until_closed) as server:
        answer = await open_(server.url.replace("http:", "https:"), request_timeout_seconds=0.2).post(BODY)
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
        answer = await open_(server.url, request_timeout_seconds=5).post(BODY)

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
        answer = await open_(url, api_auth=auth, request_timeout_seconds=5).post(BODY)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "connect_error"
    assert answer.detail
    assert not any(text in answer.detail for text in (KEY, ENCODED_KEY, "cfenc", "team=7"))


# Connections


async def test_a_connection_is_kept_for_the_next_request(open_: Open) -> None:
    """Requests one after the other share a connection."""
    async with RawServer(answering()) as server:
        engine = open_(server.url)
        for _ in range(5):
            await engine.post(BODY)

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
            answers.append(await engine.post(BODY))
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
        first = await engine.post(b"[1]")
        second = await engine.post(b"[2]")
        third = await engine.post(b"[3]")

    assert first == third == Answered(200, None, b"")
    assert isinstance(second, NoAnswer)
    assert second.kind == "protocol_error"
    assert server.connections == 2
    assert [b"[1]", b"[2]", b"[3]"] == [r.body for r in server.requests] or read == "one byte"


@pytest.mark.parametrize("version", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"])
async def test_a_body_ended_by_closing_is_complete(open_: Open, version: bytes) -> None:
    """HTTP/1.0 and `Connection: close` without a length are answers, and the next request connects anew."""
    async with RawServer(sending(version + b"whole")) as server:
        engine = open_(server.url)
        answers = [await engine.post(BODY) for _ in range(2)]

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
            answers = await asyncio.gather(*(engine.post(BODY) for _ in range(count)))
            assert answers == [Answered(200, None, b"")] * count

    assert {request.connection for request in server.requests} == set(range(1, count + 1))


async def test_cancelling_ends_the_wait_and_the_engine_goes_on(open_: Open) -> None:
    """CancelledError comes through, no slot is lost, and the next requests are answered."""
    arrived = asyncio.Event()

    async def behave(connection: Connection) -> None:
        request = await connection.request()
        if request.body == b"[0]":
            arrived.set()
            await connection.until_closed()
        await connection.answer()

    async with RawServer(behave) as server:
        engine = open_(server.url, in_flight_max=1)
        for _ in range(3):
            arrived.clear()
            task = asyncio.ensure_future(engine.post(b"[0]"))
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        answer = await engine.post(BODY)

    assert answer == Answered(200, None, b"")


async def test_idle_connections_grow_old(open_: Open, engine_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that a burst left behind are closed after IDLE_SECONDS_MAX, and the engine goes on."""
    monkeypatch.setattr(f"consumer.engine_{engine_name}.IDLE_SECONDS_MAX", 0.1)
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
        await asyncio.gather(*(engine.post(BODY) for _ in range(4)))
        answer = None
        async with asyncio.timeout(10):
            while server.closed_count < 3:
                answer = await engine.post(BODY)
                await asyncio.sleep(0.01)

    assert answer == Answered(200, None, b"")


async def test_closing_closes_idle_connections(open_: Open) -> None:
    """The server sees every kept connection end; closing twice is harmless."""
    async with RawServer(answering()) as server:
        engine = open_(server.url)
        await asyncio.gather(*(engine.post(BODY) for _ in range(3)))
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
        task = asyncio.ensure_future(engine.post(BODY))
        await arrived.wait()
        await engine.close()
        answers = [await task, await engine.post(BODY)]

    assert [getattr(answer, "kind", answer) for answer in answers] == ["protocol_error", "protocol_error"]


# TLS and proxies


async def test_an_own_ca_is_trusted_when_given(open_: Open, tls: TlsFiles) -> None:
    """CUSTOMFIT_API_CA_FILE makes a server with a certificate from it acceptable; without it nothing is sent."""
    async with RawServer(answering(200, b"ok"), tls=tls.context) as server:
        trusting = await open_(server.url, api_ca_file=tls.ca, request_timeout_seconds=5).post(BODY)
        distrusting = await open_(server.url, request_timeout_seconds=5).post(BODY)

    assert trusting == Answered(200, None, b"ok")
    assert isinstance(distrusting, NoAnswer)
    assert distrusting.kind == "connect_error"
    assert "certificate" in distrusting.detail
    assert len(server.requests) == 1


async def test_the_host_name_is_verified(open_: Open, tls: TlsFiles) -> None:
    """A certificate for another name from a trusted CA is refused."""
    async with RawServer(answering(), tls=tls.context) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        answer = await open_(url, api_ca_file=tls.ca, request_timeout_seconds=5).post(BODY)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "connect_error"
    assert server.requests == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read"),
        ("", "holds no PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "damaged"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "damaged"),
    ],
)
def test_a_bad_ca_file_is_refused(engine_name: str, tmp_path: Path, content: str | None, said: str) -> None:
    """The message names the setting and what is wrong with the file."""
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content, encoding="ascii")

    with pytest.raises(EngineUnavailable, match=f"CUSTOMFIT_API_CA_FILE: .*{said}"):
        open_engine(settings_for("https://x.invalid/", http_engine=engine_name, api_ca_file=ca_file), {})


@pytest.mark.usefixtures("takes_proxies")
async def test_a_plain_request_goes_through_the_proxy(open_: Open) -> None:
    """The proxy gets the whole URL and its own credentials, decoded; the destination's key only as usual."""
    async with RawServer(answering(200, b"by proxy")) as proxy:
        environ = {"HTTP_PROXY": f"http://me:p%40ss@127.0.0.1:{proxy.port}"}
        answer = await open_("http://customfit.invalid/v1/cfe?team=7", environ).post(BODY)

    assert answer == Answered(200, None, b"by proxy")
    (request,) = proxy.requests
    assert request.line == "POST http://customfit.invalid/v1/cfe?team=7 HTTP/1.1"
    assert request.headers["proxy-authorization"] == f"Basic {base64.b64encode(b'me:p@ss').decode()}"
    assert request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.usefixtures("takes_proxies")
async def test_the_proxy_itself_may_speak_tls(open_: Open, tls: TlsFiles) -> None:
    """An https:// proxy is verified with the same certificates, the own CA among them."""
    async with RawServer(answering(200, b"by proxy"), tls=tls.context) as proxy:
        environ = {"HTTP_PROXY": f"https://127.0.0.1:{proxy.port}"}
        url = "http://customfit.invalid/"
        trusting = await open_(url, environ, api_ca_file=tls.ca, request_timeout_seconds=5).post(BODY)
        distrusting = await open_(url, environ, request_timeout_seconds=5).post(BODY)

    assert trusting == Answered(200, None, b"by proxy")
    assert isinstance(distrusting, NoAnswer)
    assert distrusting.kind == "connect_error"


@pytest.mark.usefixtures("takes_proxies")
async def test_a_tls_request_goes_through_a_tunnel(open_: Open, tls: TlsFiles) -> None:
    """The proxy sees CONNECT and ciphertext; the server behind it is verified by the name asked for."""

    async def tunnel(connection: Connection) -> None:
        request = await connection.request()
        host, port = request.line.split()[1].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await connection.send(b"HTTP/1.1 200 Connected\r\n\r\n")

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(65536):
                    sink.write(data)
            finally:
                sink.close()

        await asyncio.gather(pump(connection.reader, writer), pump(reader, connection.writer))

    async with RawServer(answering(200, b"ok"), tls=tls.context) as server, RawServer(tunnel) as proxy:
        environ = {"https_proxy": f"127.0.0.1:{proxy.port}"}
        engine = open_(server.url, environ, api_ca_file=tls.ca, request_timeout_seconds=5)
        answer = await engine.post(BODY)
        await engine.close()

    assert answer == Answered(200, None, b"ok")
    assert [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"] == [request.line for request in proxy.requests]
    assert "authorization" not in proxy.requests[0].headers


@pytest.mark.usefixtures("takes_proxies")
async def test_a_proxy_that_refuses_is_a_connect_error(open_: Open) -> None:
    """407 to CONNECT says nothing about the destination; the proxy's password is not told."""
    async with RawServer(answering(407)) as proxy:
        environ = {"HTTPS_PROXY": f"http://me:pass-word@127.0.0.1:{proxy.port}"}
        answer = await open_("https://customfit.invalid/", environ, request_timeout_seconds=5).post(BODY)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "connect_error"
    assert "pass-word" not in answer.detail


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("https://a.b/", {}, None),
        ("https://a.b/", {"HTTP_PROXY": "http://p:1"}, None),
        ("https://a.b/", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://a.b/", {"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:1"}, "http://q:1"),
        ("http://a.b/", {"HTTP_PROXY": "p:1"}, "http://p:1"),
        ("http://a.b/", {"ALL_PROXY": "https://p:1"}, "https://p:1"),
        ("https://a.b/", {"HTTPS_PROXY": ""}, None),
        ("https://a.b/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ("https://a.b/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "x, A.B"}, None),
        ("https://a.b/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".b"}, None),
        ("https://a.b/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*.b"}, None),
        ("https://a.b/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ". ,"}, "http://p:1"),
        ("https://a.b/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.b:443"}, None),
        ("https://a.b/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.b:444"}, "http://p:1"),
        ("https://aa.b/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.b"}, "http://p:1"),
        ("http://10.1.2.3:80/", {"http_proxy": "http://p:1", "no_proxy": "10.0.0.0/8"}, None),
        ("http://11.1.2.3:80/", {"http_proxy": "http://p:1", "no_proxy": "10.0.0.0/8"}, "http://p:1"),
        ("http://[::1]:80/", {"http_proxy": "http://p:1", "no_proxy": "::1"}, None),
    ],
)
def test_proxy_variables_are_read_like_curl_does(url: str, environ: dict[str, str], proxy: str | None) -> None:
    """By the URL's scheme, lower case first, minus what NO_PROXY lists."""
    assert proxy_for(urlsplit(url), environ) == proxy


# Opening


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"HTTP_PROXY": "socks5://me:secret@p:1"}, "HTTP_PROXY"),
        ({"HTTP_PROXY": "http://me:secret@p:99999"}, "HTTP_PROXY"),
        ({"all_proxy": "http://:secret@"}, "all_proxy"),
    ],
)
def test_a_proxy_that_no_engine_can_use_is_refused(engine_name: str, environ: dict[str, str], variable: str) -> None:
    """The message names the variable and shows no password."""
    with pytest.raises(EngineUnavailable, match=variable) as raised:
        open_engine(settings_for("http://a/", http_engine=engine_name), environ)

    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("installed", "environ", "name"),
    [
        (("httptools", "pyreqwest"), {}, "httptools"),
        (("httptools", "pyreqwest"), {"HTTP_PROXY": "http://p:1"}, "pyreqwest"),
        (("httptools",), {"HTTP_PROXY": "http://p:1"}, "httpx"),
        (("pyreqwest",), {}, "pyreqwest"),
        ((), {}, "httpx"),
    ],
)
async def test_auto_takes_the_fastest_that_can_do_it(
    monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...], environ: dict[str, str], name: str
) -> None:
    """Httptools connects directly only; without the extra `fast` there is httpx."""
    for module in ("httptools", "pyreqwest"):
        if module in installed:
            pytest.importorskip(module)
        else:
            monkeypatch.setitem(sys.modules, module, None)
            monkeypatch.setitem(sys.modules, f"{module}.client", None)
    engine = open_engine(settings_for("http://a/"), environ)
    await engine.close()

    assert name == engine.name


@pytest.mark.parametrize("name", ["httptools", "pyreqwest"])
def test_an_engine_that_is_asked_for_must_be_installed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The message says how to install it."""
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, f"{name}.client", None)

    with pytest.raises(EngineUnavailable, match=rf"CUSTOMFIT_HTTP_ENGINE={name}: .*customfit-consumer\[fast\]"):
        open_engine(settings_for("http://a/", http_engine=name), {})


@pytest.mark.parametrize("auth", ["bearer", "query"])
async def test_the_key_is_in_no_repr_and_no_log(open_: Open, caplog: pytest.LogCaptureFixture, auth: str) -> None:
    """Not even with every logger at DEBUG."""
    caplog.set_level(logging.DEBUG)
    async with RawServer(answering()) as server:
        engine = open_(server.url, api_auth=auth)
        await engine.post(BODY)
        shown = [repr(engine), repr(vars(engine).get("_target")), caplog.text]

    assert server.url in shown[0]
    assert not any(key in text for key in (KEY, ENCODED_KEY) for text in shown)
