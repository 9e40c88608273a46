"""HTTP/1.1 for the emulator: one asyncio protocol over the strict parser of request.py.

It is no web framework. The emulator is inside the wheel, so a framework would be a dependency of everybody who only
runs the consumer. And the emulator must never be the limit in a measurement of the consumer, not even without uvloop.

Requests on one connection are answered one after the other, in order, so pipelining is safe.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from enum import Enum
from http import HTTPStatus
from typing import Final, Protocol, cast

from consumer.emulator.request import Head, Refusal, Request, RequestParser

BODY_BYTES_MAX: Final = 2 * 1024 * 1024  # the largest record that is read, 1 MiB, and as much again for escapes
CONNECTIONS_MAX: Final = 10_000
LINGER_SECONDS: Final = 5.0
RECEIVE_BYTES: Final = 16 * 1024
"""A buffer of its own for each connection: a plain Protocol is given 256 KiB of fresh memory for each read, which was
two thirds of the CPU time of a request."""


class Reply:
    """An answer, as it is written. `headers` are whole lines."""

    __slots__ = ("status", "wire")

    def __init__(
        self, status: int, body: bytes, headers: bytes = b"", content_type: bytes = b"application/json"
    ) -> None:
        self.status = status
        self.wire = b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n%b\r\n%b" % (
            status,
            _PHRASES.get(status, b"Unknown"),
            content_type,
            len(body),
            headers,
            body,
        )

    def to(self, head: Head) -> bytes:
        """The bytes that answer this request."""
        wire = self.wire
        if head.method == "HEAD" or self.status == 304:
            wire = wire[: wire.index(_HEAD_ENDS) + len(_HEAD_ENDS)]
        return wire if head.keep_alive else closing(wire)


_PHRASES: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_HEAD_ENDS: Final = b"\r\n\r\n"


def closing(wire: bytes) -> bytes:
    """The same answer, marked as the last on its connection."""
    return wire.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)


class Silence(Enum):
    """What a client may get instead of an answer."""

    HANG = "hang"
    CLOSE = "close"
    RESET = "reset"


class App(Protocol):
    """What answers the requests."""

    def delay_seconds(self, request: Request) -> float:
        """How long `answer` is put off."""

    def answer(self, request: Request, *, connected: bool) -> Reply | Silence:
        """Decide when the answer is due. `connected` is False when nobody is left to read it."""

    def unreadable(self, status: int, reason: str) -> Reply:
        """The answer to a request that can't be read, or is too large (413)."""


class HttpConnection(asyncio.BufferedProtocol):
    """One client connection. Adds itself to `connections` and takes itself out again."""

    def __init__(self, app: App, connections: set[HttpConnection], body_bytes_max: int = BODY_BYTES_MAX) -> None:
        self._app = app
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._received = memoryview(bytearray(RECEIVE_BYTES))
        self._parser = RequestParser(body_bytes_max)
        self._waiting: deque[Request | Refusal] = deque()
        self._answering = False  # the next request waits
        self._hanging = False  # for ever
        self._writable = True
        self._reading = True
        self._half_closed = False
        self._ended = False  # what still arrives is dropped

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start."""
        self._transport = cast("asyncio.Transport", transport)
        if len(self._connections) >= CONNECTIONS_MAX:
            self._transport.abort()
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop. A late answer is still decided: a server does not take back what it received."""
        del exc
        self._connections.discard(self)
        self._transport = None
        self._ended = True
        self._waiting.clear()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to receive into."""
        del sizehint
        return self._received

    def buffer_updated(self, nbytes: int) -> None:
        """Take the bytes, and answer each request that is whole."""
        if not self._ended:
            self._waiting += self._parser.feed(self._received[:nbytes])
            self._advance()

    def eof_received(self) -> bool:
        """Stay open for the answer that is due. The client has mostly given up, but may only have sent all it had."""
        self._half_closed = True
        return self._answering and not self._hanging

    def pause_writing(self) -> None:
        """Take no more requests from a client that does not read its answers."""
        self._writable = False

    def resume_writing(self) -> None:
        """Go on."""
        self._writable = True
        self._advance()

    def close(self, *, reset: bool = False) -> None:
        """End the connection at once. `reset`: with a TCP RST, as a server does that has crashed."""
        transport = self._transport
        if transport is None:
            return
        self._ended = True
        if reset:
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    def _advance(self) -> None:
        while self._waiting and not self._answering and self._writable and not self._ended:
            request = self._waiting.popleft()
            if isinstance(request, Refusal):
                self._refuse_and_end(self._app.unreadable(request.status, request.reason))
            else:
                self._handle(request)
        transport = self._transport
        if transport is None:
            return
        if not self._ended and not self._waiting and self._parser.expects_continue():
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._half_closed and not self._answering and not self._ended:
            self._ended = True
            transport.close()
        self._limit_reading(transport)

    def _handle(self, request: Request) -> None:
        delay_seconds = self._app.delay_seconds(request)
        if delay_seconds > 0:
            self._answering = True
            self._loop.call_later(delay_seconds, self._answer_late, request)
        else:
            self._answer(request)

    def _answer_late(self, request: Request) -> None:
        self._answering = False
        self._answer(request)
        self._advance()

    def _answer(self, request: Request) -> None:
        transport = self._transport
        reply = self._app.answer(request, connected=transport is not None and not self._half_closed)
        if transport is None:
            return
        if isinstance(reply, Reply):
            transport.write(reply.to(request.head))
            if not request.head.keep_alive:
                self._ended = True
                transport.close()
        elif reply is Silence.HANG:
            self._answering = self._hanging = True
            if self._half_closed:
                self.close()
        else:
            self.close(reset=reply is Silence.RESET)

    def _refuse_and_end(self, reply: Reply) -> None:
        # The client may still be sending. To close with unread data would be a reset, which destroys the answer on its
        # way; so the rest is read and thrown away until the client closes, for a while.
        transport = self._transport
        assert transport is not None
        self._ended = True
        self._waiting.clear()
        transport.write(closing(reply.wire))
        if self._half_closed:
            transport.close()
            return
        transport.write_eof()
        self._loop.call_later(LINGER_SECONDS, transport.abort)

    def _limit_reading(self, transport: asyncio.Transport) -> None:
        # Only a client that pipelines has requests that wait: those of one piece, at most.
        reading = self._ended or not self._waiting
        if reading is not self._reading:
            self._reading = reading
            (transport.resume_reading if reading else transport.pause_reading)()
