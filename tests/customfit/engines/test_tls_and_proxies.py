"""Whom an engine trusts, and how it gets through a proxy."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from consumer.customfit.answers import Answered, NoAnswer
from consumer.customfit.target import EngineUnavailable, open_engine, proxy_for
from tests.customfit.engines.given_engine import BODY, KEY, Open, settings_for
from tests.fakes.servers import Connection, RawServer, TlsFiles, answering


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
