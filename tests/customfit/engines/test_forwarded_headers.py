"""Record headers on the wire: each engine sends those that are fit beside its own, and nothing else comes of them."""

from __future__ import annotations

import pytest

from consumer.customfit.engine import answer_to
from consumer.customfit.forwarding import Forwarding
from consumer.sequencing.events import Headers
from tests.customfit.engines.given_engine import BODY, KEY, Open
from tests.customfit.test_forwarding import request
from tests.fakes.servers import RawServer, answering

OURS = {"host", "user-agent", "content-type", "accept-encoding", "authorization", "content-length"}
NAMES = ["traceparent", "X-Team"]
TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_they_go_along_with_ours(open_: Open) -> None:
    """On a new connection and on one that is used again; the next request has none of them."""
    headers = Forwarding(NAMES, print).of(request([("traceparent", TRACEPARENT), ("X-Team", b"a: b\tc")]))
    async with RawServer(answering()) as server:
        engine = open_(server.url)
        for more in (headers, headers, None):
            await answer_to(engine, BODY, more)

    first, second, third = server.requests
    assert [1, 1, 1] == [one.connection for one in server.requests]
    assert [BODY] * 3 == [one.body for one in server.requests]
    assert first.headers == second.headers
    assert {"traceparent": TRACEPARENT.decode(), "x-team": "a: b\tc"} == {
        name: value for name, value in first.headers.items() if name not in third.headers
    }
    assert set(third.headers) <= OURS | {"accept", "connection"}
    assert f"Bearer {KEY}" == first.headers["authorization"]


@pytest.mark.parametrize(
    "value",
    [
        b"a\r\nX-Evil: 1",
        b"a\nX-Evil: 1",
        b"a\rX-Evil: 1",
        b"a\r\n\r\nPOST /evil HTTP/1.1\r\n\r\n",
        b"a\r\n X-Evil",
        b"a\0X-Evil",
        b"\xe5\x98\x8a\xe5\x98\x8dX-Evil: 1",
        b"X-Evil\r\n",
        b"\r\nX-Evil",
        b"\x85X-Evil: 1",
    ],
)
async def test_no_value_can_add_a_header_or_a_request(open_: Open, value: bytes) -> None:
    """With line ends, or what some servers take for them, a value is not sent at all; the request goes without it."""
    left_out: list[str] = []
    hostile: Headers = [("X-Team", value), ("traceparent", TRACEPARENT)]
    async with RawServer(answering()) as server:
        engine = open_(server.url)
        for more in (Forwarding(NAMES, left_out.append).of(request(hostile)), None):
            await answer_to(engine, BODY, more)

    first, second = server.requests
    assert {"traceparent"} == first.headers.keys() - second.headers.keys()
    assert (first.line, BODY) == (second.line, first.body)
    assert "Evil" not in str(server.requests)
    assert ["characters"] == left_out
