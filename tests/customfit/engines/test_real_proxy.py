"""The engines through a real proxy, tinyproxy, which asks for a password."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from consumer.customfit.answers import Answer, Answered, NoAnswer
from consumer.customfit.engine import answer_to
from tests.customfit.engines.given_engine import BODY, KEY, Open, opening
from tests.fakes.servers import RawServer, TlsFiles, answering, closed_port
from tests.fakes.tinyproxy import PASSWORD, USER, missing, tinyproxy

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its host and port."""
    with tinyproxy(tmp_path_factory.mktemp("tinyproxy")) as running:
        yield running


def environ_of(proxy: str, password: str = PASSWORD) -> dict[str, str]:
    """What sends everything through it."""
    return {"all_proxy": f"http://{USER}:{quote(password, safe='')}@{proxy}"}


async def test_https_goes_through_one_tunnel(open_: Open, tls: TlsFiles, proxy: str) -> None:
    """One after the other on one connection, with large bodies whole; the server never sees the proxy's password."""
    bodies = [BODY, bytes(range(256)) * 1024, BODY, b""]
    async with RawServer(answering(200, b"ok"), tls=tls.context) as server:
        engine = open_(server.url, environ_of(proxy), api_ca_file=tls.ca)
        answers = [await answer_to(engine, body) for body in bodies]
        await engine.close()

    assert [Answered(200, None, b"ok")] * 4 == answers
    assert bodies == [request.body for request in server.requests]
    assert [f"Bearer {KEY}"] * 4 == [request.headers["authorization"] for request in server.requests]
    assert all("proxy-authorization" not in request.headers for request in server.requests)
    assert 1 == server.connections


async def test_as_many_tunnels_as_requests_at_once(open_: Open, tls: TlsFiles, proxy: str) -> None:
    """Each has its own, and all are kept."""
    everyone_is_here = asyncio.Barrier(8)

    async def together(connection: object) -> None:
        await everyone_is_here.wait()
        await answering(200, b"ok")(connection)  # type: ignore[arg-type]  # a Connection

    async with RawServer(together, tls=tls.context) as server:
        engine = open_(server.url, environ_of(proxy), api_ca_file=tls.ca, in_flight_max=8)
        for _ in range(2):
            assert [Answered(200, None, b"ok")] * 8 == await asyncio.gather(
                *(answer_to(engine, BODY) for _ in range(8))
            )
        await engine.close()

    assert 8 == server.connections


async def test_http_goes_through_the_proxy(open_: Open, proxy: str) -> None:
    """The proxy makes a path of the whole URL again, keeps its password, and says by whom it was asked."""
    async with RawServer(answering(200, b"ok")) as server:
        engine = open_(f"{server.url}?team=7", environ_of(proxy))
        answers = [await answer_to(engine, BODY) for _ in range(3)]

    assert [Answered(200, None, b"ok")] * 3 == answers
    assert ["POST /v1/cfe?team=7"] * 3 == [request.line.rpartition(" ")[0] for request in server.requests]
    assert [BODY] * 3 == [request.body for request in server.requests]
    assert all("tinyproxy" in request.headers["via"] for request in server.requests)
    assert all("proxy-authorization" not in request.headers for request in server.requests)


async def test_a_wrong_password_is_told(open_: Open, proxy: str) -> None:
    """For https there is no tunnel. For http it answers too, or closes: it does not read the body first."""
    environ = environ_of(proxy, "wrong-word")
    async with RawServer(answering()) as server:
        plain = await answer_to(open_(server.url, environ), BODY)
        tunnel = await answer_to(open_(server.url.replace("http:", "https:"), environ), BODY)

    assert plain.status in (401, 407) if isinstance(plain, Answered) else "protocol_error" == plain.kind
    assert isinstance(tunnel, NoAnswer)
    assert "connect_error" == tunnel.kind
    assert "401" in tunnel.detail or "407" in tunnel.detail
    assert "wrong-word" not in tunnel.detail
    assert [] == server.requests


async def test_a_port_that_the_proxy_does_not_allow_is_told(open_: Open, tmp_path: Path) -> None:
    """It lets tunnels to 443 through only, as most do."""
    with tinyproxy(tmp_path, "ConnectPort 443") as strict:
        answer = await answer_to(open_(f"https://127.0.0.1:{closed_port()}/", environ_of(strict)), BODY)

    assert isinstance(answer, NoAnswer)
    assert "connect_error" == answer.kind
    assert "403" in answer.detail


async def test_a_destination_that_the_proxy_does_not_reach(open_: Open, proxy: str) -> None:
    """For https there is no tunnel. For http it answers itself, or closes: it does not read the body first."""
    port = closed_port()
    plain = await answer_to(open_(f"http://127.0.0.1:{port}/", environ_of(proxy)), BODY)
    tunnel = await answer_to(open_(f"https://127.0.0.1:{port}/", environ_of(proxy)), BODY)

    assert 5 == plain.status // 100 if isinstance(plain, Answered) else "protocol_error" == plain.kind
    assert isinstance(tunnel, NoAnswer)
    assert "connect_error" == tunnel.kind


def test_it_is_the_same_on_uvloop(tls: TlsFiles, proxy: str) -> None:
    """What `run` does: tunnels are kept, large bodies whole, and a wrong name is refused."""
    uvloop = pytest.importorskip("uvloop")

    async def call(url: str) -> list[Answer]:
        async with opening("httptools") as open_:
            engine = open_(url, environ_of(proxy), api_ca_file=tls.ca)
            answers = [await answer_to(engine, BODY)]
            answers += await asyncio.gather(*(answer_to(engine, bytes(450_000)) for _ in range(4)))
            answers += await asyncio.gather(*(answer_to(engine, BODY) for _ in range(4)))
            other = open_(url.replace("127.0.0.1", "localhost"), environ_of(proxy), api_ca_file=tls.ca)
            return [*answers, await answer_to(other, BODY)]

    def call_on_uvloop(url: str) -> list[Answer]:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(call(url))

    async def serve() -> tuple[list[Answer], int]:
        async with RawServer(answering(200, b"ok"), tls=tls.context) as server:
            return await asyncio.to_thread(call_on_uvloop, server.url), len({r.connection for r in server.requests})

    (*answers, refused), connections = asyncio.run(serve())

    assert [Answered(200, None, b"ok")] * 9 == answers
    assert isinstance(refused, NoAnswer)
    assert "connect_error" == refused.kind
    assert 4 == connections
