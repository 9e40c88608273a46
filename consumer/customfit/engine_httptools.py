"""The default engine: asyncio's transports and httptools' parser; direct, and through HTTP proxies.

A request costs 32 microseconds of CPU time, with 64 at once on uvloop. For an https server the proxy is asked for a
tunnel, which is kept as a connection. For an http server it is sent the whole URL.
"""

from __future__ import annotations

import asyncio
from collections import deque
from urllib.parse import urlsplit

from consumer.customfit.connection import Connection, causes
from consumer.customfit.dialling import dial, peer_of
from consumer.customfit.engine import CLOSED, IDLE_SECONDS_MAX, EngineUnavailable, Then
from consumer.customfit.forwarding import Forwarded
from consumer.customfit.proxies import proxy_headers
from consumer.customfit.target import Target
from consumer.customfit.tls import tls_context
from consumer.customfit.tunnel import Tunnel, connect_request
from consumer.customfit.unread_sockets import UnreadSockets
from consumer.customfit.usual_answer import UsualAnswers


class HttptoolsEngine:
    """A stack of connections: the last one used is used next, and those at the bottom grow old and are closed."""

    name = "httptools"

    def __init__(self, target: Target) -> None:
        self.target = target
        tls = tls_context(target.ca_certificates) if target.needs_tls else None
        try:
            self._server = peer_of(target.url, tls)
            self._proxy = peer_of(target.proxy, tls) if target.proxy else None
        except ValueError as error:
            raise EngineUnavailable(f"CUSTOMFIT_API_URL: {error}") from None
        self.head = _head(target)
        self._tunnel_request = connect_request(self._server, proxy_headers(target.proxy or ""))
        self.loop = asyncio.get_running_loop()
        self.busy: set[Connection] = set()
        self.usual = UsualAnswers()
        self.unread: UnreadSockets[Connection] = UnreadSockets()
        self._has_looked = False
        """Whether it has looked for unread bytes in this turn of the event loop."""
        self.idle: deque[Connection] = deque()
        self._connecting: dict[asyncio.Task[None], Then] = {}
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        """One timer for all requests. One for each would be made and cancelled thousands of times a second."""
        self._timer_at = 0.0

    def __repr__(self) -> str:
        return f"<HttptoolsEngine {self.target.shown_url} ({len(self.busy)} busy, {len(self.idle)} idle)>"

    def post(self, body: bytes, then: Then, headers: Forwarded | None = None) -> None:
        """Send JSON once; `then` gets the beginning of the answer."""
        ends_at = self.loop.time() + self.target.timeout_seconds
        if self._closed:
            then(self.target.no_answer("protocol_error", [CLOSED]))
        elif (connection := self._idle_connection()) is not None:
            connection.send(body, then, ends_at, headers)
        else:
            task = self.loop.create_task(self._connect_and_send(body, then, ends_at, headers))
            self._connecting[task] = then
            task.add_done_callback(self._connecting.pop)

    async def close(self) -> None:
        """Close all connections. Each request in flight gets a NoAnswer, and so does every later `post`."""
        self._closed = True
        for task, then in [*self._connecting.items()]:
            if task.cancel():  # otherwise it has told already
                then(self.target.no_answer("protocol_error", [CLOSED]))
        for connection in [*self.busy, *self.idle]:
            connection.fail(CLOSED)
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.sleep(0)  # the transports close in the next turn
        self.unread.close()

    def watch(self, ends_at: float) -> None:
        """End a busy connection at this time."""
        if self._timer is None or ends_at < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._timer_at = self.loop.call_at(ends_at, self._end_overdue), ends_at

    def _end_overdue(self) -> None:
        now = self.loop.time()
        self._timer = None
        try:
            for connection in [one for one in self.busy if one.ends_at <= now]:
                connection.out_of_time()
        finally:  # if one callback fails, the others still get their time-outs
            if self.busy:
                self.watch(min(one.ends_at for one in self.busy))

    def keep(self, connection: Connection) -> None:
        """Keep it ready for the next request. The oldest may be too old by now."""
        connection.idle_since = self.loop.time()
        self.idle.append(connection)
        if self.idle[0].idle_since < connection.idle_since - IDLE_SECONDS_MAX:
            self.idle.popleft().transport.abort()  # one at a time is enough, since each request adds one at most

    def discard(self, connection: Connection) -> None:
        """It ended while it was idle, so it is not used again."""
        if connection in self.idle:
            self.idle.remove(connection)

    def _idle_connection(self) -> Connection | None:
        """The connection that was used last. If that one is too old, all are."""
        if self.idle and not self._has_looked:
            self._drop_unread()
        if self.idle and self.idle[-1].idle_since < self.loop.time() - IDLE_SECONDS_MAX:
            while self.idle:
                self.idle.pop().transport.abort()
        while self.idle:
            connection = self.idle.pop()
            if not connection.transport.is_closing():  # the server may have closed it in this very turn
                return connection
        return None

    def _drop_unread(self) -> None:
        """Drop each connection on which something came that nobody asked for: a second answer, or the end."""
        self._has_looked = True
        self.loop.call_soon(self._look_again)
        for connection in self.unread.look():
            if connection not in self.busy and connection in self.idle:
                self.idle.remove(connection)
                connection.transport.abort()

    def _look_again(self) -> None:
        self._has_looked = False

    async def _connect_and_send(self, body: bytes, then: Then, ends_at: float, headers: Forwarded | None) -> None:
        try:
            async with asyncio.timeout(self.target.connect_timeout_seconds):
                connection = await self._connect()
        except TimeoutError:
            then(self.target.timed_out(connecting=True))
        except (OSError, UnicodeError) as error:  # ssl.SSLError is one; no such name; a name that is none
            then(self.target.no_answer("connect_error", causes(error)))
        except Exception as error:  # noqa: BLE001  a fault of this program: whoever waits is told, and not kept waiting
            then(error)
        else:
            connection.send(body, then, ends_at, headers)

    async def _connect(self) -> Connection:
        """A connection on which the server can be asked."""
        if self._proxy is None or self._server.tls is None:
            return await dial(self._proxy or self._server, lambda: Connection(self))
        tunnel = await dial(self._proxy, lambda: Tunnel(self._tunnel_request))
        return await tunnel.enter(self._server, Connection(self))


def _head(target: Target) -> bytes:
    """The head of each request, up to the number of `Content-Length`."""
    parts = urlsplit(target.url)
    host = parts.netloc.rpartition("@")[2]
    # By hand: `geturl` makes four slashes of two at the beginning of a path (Python 3.12.4 and later).
    asked = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    headers = [f"{name}: {value}" for name, value in target.headers.items()]
    if target.proxy and target.is_forwarded:
        asked = f"http://{host}{asked}"
        headers += proxy_headers(target.proxy)
    return "\r\n".join([f"POST {asked} HTTP/1.1", f"Host: {host}", *headers, "Content-Length: "]).encode()
