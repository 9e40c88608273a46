"""One HTTP/1.1 connection: asyncio's transports and httptools 0.9 (llhttp, Node's parser). One request at a time.

An answer belongs to a request only if nothing lay unread when it was sent, in that turn of the event loop. A 2xx counts
only if it began after the last byte of the request was handed to the kernel: an earlier one can't be about all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final, Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from consumer.customfit.answers import SUCCESSFUL, Answer
from consumer.customfit.dialling import Dialled
from consumer.customfit.engine import ANSWER_BYTES_MAX, TOO_EARLY, Then
from consumer.customfit.forwarding import Forwarded
from consumer.customfit.odd_head import strict
from consumer.customfit.target import Target
from consumer.customfit.unread_sockets import UnreadSockets
from consumer.customfit.usual_answer import Usual, UsualAnswers

HEAD_BYTES_MAX: Final = 64 * 1024
RECEIVED_BYTES_MAX: Final = HEAD_BYTES_MAX + 2 * ANSWER_BYTES_MAX
"""Most bytes read of one answer. A limit on the body is not enough, since trailers may follow a chunked one."""
INFORMATIONAL: Final = range(100, 200)
CUT_SHORT: Final = "the connection ended before the answer was complete"


class Pool(Protocol):
    """Owns the connections, and ends requests whose time is over."""

    target: Target
    head: bytes
    """The head of each request, up to the number of `Content-Length`."""
    busy: set[Connection]
    usual: UsualAnswers
    unread: UnreadSockets[Connection]

    def watch(self, ends_at: float) -> None:
        """End a busy connection at this time."""

    def keep(self, connection: Connection) -> None:
        """Keep it ready for the next request."""

    def discard(self, connection: Connection) -> None:
        """It has ended while it was idle."""


class _SecondAnswer(Exception):
    """Ends the parsing."""


class Connection(Dialled):
    """One request at a time. httptools decides how the methods that its parser calls are named."""

    _has_head: bool
    _is_whole: bool
    _is_odd: bool
    _is_in_trailers: bool

    def __init__(self, pool: Pool) -> None:
        self.idle_since = 0.0
        self.ends_at = 0.0
        """When the time of the request under way is over, in the loop's time."""
        self._pool = pool
        self._is_forwarded = pool.target.is_forwarded
        self._parser = self._new_parser()
        self._then: Then | None = None
        """Who waits for an answer; None: nobody."""
        self._begin_reading()
        self._is_reading = False
        """Whether the parser reads the answer, because it is no ordinary one."""
        self._descriptor = -1

    def send(self, body: bytes, then: Then, ends_at: float, headers: Forwarded | None) -> None:
        """Send a request. None may be under way on this connection."""
        self._then = then
        self._is_reading = False
        self.ends_at = ends_at
        self._pool.busy.add(self)
        self._pool.watch(ends_at)
        if self.transport.is_closing():  # it broke between the handshake and now
            self.fail(CUT_SHORT)
        elif headers is None:
            self.transport.write(b"%b%d\r\n\r\n%b" % (self._pool.head, len(body), body))
        else:
            lines = b"".join([b"%b: %b\r\n" % header for header in headers])
            self.transport.write(b"%b%d\r\n%b\r\n%b" % (self._pool.head, len(body), lines, body))

    def fail(self, *messages: str) -> None:
        """End it, and the request under way if there is one."""
        self._end(self._pool.target.no_answer("protocol_error", messages))

    def out_of_time(self) -> None:
        """End the request under way, whose time is over."""
        self._end(self._pool.target.timed_out(connecting=False))

    # ------------------------------------------------------------------ called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open, TLS included."""
        super().connection_made(transport)
        self._descriptor = transport.get_extra_info("socket").fileno()
        self._pool.unread.add(self._descriptor, self)

    def data_received(self, data: bytes) -> None:
        """Read on. What the parser finds decides."""
        if self._then is None:  # nobody has asked
            self.transport.abort()
            return
        if not self._is_reading:
            if (usual := self._usual(data)) is not None:
                self._pool.keep(self)  # first: whoever gets the answer may send at once
                self._release(self._pool.target.answered(usual.status, None, usual.body))
                return
            self._begin_reading()
        if not self._has_head:
            self._head += data
        self._received_bytes += len(data)
        try:
            self._parse(data)
        except HttpParserUpgrade:
            self.fail("the answer changes the protocol")
            return
        except HttpParserError as error:
            if not (self._is_whole or self._is_in_trailers):
                self.fail(f"not HTTP: {error}")
                return
            self._is_kept, self._is_whole = False, True
        if self._is_whole:
            self._complete(reusable=self._is_kept and not self._is_odd)
        elif self._has_head and (len(self._beginning) >= ANSWER_BYTES_MAX or self._received_bytes > RECEIVED_BYTES_MAX):
            self._complete(reusable=False)
        elif not self._has_head and self._received_bytes > HEAD_BYTES_MAX:
            self.fail(f"the head of the answer has more than {HEAD_BYTES_MAX} bytes")

    def _usual(self, data: bytes) -> Usual | None:
        """The whole answer, if it is an ordinary one: not through a proxy, not too early, not at the end."""
        if self._is_forwarded or self.transport.get_write_buffer_size() or self.transport.is_closing():
            return None
        return self._pool.usual.read(data)

    def _begin_reading(self) -> None:
        """It is no ordinary answer: the parser reads it, in however many pieces it comes."""
        self._is_reading = True
        self._received_bytes = 0
        self._retry_after: bytes | None = None
        self._coding = b""
        self._beginning = b""
        self._status = 0
        self._head = b""
        self._has_head = self._is_framed = self._is_whole = self._is_kept = False
        self._is_early = self._is_odd = self._is_in_trailers = False
        self._says_kept = not self._is_forwarded

    def _parse(self, data: bytes) -> None:
        """Raises HttpParserError if it is not HTTP, however generously it is read."""
        if not self._is_odd:
            try:
                self._parser.feed_data(data)
            except HttpParserError:
                if self._has_head:
                    raise
                self._is_odd, self._parser = True, self._new_parser()
        elif self._has_head:
            self._parser.feed_data(data)
        if self._is_odd and not self._has_head and (received := strict(self._head)) is not None:
            self._parser.feed_data(received)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, from either side."""
        self._pool.unread.remove(self._descriptor, self)
        if self._then is None:
            self._pool.discard(self)
        elif exc is None and self._is_reading and self._has_head and not self._is_framed:
            self._complete(reusable=False)  # the end of the connection is the end of the body
        else:
            self.fail(*causes(exc), CUT_SHORT)

    # ------------------------------------------------------------------ called by the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the few that matter, but none behind the body."""
        if self._has_head:
            return
        match name.lower():
            case b"retry-after":
                self._retry_after = value
            case b"content-length":
                self._is_framed = True
            case b"connection" | b"proxy-connection":
                self._says_kept = self._says_kept or b"keep-alive" in value.lower()
            case b"content-encoding":
                self._coding += b"," + value
            case b"transfer-encoding":  # another last coding than chunks is ended by closing (RFC 9112, 6.3)
                self._is_framed = value.lower().rstrip().endswith(b"chunked")
                self._coding += b"," + value

    def on_message_begin(self) -> None:
        """Refuse a second answer to one request: it would be taken for the answer to the next."""
        if self._is_whole:
            self._is_kept = False
            raise _SecondAnswer
        if not self._is_odd:  # else it began before it was read again
            self._is_early = self.transport.get_write_buffer_size() > 0

    def on_headers_complete(self) -> None:
        """Note the status. The body comes now, if there is one."""
        self._status = self._parser.get_status_code()
        self._has_head = self._status not in INFORMATIONAL

    def on_body(self, body: bytes) -> None:
        """Keep the beginning."""
        self._is_in_trailers = False
        if len(self._beginning) < ANSWER_BYTES_MAX:
            self._beginning += body

    def on_chunk_header(self) -> None:
        """A chunk begins. If no body follows, it is the last one."""
        self._is_in_trailers = True

    def on_message_complete(self) -> None:
        """It is whole. If it was 100 Continue or the like, the answer comes after it."""
        self._is_whole = self._has_head
        self._is_kept = self._says_kept and self._parser.should_keep_alive()
        if not self._has_head:
            self._retry_after, self._is_framed, self._coding = None, False, b""

    # ------------------------------------------------------------------ the end of a request

    def _complete(self, *, reusable: bool) -> None:
        if self._is_early and self._status in SUCCESSFUL:
            self.fail(TOO_EARLY)
            return
        retry_after = self._retry_after.decode("ascii", "replace") if self._retry_after is not None else None
        answer = self._pool.target.answered(self._status, retry_after, self._beginning, self._coding.decode("latin-1"))
        # An answer may come before all of its request is written. Then nobody knows whether the rest is ever read.
        if reusable and not self._is_early and not self.transport.is_closing():
            self._pool.keep(self)  # first: whoever gets the answer may send at once
            self._release(answer)
        else:
            self._end(answer)

    def _end(self, answer: Answer) -> None:
        self.transport.abort()
        self._release(answer)

    def _release(self, answer: Answer) -> None:
        then, self._then = self._then, None
        self._pool.busy.discard(self)
        if then is not None:
            then(answer)

    def _new_parser(self) -> HttpResponseParser:
        parser = HttpResponseParser(self)
        # If there are both a length and chunks, chunks count (RFC 9112, 6.3): no odd proxy shall cost us an answer.
        parser.set_dangerous_leniencies(lenient_chunked_length=True)
        return parser


def causes(error: BaseException | None) -> Iterator[str]:
    """What an error says, where there is one."""
    if error is not None:
        yield str(error) or type(error).__name__
