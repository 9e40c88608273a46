"""The plain engine: httpx 0.28, an order of magnitude slower than the other.

One httpx pool for all requests takes time quadratic in their number, and a cancelled request leaves a dead slot in it.
So each connection is a transport of its own, which is thrown away after anything but a complete exchange. Transports
are used without httpx's client around them: it would keep cookies, and log each URL, which may hold the key.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import socket
import ssl
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

import httpx

from consumer.customfit.answers import SUCCESSFUL, Answer
from consumer.customfit.engine import ANSWER_BYTES_MAX, CLOSED, IDLE_SECONDS_MAX, TOO_EARLY, EngineUnavailable, Then
from consumer.customfit.forwarding import Forwarded
from consumer.customfit.raw_answer import RawAnswer
from consumer.customfit.target import Target
from consumer.customfit.tls import tls_context

CAUSES_MAX: Final = 5
SENT_AT_ONCE_BYTES: Final = 65_536
"""What the kernel takes without waiting for the other side, so that nobody can answer in the middle of it."""
CLOSE_SECONDS: Final = 2.0
"""How long requests in flight may take to end once their time is over."""
LIMITS: Final = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=IDLE_SECONDS_MAX)
SOCKET_OPTIONS: Final = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]  # asyncio sets TCP_NODELAY by itself


class HttpxEngine:
    """A stack of connections: the last one used is used next, and those at the bottom grow old and are closed."""

    name = "httpx"

    def __init__(self, target: Target) -> None:
        for logger in ("httpx", "httpcore"):
            logging.getLogger(logger).setLevel(logging.WARNING)
        _settle_sniffio()
        self._target = target
        # One for all: loading the certificates takes tens of ms.
        self._tls = tls_context(target.ca_certificates) if target.needs_tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            self._url = httpx.URL(target.url)
            self._proxy = _proxy(target.proxy, self._tls) if target.proxy else None
        except (httpx.InvalidURL, ValueError) as error:
            raise EngineUnavailable(f"CUSTOMFIT_API_URL or the proxy's URL: {error}") from None
        self._headers = httpx.Headers(dict(target.headers))
        self._timeouts = httpx.Timeout(None, connect=target.connect_timeout_seconds).as_dict()
        self._idle: deque[_Connection] = deque()
        self._tasks: set[asyncio.Task[Answer]] = set()
        self._deadlines: set[asyncio.Timeout] = set()
        self._closed = False

    def __repr__(self) -> str:
        return f"<HttpxEngine {self._target.shown_url} ({len(self._deadlines)} busy, {len(self._idle)} idle)>"

    def post(self, body: bytes, then: Then, headers: Forwarded | None = None) -> None:
        """Send JSON once; `then` gets the beginning of the answer."""
        task = asyncio.get_running_loop().create_task(self._exchange(body, headers))
        self._tasks.add(task)
        task.add_done_callback(partial(self._answered, then))

    def _answered(self, then: Then, task: asyncio.Task[Answer]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():  # only when the loop itself ends
            error = task.exception()
            assert error is None or isinstance(error, Exception)
            then(task.result() if error is None else error)

    async def _exchange(self, body: bytes, headers: Forwarded | None) -> Answer:
        target = self._target
        if self._closed:
            return target.no_answer("protocol_error", [CLOSED])
        connection = self._idle.pop() if self._idle else self._open()
        deadline = asyncio.timeout(target.timeout_seconds)
        self._deadlines.add(deadline)
        reusable = False
        try:
            async with deadline:
                status, retry_after, beginning, coding = await connection.exchange(self._request(body, headers))
            if connection.is_too_early and status in SUCCESSFUL:
                return target.no_answer("protocol_error", [TOO_EARLY])
            reusable = not target.is_forwarded and connection.is_at_the_end and not self._closed
            return target.answered(status, retry_after, beginning, coding)
        except httpx.ConnectTimeout:
            return target.timed_out(connecting=True)
        except (httpx.TimeoutException, TimeoutError):
            return self._out_of_time()
        except (httpx.ConnectError, httpx.ProxyError) as error:
            return target.no_answer("connect_error", _causes(error))
        except httpx.TransportError as error:
            return target.no_answer("protocol_error", _causes(error))
        finally:
            self._deadlines.discard(deadline)
            if reusable:
                await self._keep(connection)
            else:
                await connection.close()

    async def close(self) -> None:
        """Close all connections. The time of a request in flight is over: it gets a NoAnswer."""
        self._closed = True
        for deadline in self._deadlines:
            if not deadline.expired():
                deadline.reschedule(asyncio.get_running_loop().time())
        while self._idle:
            await self._idle.pop().close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)

    def _out_of_time(self) -> Answer:
        if self._closed:
            return self._target.no_answer("protocol_error", [CLOSED])
        return self._target.timed_out(connecting=False)

    def _request(self, body: bytes, more: Forwarded | None) -> httpx.Request:
        headers = self._headers if more is None else httpx.Headers([*self._headers.raw, *more])
        return httpx.Request("POST", self._url, headers=headers, content=body, extensions={"timeout": self._timeouts})

    def _open(self) -> _Connection:
        assert len(self._deadlines) < self._target.connections_max, "more requests at once than in_flight_max"
        return _Connection(
            httpx.AsyncHTTPTransport(
                verify=self._tls, trust_env=False, limits=LIMITS, proxy=self._proxy, socket_options=SOCKET_OPTIONS
            )
        )

    async def _keep(self, connection: _Connection) -> None:
        now = time.monotonic()
        connection.idle_since = now
        self._idle.append(connection)
        if self._idle[0].idle_since < now - IDLE_SECONDS_MAX:
            await self._idle.popleft().close()  # one at a time is enough, since each request adds one at most


class _Stream(Protocol):
    async def aclose(self) -> None: ...


class _Connection:
    """A transport limited to one connection, and the TCP stream under it.

    httpcore keeps bytes that follow an answer and takes them for the next answer. So what is read is checked here, too.
    """

    def __init__(self, transport: httpx.AsyncHTTPTransport) -> None:
        self.idle_since = 0.0
        self.is_early = False
        """Whether something came before all of the request was sent."""
        self._size_bytes = 0
        self._received = RawAnswer()
        self._transport = transport
        self._tcp: _Stream | None = None
        self._stream: Any = None
        """httpcore's stream, with or without TLS: requests are written to it, and answers are read from it."""

    async def exchange(self, request: httpx.Request) -> tuple[int, str | None, bytes, str]:
        """Send a request and read the beginning of the answer: status, Retry-After, body, and how that is packed."""
        request.extensions["trace"] = self._trace
        self._size_bytes, self.is_early = len(request.content), False
        response = await self._transport.handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        beginning = b""
        try:
            async for chunk in response.stream:  # as it came: `aiter_bytes` would unpack it
                beginning += chunk
                if len(beginning) >= ANSWER_BYTES_MAX:
                    break
        except httpx.RemoteProtocolError:  # h11 refuses odd trailers when all of the answer is there
            if not self._received.has_last_chunk:
                raise
        finally:
            await response.aclose()
        headers = response.headers
        coding = headers.get("content-encoding", "")
        return response.status_code, headers.get("retry-after"), beginning[:ANSWER_BYTES_MAX], coding

    async def close(self) -> None:
        """Close whatever is open, broken or half made."""
        with suppress(httpx.TransportError, OSError):
            await self._transport.aclose()
        if self._tcp is not None:
            with suppress(OSError):
                await self._tcp.aclose()

    async def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Remember the TCP stream: httpcore 1.0 loses it, open, when a TLS handshake on it times out."""
        if event == "connection.connect_tcp.complete":
            self._tcp = info["return_value"]
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._stream = info["return_value"]
            self._stream.read = self._received.noting(self._stream.read)
        if event.endswith(".send_request_body.complete"):
            self._received.clear()
            if self._size_bytes > SENT_AT_ONCE_BYTES:
                self.is_early = bool(self._stream.get_extra_info("is_readable"))

    @property
    def is_too_early(self) -> bool:
        """Whether what came too early was the answer itself, not 100 Continue or the like before it."""
        return self.is_early and not self._received.is_informational_first

    @property
    def is_at_the_end(self) -> bool:
        """Whether all that was read is one answer, and certainly no more."""
        return self._received.is_one_answer


def _settle_sniffio() -> None:
    """If sniffio is missing, say so once. That saves a third of a request's CPU time.

    httpcore 1.0 tries to import it four times a request, anyio no longer brings it, and Python does not remember failed
    imports.
    """
    if importlib.util.find_spec("sniffio") is None:
        sys.modules["sniffio"] = None  # type: ignore[assignment]  # the documented way, unknown to the stubs


def _proxy(url: str, tls: ssl.SSLContext) -> httpx.Proxy:
    return httpx.Proxy(url, ssl_context=tls if url.startswith("https:") else None)


def _causes(error: BaseException) -> Iterator[str]:
    """The message and those of its causes, since httpx's own says little (`All connection attempts failed`)."""
    cause: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if cause is None:
            return
        yield str(cause) or type(cause).__name__
        cause = cause.__cause__ or cause.__context__
