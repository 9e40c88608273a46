"""What an engine sends."""

from __future__ import annotations

import pytest

from consumer.customfit.answers import Answered
from consumer.customfit.engine import answer_to
from tests.customfit.engines.given_engine import BODY, ENCODED_KEY, KEY, Open
from tests.fakes.servers import RawServer, answering


async def test_sends_one_json_post_with_a_bearer_key(open_: Open) -> None:
    """The body goes out as it is, with the key in a header and no compressed answer asked for."""
    async with RawServer(answering()) as server:
        engine = open_(f"{server.url}?team=7")
        await answer_to(engine, BODY)

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
        await answer_to(engine, BODY)

    (request,) = server.requests
    assert request.line == f"POST /v1/cfe{sent} HTTP/1.1"
    assert "authorization" not in request.headers


async def test_sends_large_bodies_whole(open_: Open) -> None:
    """A batch of the largest size arrives byte for byte."""
    body = bytes(range(256)) * 4096
    async with RawServer(answering()) as server:
        answer = await answer_to(open_(server.url, request_timeout_seconds=5), body)

    assert answer == Answered(200, None, b"")
    assert server.requests[0].body == body


async def test_keeps_no_cookies(open_: Open) -> None:
    """What one answer sets is not sent with the next request."""
    async with RawServer(answering(200, b"", "Set-Cookie: a=b")) as server:
        engine = open_(server.url)
        await answer_to(engine, BODY)
        await answer_to(engine, BODY)

    assert [False, False] == ["cookie" in request.headers for request in server.requests]
