"""The emulator's HTTP: what is taken, what is refused, and that the pieces it arrives in do not matter."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.emulator.request import HEAD_BYTES_MAX, Head, Refusal, Request, RequestParser
from consumer.emulator.server import Emulator
from tests.emulator.emulator_calls import KEY, identify, post, track

BODY_BYTES_MAX = 10_000


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A running emulator with a small limit."""
    running = Emulator(body_bytes_max=BODY_BYTES_MAX)
    await running.start()
    yield running
    await running.stop()


async def exchange(emulator: Emulator, *parts: bytes, half_close: bool = True) -> bytes:
    """Send these parts as they are; all that comes back until the emulator closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if half_close:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 60)
    finally:
        writer.close()
        await writer.wait_closed()


def statuses(answers: bytes) -> list[int]:
    """The statuses of answers that came one after the other."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


async def test_requests_of_one_connection_are_answered_in_order(emulator: Emulator) -> None:
    """Pipelined requests get their answers in their order, also when the answers are put off."""
    emulator.faults.latency_seconds = 0.001
    answers = await exchange(emulator, post(identify("u1")) + post(track("")) + post(track("u1")))

    assert [200, 400, 200] == statuses(answers)
    assert ["identify-u1", "t1"] == [entry.insert_ids[0] for entry in emulator.ledger.entries()]


@settings(deadline=None, max_examples=50)
@given(cuts=st.lists(st.integers(0, 900), max_size=12))
def test_pieces_do_not_matter(cuts: list[int]) -> None:
    """However the bytes of three requests are cut, they are the same requests."""
    chunked = b"POST /v1/cfe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer " + KEY.encode()
    body = post(track("u1", "t2")).partition(b"\r\n\r\n")[2]
    chunks = b"5;x=1\r\n%b\r\n%x\r\n%b\r\n0\r\nTrailer: 1\r\n\r\n" % (body[:5], len(body) - 5, body[5:])
    sent = post(identify("u1")) + chunked + b"\r\n\r\n" + chunks + post(track("u1", "t3"))
    edges = [0, *sorted(cut for cut in cuts if cut < len(sent)), len(sent)]

    async def run() -> list[str]:
        emulator = Emulator()
        await emulator.start()
        try:
            await exchange(emulator, *(sent[a:b] for a, b in pairwise(edges)))
        finally:
            await emulator.stop()
        return [entry.insert_ids[0] for entry in emulator.ledger.entries()]

    assert ["identify-u1", "t2", "t3"] == asyncio.run(run())


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /v1/cfe\r\nHost: x", 400),
        (b"POST /v1/cfe HTTP/2.0\r\nHost: x", 400),
        (b"POST v1/cfe HTTP/1.1\r\nHost: x", 400),
        (b"POST /v1/\xffcfe HTTP/1.1\r\nHost: x", 400),
        (b"POST /v1/cfe HTTP/1.1", 400),
        (b"POST /v1/cfe HTTP/1.1\r\nHost: x\r\nHost: y", 400),
        (b"POST /v1/cfe HTTP/1.1\nHost: x", 400),
        (b"POST /v1/cfe HTTP/1.1\r\nHost : x", 400),
        (b"POST /v1/cfe HTTP/1.1\r\nHost: x\r\n folded: y", 400),
        (b"POST /v1/cfe HTTP/1.1\r\nHost: x\x00", 400),
        (b"POST /v1/cfe HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1", 400),
        (b"POST /v1/cfe HTTP/1.1\r\nHost: x\r\nContent-Length: +1", 400),
        (b"POST /v1/cfe HTTP/1.1\r\nHost: x\r\nContent-Length: 1_0", 400),
        (b"POST /v1/cfe HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", 400),
        (b"POST /v1/cfe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked", 501),
        (b"POST /v1/cfe HTTP/1.1\r\nHost: x\r\nContent-Length: 10001", 413),
        (b"POST /v1/cfe HTTP/1.1\r\nHost: x\r\nBig: " + b"x" * HEAD_BYTES_MAX, 431),
    ],
)
async def test_what_is_ambiguous_or_too_large_is_refused(emulator: Emulator, head: bytes, status: int) -> None:
    """A broken head gets its status and the end of the connection; nothing behind it is read as a request."""
    answers = await exchange(emulator, head + b"\r\n\r\n" + post(identify("smuggled")))

    assert [status] == statuses(answers)
    assert b"Connection: close" in answers
    assert 0 == emulator.ledger.summary()["accepted"]


