"""The fast engine: asyncio's transports, httptools 0.9 (llhttp, Node's parser). Installed with the extra `fast`.

Each request costs a quarter of the CPU time that it costs with pyreqwest (32 and 115-134 microseconds, 64 at once on
uvloop), and no thread of its own competes with the loop for the interpreter. Direct connections only: with a proxy,
`open_engine` takes another engine.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Iterator
from typing import Final, cast
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from consumer.customfit.answers import Answer
from consumer.customfit.engine_httpx import tls_context
from consumer.customfit.target import ANSWER_BYTES_MAX, IDLE_SECONDS_MAX, EngineUnavailable, Target

HEAD_BYTES_MAX: Final = 64 * 1024
RECEIVED_BYTES_MAX: Final = HEAD_BYTES_MAX + 2 * ANSWER_BYTES_MAX
"""Of one answer, whatever it is: a body in chunks may have more that is no body (trailers) than body."""
NEXT_ADDRESS_SECONDS: Final = 0.25
"""An address that has not answered for so long gets company by the next one of the same name (RFC 8305)."""
INFORMATIONAL: Final = range(100, 200)
CLOSED: Final = "the client is closed"
CUT_SHORT: Final = "the connection ended before the answer was complete"


class HttptoolsEngine:
    """A stack of connections: the one used last is used next, those at the bottom grow old and are closed."""

    name = "httptools"

    def __init__(self, target: Target) -> None:
        assert target.proxy is None, "another engine is for proxies"
        self.target = target
        try:
            parts = urlsplit(target.url)
            self._host, self._port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise EngineUnavailable(f"CUSTOMFIT_API_URL: {error}") from None
        self._tls = tls_context(target) if parts.scheme == "https" else None
        lines = [
            # By hand: of a path that begins with two slashes, `geturl` makes four (Python 3.12.4 and later).
            f"POST {parts.path or '/'}{'?' if parts.query else ''}{parts.query} HTTP/1.1",
            f"Host: {parts.netloc.rpartition('@')[2]}",
            *(f"{name}: {value}" for name, value in target.headers.items()),
            "Content-Length: ",
        ]
        self.head = "\r\n".join(lines).encode()
        self.loop = asyncio.get_running_loop()
        self.busy: set[Connection] = set()
        self.idle: deque[Connection] = deque()
        self._connecting: dict[asyncio.Task[None], asyncio.Future[Answer]] = {}
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        """One for all requests, and not one for each, which is made and cancelled thousands of times a second."""
        self._timer_at = 0.0

    def __repr__(self) -> str:
        return f"<HttptoolsEngine {self.target.shown_url} ({len(self.busy)} busy, {len(self.idle)} idle)>"

    def post(self, body: bytes) -> asyncio.Future[Answer]:
        """Send JSON once; the future has the beginning of the answer. Cancelling it gives up the wait."""
        future: asyncio.Future[Answer] = self.loop.create_future()
        ends_at = self.loop.time() + self.target.timeout_seconds
        if self._closed:
            future.set_result(self.target.no_answer("protocol_error", [CLOSED]))
        elif (connection := self._idle_connection()) is not None:
            connection.send(body, future, ends_at)
        else:
            task = self.loop.create_task(self._connect_and_send(body, future, ends_at))
            self._connecting[task] = future
            task.add_done_callback(self._connecting.pop)
        return future

    async def close(self) -> None:
        """Close all connections; whatever is in flight gets a NoAnswer, and so does every later `post`."""
        self._closed = True
        for task, future in [*self._connecting.items()]:
            task.cancel()
            _settle(future, self.target.no_answer("protocol_error", [CLOSED]))
        for connection in [*self.busy, *self.idle]:
            connection.fail(CLOSED)
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.sleep(0)  # the transports close in the next turn

    def watch(self, ends_at: float) -> None:
        """Have a busy connection ended then."""
        if self._timer is None or ends_at < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._timer_at = self.loop.call_at(ends_at, self._end_overdue), ends_at

    def _end_overdue(self) -> None:
        now = self.loop.time()
        self._timer = None
        for connection in [one for one in self.busy if one.ends_at <= now]:
            connection.out_of_time()
        if self.busy:
            self.watch(min(one.ends_at for one in self.busy))

    def keep(self, connection: Connection) -> None:
        """Have it ready for the next request; the oldest may be too old meanwhile."""
        connection.idle_since = self.loop.time()
        self.idle.append(connection)
        if self.idle[0].idle_since < connection.idle_since - IDLE_SECONDS_MAX:
            self.idle.popleft().transport.abort()  # one at a time keeps up: each request adds one at most

    def _idle_connection(self) -> Connection | None:
        """The one used last; where that is too old, all are."""
        if self.idle and self.idle[-1].idle_since < self.loop.time() - IDLE_SECONDS_MAX:
            while self.idle:
                self.idle.pop().transport.abort()
        while self.idle:
            connection = self.idle.pop()
            if not connection.transport.is_closing():  # the server has closed it in this very turn
                return connection
        return None

    async def _connect_and_send(self, body: bytes, future: asyncio.Future[Answer], ends_at: float) -> None:
        try:
            async with asyncio.timeout(self.target.connect_timeout_seconds):
                connection = await self._connect()
        except TimeoutError:
            _settle(future, self.target.timed_out(connecting=True))
        except (OSError, UnicodeError) as error:  # ssl.SSLError is one; no such name; a name that is none
            _settle(future, self.target.no_answer("connect_error", _causes(error)))
        except Exception as error:  # noqa: BLE001  a fault of this program: whoever waits is told, and not kept waiting
            if not future.done():
                future.set_exception(error)
        else:
            if future.done():  # cancelled meanwhile
                connection.transport.abort()
            else:
                connection.send(body, future, ends_at)

    async def _connect(self) -> Connection:
        """A connection to the first address that gives one. Raises what the last one to fail has raised."""
        found = await self.loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        addresses = deque(dict.fromkeys(str(where[0]) for *_, where in found))
        attempts: set[asyncio.Task[Connection]] = set()
        error: BaseException = OSError("the name has no address")
        try:
            while addresses or attempts:
                if addresses:
                    attempts.add(self.loop.create_task(self._connect_to(addresses.popleft())))
                wait_seconds = NEXT_ADDRESS_SECONDS if addresses else None
                done, _ = await asyncio.wait(attempts, timeout=wait_seconds, return_when=asyncio.FIRST_COMPLETED)
                for attempt in done:
                    attempts.discard(attempt)
                    if (problem := attempt.exception()) is None:
                        return attempt.result()
                    error = problem
            raise error
        finally:
            for attempt in attempts:
                attempt.cancel()
                attempt.add_done_callback(_give_up)

    async def _connect_to(self, address: str) -> Connection:
        _, connection = await self.loop.create_connection(
            lambda: Connection(self),
            address,
            self._port,
            ssl=self._tls,
            server_hostname=self._host if self._tls is not None else None,
        )
        return connection


class _SecondAnswer(Exception):
    """Ends the parsing."""


class Connection(asyncio.Protocol):
    """One request at a time. What the parser calls is named by httptools."""

    transport: asyncio.Transport

    def __init__(self, engine: HttptoolsEngine) -> None:
        self.idle_since = 0.0
        self.ends_at = 0.0
        """Of the request under way, in the loop's time."""
        self._engine = engine
        self._parser = self._new_parser()
        self._answer: asyncio.Future[Answer] | None = None

    def send(self, body: bytes, answer: asyncio.Future[Answer], ends_at: float) -> None:
        """Send a request. The connection has none under way."""
        self._answer = answer
        self._received_bytes = 0
        self._retry_after: bytes | None = None
        self._beginning = b""
        self._status = 0
        self._has_head = self._is_framed = self._is_whole = self._is_kept = False
        self.ends_at = ends_at
        self._engine.busy.add(self)
        self._engine.watch(ends_at)
        if self.transport.is_closing():  # it broke between the handshake and now
            self.fail(CUT_SHORT)
        else:
            self.transport.write(b"%b%d\r\n\r\n%b" % (self._engine.head, len(body), body))

    def fail(self, *messages: str) -> None:
        """End it, and the request under way if there is one."""
        self._end(self._engine.target.no_answer("protocol_error", messages))

    def out_of_time(self) -> None:
        """End the request under way: its time is over."""
        self._end(self._engine.target.timed_out(connecting=False))

    # ------------------------------------------------------------------ called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open, TLS included."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on; what the parser found then decides."""
        if self._answer is None:  # nobody asked
            self.transport.abort()
            return
        self._received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.fail("the answer changes the protocol")
            return
        except HttpParserError as error:
            if not self._is_whole:
                self.fail(f"not HTTP: {error}")
                return
            self._is_kept = False
        if self._is_whole:
            self._complete(reusable=self._is_kept)
        elif self._has_head and (len(self._beginning) >= ANSWER_BYTES_MAX or self._received_bytes > RECEIVED_BYTES_MAX):
            self._complete(reusable=False)
        elif not self._has_head and self._received_bytes > HEAD_BYTES_MAX:
            self.fail(f"the head of the answer has more than {HEAD_BYTES_MAX} bytes")

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, on whichever side."""
        if self._answer is None:
            if self in self._engine.idle:
                self._engine.idle.remove(self)
        elif exc is None and self._has_head and not self._is_framed:  # the end of the connection is the body's
            self._complete(reusable=False)
        else:
            self.fail(*_causes(exc), CUT_SHORT)

    # ------------------------------------------------------------------ called by the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the few that matter."""
        match name.lower():
            case b"retry-after":
                self._retry_after = value
            case b"content-length":
                self._is_framed = True
            case b"transfer-encoding":  # another last coding than chunks is ended by closing (RFC 9112, 6.3)
                self._is_framed = value.lower().rstrip().endswith(b"chunked")

    def on_message_begin(self) -> None:
        """Refuse a second answer to one request: it would be taken for the answer to the next."""
        if self._is_whole:
            self._is_kept = False
            raise _SecondAnswer

    def on_headers_complete(self) -> None:
        """Note the status; the body comes now, if there is one."""
        self._status = self._parser.get_status_code()
        self._has_head = self._status not in INFORMATIONAL

    def on_body(self, body: bytes) -> None:
        """Keep the beginning."""
        if len(self._beginning) < ANSWER_BYTES_MAX:
            self._beginning += body

    def on_message_complete(self) -> None:
        """It is whole, unless it was 100 Continue or such: then the answer comes after it."""
        self._is_whole, self._is_kept = self._has_head, self._parser.should_keep_alive()
        if not self._has_head:
            self._retry_after, self._is_framed = None, False

    # ------------------------------------------------------------------ the end of a request

    def _complete(self, *, reusable: bool) -> None:
        target = self._engine.target
        retry_after = self._retry_after.decode("ascii", "replace") if self._retry_after is not None else None
        answer = target.answered(self._status, retry_after, self._beginning)
        # An answer may come before all of its request is written; whether the rest is ever read is anybody's guess.
        if reusable and not self.transport.is_closing() and not self.transport.get_write_buffer_size():
            self._release(answer)
            self._engine.keep(self)
        else:
            self._end(answer)

    def _end(self, answer: Answer) -> None:
        self.transport.abort()
        self._release(answer)

    def _release(self, answer: Answer) -> None:
        future, self._answer = self._answer, None
        self._engine.busy.discard(self)
        if future is not None:
            _settle(future, answer)

    def _new_parser(self) -> HttpResponseParser:
        parser = HttpResponseParser(self)
        # With both a length and chunks the chunks count (RFC 9112, 6.3): an answer must not be lost by a strange proxy.
        parser.set_dangerous_leniencies(lenient_chunked_length=True)
        return parser


def _settle(future: asyncio.Future[Answer], answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)


def _give_up(attempt: asyncio.Task[Connection]) -> None:
    """Close what has connected all the same: another one was faster, or it was too late."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().transport.abort()


def _causes(error: BaseException | None) -> Iterator[str]:
    if error is not None:
        yield str(error) or type(error).__name__
