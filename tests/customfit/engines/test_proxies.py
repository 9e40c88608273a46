"""How an engine goes through a proxy: the whole URL for http, a tunnel for https."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import urlsplit

import pytest

from consumer.customfit.answers import Answered, NoAnswer
from consumer.customfit.engine import answer_to
from consumer.customfit.proxies import proxy_for
from tests.customfit.engines.given_engine import BODY, KEY, Open, opening
from tests.fakes.servers import (
    Behaviour,
    Connection,
    RawServer,
    TlsFiles,
    answering,
    closed_port,
    sending,
    stalling,
    tunnelling,
)


async def test_a_plain_request_goes_through_the_proxy(open_: Open) -> None:
    """The proxy gets the whole URL and its own credentials, decoded; the destination's key only as usual."""
    async with RawServer(answering(200, b"by proxy")) as proxy:
        environ = {"HTTP_PROXY": f"http://me:p%40ss@127.0.0.1:{proxy.port}"}
        answer = await answer_to(open_("http://customfit.invalid/v1/cfe?team=7", environ), BODY)

    assert answer == Answered(200, None, b"by proxy")
    (request,) = proxy.requests
    assert request.line == "POST http://customfit.invalid/v1/cfe?team=7 HTTP/1.1"
    assert request.headers["proxy-authorization"] == f"Basic {base64.b64encode(b'me:p@ss').decode()}"
    assert request.headers["authorization"] == f"Bearer {KEY}"


async def test_the_proxy_itself_may_speak_tls(open_: Open, tls: TlsFiles) -> None:
    """An https:// proxy is verified with the same certificates, the own CA among them."""
    async with RawServer(answering(200, b"by proxy"), tls=tls.context) as proxy:
        environ = {"HTTP_PROXY": f"https://127.0.0.1:{proxy.port}"}
        url = "http://customfit.invalid/"
        trusting = await answer_to(open_(url, environ, api_ca_file=tls.ca, request_timeout_seconds=5), BODY)
        distrusting = await answer_to(open_(url, environ, request_timeout_seconds=5), BODY)

    assert trusting == Answered(200, None, b"by proxy")
    assert isinstance(distrusting, NoAnswer)
    assert distrusting.kind == "connect_error"


async def test_a_proxy_that_closes_without_saying_so_costs_no_answer(open_: Open) -> None:
    """What is sent on a connection that is about to be closed would have to be sent again."""

    async def answer_and_close(connection: Connection) -> None:
        await connection.request()
        await connection.answer()
        await asyncio.sleep(0.02)

    async with RawServer(answer_and_close) as proxy:
        engine = open_("http://customfit.invalid/", {"http_proxy": f"http://127.0.0.1:{proxy.port}"})
        answers = [await answer_to(engine, BODY) for _ in range(3)]

    assert [Answered(200, None, b"")] * 3 == answers
    assert 3 == len(proxy.requests)


async def test_a_proxy_that_says_so_keeps_its_connections() -> None:
    """As squid does; the plain engine, httpx, takes a new connection each time."""
    async with RawServer(answering(200, b"", "Connection: keep-alive")) as proxy, opening("httptools") as open_:
        engine = open_("http://customfit.invalid/", {"http_proxy": f"http://127.0.0.1:{proxy.port}"})
        answers = [await answer_to(engine, BODY) for _ in range(3)]

    assert [Answered(200, None, b"")] * 3 == answers
    assert 1 == proxy.connections


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_tls_request_goes_through_a_tunnel(open_: Open, tls: TlsFiles, scheme: str) -> None:
    """The proxy sees one CONNECT and ciphertext, in which all requests go one after the other."""
    proxy_tls = tls.context if scheme == "https" else None
    async with RawServer(answering(200, b"ok"), tls=tls.context) as server, RawServer(tunnelling, proxy_tls) as proxy:
        environ = {"https_proxy": f"{scheme}://me:p%40ss@127.0.0.1:{proxy.port}"}
        engine = open_(server.url, environ, api_ca_file=tls.ca, request_timeout_seconds=5)
        answers = [await answer_to(engine, BODY) for _ in range(3)]
        await engine.close()

    assert [Answered(200, None, b"ok")] * 3 == answers
    (request,) = proxy.requests
    assert f"CONNECT 127.0.0.1:{server.port} HTTP/1.1" == request.line
    assert f"Basic {base64.b64encode(b'me:p@ss').decode()}" == request.headers["proxy-authorization"]
    assert "authorization" not in request.headers
    assert [False] * 3 == ["proxy-authorization" in request.headers for request in server.requests]
    assert 1 == server.connections


async def test_a_large_body_goes_through_tls_inside_of_tls(open_: Open, tls: TlsFiles) -> None:
    """Byte for byte."""
    body = bytes(range(256)) * 4096
    async with RawServer(answering(), tls=tls.context) as server, RawServer(tunnelling, tls.context) as proxy:
        environ = {"https_proxy": f"https://127.0.0.1:{proxy.port}"}
        answer = await answer_to(open_(server.url, environ, api_ca_file=tls.ca, request_timeout_seconds=10), body)

    assert Answered(200, None, b"") == answer
    assert body == server.requests[0].body