@pytest.mark.parametrize(
    ("chunks", "status"),
    [
        (b"5\r\nhello world\r\n0\r\n\r\n", 400),
        (b"0x5\r\nhello\r\n0\r\n\r\n", 400),
        (b"-5\r\nhello\r\n", 400),
        (b"5" + b";" + b"x" * 3 * HEAD_BYTES_MAX + b"\r\n", 400),
        (b"ffffffff\r\n" + b"x" * 10_001, 413),
        (b"1388\r\n" + b"x" * 5000 + b"\r\n1389\r\n" + b"x" * 5001, 413),
        (b"0\r\n" + (b"T: " + b"x" * 200 + b"\r\n") * 100 + b"\r\n", 431),
    ],
)
async def test_a_broken_chunk_ends_the_connection(emulator: Emulator, chunks: bytes, status: int) -> None:
    """A chunked body is held to its sizes, and to the limit before it is there."""
    head = b"POST /v1/cfe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert [status] == statuses(await exchange(emulator, head + chunks))


async def test_a_client_that_is_still_sending_sees_why_it_was_refused(emulator: Emulator) -> None:
    """A body far above the limit is read and thrown away, so that the 413 is not lost in a reset."""
    answers = await exchange(emulator, post(b"x" * 3_000_000), half_close=False)

    assert [413] == statuses(answers)
    assert b'"more than 10000 bytes"' in answers


async def test_expect_continue_is_answered(emulator: Emulator) -> None:
    """A client that asks before it sends a large body (curl) is told to go on."""
    request = post(identify("u1"), headers="Expect: 100-continue\r\n")
    head, _, body = request.partition(b"\r\n\r\n")
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    writer.write(head + b"\r\n\r\n")
    told = await reader.readuntil(b"\r\n\r\n")
    writer.write(body)
    answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()

    assert [100, 200] == statuses(told + answer)


async def test_old_and_closing_clients_are_answered_once(emulator: Emulator) -> None:
    """HTTP/1.0 and `Connection: close` end the connection after the answer."""
    old = b"GET /healthz HTTP/1.0\r\n\r\n"
    closing = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n"

    for request in (old, closing):
        answers = await exchange(emulator, request * 2, half_close=False)
        assert [200] == statuses(answers)
        assert b"Connection: close" in answers


async def test_a_head_request_gets_no_body(emulator: Emulator) -> None:
    """Else the body would be taken for the next answer."""
    head = b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

    assert (await exchange(emulator, head)).endswith(b"\r\n\r\n")


async def test_a_client_that_does_not_read_is_not_read_from(emulator: Emulator) -> None:
    """Answers that nobody fetches do not pile up: the client's own sending comes to a halt."""
    request = b"GET /ledger HTTP/1.1\r\nHost: x\r\n\r\n" * 500
    with socket.create_connection(("127.0.0.1", emulator.port)) as client:
        client.setblocking(False)
        sent = 0
        while sent < 100_000_000:
            try:
                async with asyncio.timeout(1):
                    await asyncio.get_running_loop().sock_sendall(client, request)
            except TimeoutError:
                break
            sent += len(request)

    assert sent < 100_000_000


def head_of(*lines: bytes) -> Head:
    """What is read of these lines."""
    (request,) = RequestParser(100).feed(b"\r\n".join([*lines, b"", b""]))
    assert isinstance(request, Request)
    return request.head


def test_the_key_is_found_in_either_place() -> None:
    """A bearer token first, then `cfenc`, percent-decoded; another scheme is no key."""

    def key(*headers: bytes, target: bytes = b"/v1/cfe") -> str | None:
        return head_of(b"POST " + target + b" HTTP/1.1", b"Host: x", *headers).key

    assert "k1" == key(b"authorization: bearer k1", target=b"/v1/cfe?cfenc=k2")
    assert "k 2" == key(b"Authorization: Basic abc", target=b"/v1/cfe?a=1&cfenc=k%202")
    assert None is key(target=b"/v1/cfe?other=1")
    assert None is key(target=b"/v1/cfe?cfenc=")


def test_a_whole_url_is_a_path() -> None:
    """A client that takes this for a proxy writes the whole URL."""
    head = head_of(b"POST http://example.com/v1/cfe?x=1 HTTP/1.1", b"Host: example.com")

    assert ("/v1/cfe", "x=1") == (head.path, head.query)


async def test_another_protocol_is_not_spoken(emulator: Emulator) -> None:
    """A client that would rather speak HTTP/2 (curl --http2) is answered in HTTP/1.1, as often as it asks."""
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"

    assert [200, 200] == statuses(await exchange(emulator, request * 2))


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"POST / HTTP/1.1\r\nHost: x\r\n", CHUNKED, CHUNKED + b"5\r\nhello\r\n"]),
    st.integers(0, 400),
)
def test_whatever_the_bytes_requests_are_read_or_refused(tail: bytes, start: bytes, cut: int) -> None:
    """No bytes make the parser fail in another way, no body is larger than it may be, and a refusal is the last."""
    parser = RequestParser(100)
    sent = start + tail
    found = [*parser.feed(sent[:cut]), *parser.feed(sent[cut:])]

    assert all(isinstance(one, Request) and len(one.body) <= 100 for one in found[:-1])
    assert not found or isinstance(found[-1], Refusal) or len(found[-1].body) <= 100
