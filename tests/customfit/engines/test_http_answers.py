"""What an engine makes of an answer, however odd, large or slow to come."""

from __future__ import annotations

import gzip
from base64 import b64encode
from urllib.parse import unquote

import pytest

from consumer.customfit.answers import Answered
from consumer.customfit.engine import answer_to
from consumer.customfit.target import PACKED
from tests.customfit.engines.given_engine import BODY, ENCODED_KEY, KEY, Open
from tests.fakes.servers import RawServer, answering, endless, sending


@pytest.mark.parametrize(
    ("status", "body", "headers", "retry_after"),
    [
        (200, b'{"ok":true}', (), None),
        (202, b"accepted", (), None),
        (204, b"", (), None),
        (302, b"", ("Location: /elsewhere",), None),
        *((status, b"", ("Location: http://127.0.0.1:1/elsewhere",), None) for status in (301, 303, 307, 308)),
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
        answer = await answer_to(open_(server.url), BODY)

    assert answer == Answered(status, retry_after, body)
    assert len(server.requests) == 1


async def test_an_unreadable_retry_after_is_still_an_answer(open_: Open) -> None:
    """Bytes that are no text in a header do not turn an answer into an exception."""
    answer_bytes = b"HTTP/1.1 503 Busy\r\nRetry-After: \xff\xfe\r\nContent-Length: 0\r\n\r\n"
    async with RawServer(sending(answer_bytes)) as server:
        answer = await answer_to(open_(server.url), BODY)

    assert isinstance(answer, Answered)
    assert answer.status == 503


async def test_keeps_the_beginning_of_the_body(open_: Open) -> None:
    """512 bytes of it are kept."""
    async with RawServer(answering(400, b"x" * 5000)) as server:
        answer = await answer_to(open_(server.url), BODY)

    assert answer == Answered(400, None, b"x" * 512)


@pytest.mark.parametrize("said", [KEY, ENCODED_KEY])
async def test_the_key_is_blotted_out_of_a_body(open_: Open, said: str) -> None:
    """A server that says the key back does not get it into a dead letter."""
    async with RawServer(answering(401, f"unknown key '{said}'".encode())) as server:
        answer = await answer_to(open_(server.url), BODY)

    assert answer == Answered(401, None, b"unknown key '***'")


@pytest.mark.parametrize("said", [KEY, ENCODED_KEY, ENCODED_KEY.replace("%", "\\u0025")])
async def test_a_body_that_repeats_the_key_leaves_no_piece_of_it(open_: Open, said: str) -> None:
    """However often it says it, and in a spelling inside another: what is cut off is blotted out, too."""
    async with RawServer(answering(400, said.encode() * 3000)) as server:
        answer = await answer_to(open_(server.url), BODY)

    assert isinstance(answer, Answered)
    assert b"" == answer.body.replace(b"*", b"")


@pytest.mark.parametrize("password", ["p%40ss%2fw0rd", "p%40ss"])
async def test_the_password_of_a_proxy_is_blotted_out_of_what_the_proxy_says(open_: Open, password: str) -> None:
    """Its page may repeat the header that it was sent, as HTML."""
    credentials = b64encode(f"me:{unquote(password)}".encode()).decode()
    page = f"<p>Basic {credentials.replace('=', '&#61;')} of me:{unquote(password).replace('/', '&#x2f;')} is wrong</p>"
    async with RawServer(answering(407, page.encode())) as server:
        proxy = server.url.replace("http://", f"http://me:{password}@")
        answer = await answer_to(open_("http://customfit.test/", {"http_proxy": proxy}), BODY)

    assert isinstance(answer, Answered)
    assert b"<p>Basic *** of me:*** is wrong</p>" == answer.body


async def test_a_compressed_body_is_not_unpacked(open_: Open) -> None:
    """A decompression bomb stays packed."""
    async with RawServer(answering(200, b"\x1f\x8bpacked", "Content-Encoding: gzip")) as server:
        answer = await answer_to(open_(server.url), BODY)

    assert answer == Answered(200, None, b"\x1f\x8bpacked")


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "identity, br"])
async def test_a_compressed_body_gives_nothing_away(open_: Open, coding: str) -> None:
    """The key is in it for whoever unpacks it, so none of it is kept."""
    async with RawServer(answering(400, gzip.compress(KEY.encode()), f"Content-Encoding: {coding}")) as server:
        answer = await answer_to(open_(server.url), BODY)

    assert answer == Answered(400, None, PACKED)


@pytest.mark.parametrize("header", ["Content-Encoding: identity", "Content-Encoding:"])
async def test_a_body_that_is_as_it_is_is_kept(open_: Open, header: str) -> None:
    """Whatever is said of it."""
    async with RawServer(answering(400, b"no", header)) as server:
        answer = await answer_to(open_(server.url), BODY)

    assert answer == Answered(400, None, b"no")


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
        answer = await answer_to(open_(server.url, request_timeout_seconds=5), BODY)
        await server.connections_closed(1)

    assert answer == Answered(200, None, b"x" * 512)