async def test_a_tunnel_that_ended_between_requests_is_replaced(tls: TlsFiles) -> None:
    """The next request opens another one; httpx 0.28 does not see the end, and the core sends that request again."""

    async def answer_once(connection: Connection) -> None:
        await connection.request()
        await connection.answer()

    async with (
        RawServer(answer_once, tls=tls.context) as server,
        RawServer(tunnelling) as proxy,
        opening("httptools") as open_,
    ):
        engine = open_(server.url, {"https_proxy": f"http://127.0.0.1:{proxy.port}"}, api_ca_file=tls.ca)
        answers = []
        async with asyncio.timeout(10):
            for number in range(1, 4):
                answers.append(await answer_to(engine, BODY))
                await proxy.connections_closed(number)

    assert [Answered(200, None, b"")] * 3 == answers
    assert 3 == len(proxy.requests)


@pytest.mark.parametrize("given", ["another name", "another authority"])
async def test_the_name_behind_the_proxy_is_verified(open_: Open, tls: TlsFiles, given: str) -> None:
    """As without a proxy: nothing is sent to a server without a certificate for its name that is trusted."""
    async with RawServer(answering(), tls=tls.context) as server, RawServer(tunnelling) as proxy:
        environ = {"https_proxy": f"http://127.0.0.1:{proxy.port}"}
        if given == "another name":
            engine = open_(server.url.replace("127.0.0.1", "localhost"), environ, api_ca_file=tls.ca)
        else:
            engine = open_(server.url, environ)
        answer = await answer_to(engine, BODY)

    assert isinstance(answer, NoAnswer)
    assert "connect_error" == answer.kind
    assert "certificate" in answer.detail
    assert [] == server.requests


@pytest.mark.parametrize("status", [407, 403, 502, 302])
async def test_a_refused_tunnel_says_what_the_proxy_answered(open_: Open, status: int) -> None:
    """It says nothing about the destination, so it is a connect_error; the proxy's password is not told."""
    async with RawServer(answering(status)) as proxy:
        environ = {"HTTPS_PROXY": f"http://me:pass-word@127.0.0.1:{proxy.port}"}
        answer = await answer_to(open_("https://customfit.invalid/", environ, request_timeout_seconds=5), BODY)

    assert isinstance(answer, NoAnswer)
    assert "connect_error" == answer.kind
    assert f"{status} Reason" in answer.detail
    assert "pass-word" not in answer.detail


async def say_much(connection: Connection) -> None:
    """Answer CONNECT with a header that has no end."""
    await connection.request()
    await connection.send(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        await connection.send(b"x" * 8192)


@pytest.mark.parametrize(
    "behaviour",
    [sending(b""), sending(b"220 mail.invalid ESMTP\r\n\r\n"), sending(b"HTTP/1.1 200 OK\r\n"), say_much],
    ids=["closes", "garbage", "half an answer", "endless"],
)
async def test_nonsense_from_a_proxy_ends_the_connection(open_: Open, behaviour: Behaviour) -> None:
    """It is bounded, in size too, and asked once."""
    async with RawServer(behaviour) as proxy:
        environ = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
        answer = await answer_to(open_("https://customfit.invalid/", environ, request_timeout_seconds=5), BODY)
        await proxy.connections_closed(1)

    assert isinstance(answer, NoAnswer)
    assert "timeout" != answer.kind
    assert 1 == len(proxy.requests)


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["before the answer", "in it", "behind it"],
)
async def test_a_proxy_that_is_silent_times_out(open_: Open, said: bytes) -> None:
    """Behind its answer it is the server's TLS that does not come. The connection is closed."""
    async with RawServer(stalling(said)) as proxy:
        environ = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
        answer = await answer_to(open_("https://customfit.invalid/", environ, request_timeout_seconds=0.3), BODY)
        await proxy.connections_closed(1)

    assert isinstance(answer, NoAnswer)
    assert "timeout" == answer.kind


async def test_closing_ends_what_waits_for_a_tunnel(open_: Open) -> None:
    """The request gets a NoAnswer at once, and the proxy sees the connection end."""
    arrived = asyncio.Event()

    async def behave(connection: Connection) -> None:
        await connection.request()
        arrived.set()
        await connection.until_closed()

    async with RawServer(behave) as proxy:
        engine = open_("https://customfit.invalid/", {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"})
        task = asyncio.ensure_future(answer_to(engine, BODY))
        await arrived.wait()
        await engine.close()
        answer = await task
        await proxy.connections_closed(1)

    assert isinstance(answer, NoAnswer)
    assert "protocol_error" == answer.kind


async def test_no_proxy_is_a_connect_error(open_: Open) -> None:
    """Nobody listens where the proxy should be."""
    environ = {"HTTPS_PROXY": f"http://127.0.0.1:{closed_port()}"}
    answer = await answer_to(open_("https://customfit.invalid/", environ, request_timeout_seconds=5), BODY)

    assert isinstance(answer, NoAnswer)
    assert "connect_error" == answer.kind


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
