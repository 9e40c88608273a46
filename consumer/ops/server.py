"""A small HTTP server for a few read-only pages, on threads of its own: it answers even when the loop hangs.

Meant for a scraper, a prober and a browser, and safe to leave open to slower and ruder ones: GET and HEAD only, one
request per connection, limits on connections, size and time. At the limit the oldest connection that has not asked yet
gives way, so that who opens connections and says nothing keeps nobody from being answered. Browsers have half of the
places at most, and are served under known names only, so that no other site's page can read ours. No access log.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import socket
import socketserver
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from consumer.log_codes import Code, fields
from consumer.ops.host_header import is_known

CONNECTIONS_MAX: Final = 16
REQUEST_SECONDS_MAX: Final = 5.0
"""For the whole request, however it trickles in; and again for sending the answer."""
REQUEST_BYTES_MAX: Final = 16 * 1024
"""Request line and headers; nginx takes 8 KiB a line."""
ROOM_SECONDS: Final = 1.0
"""For a connection that gives way to end; its thread has nothing to do but that."""
SILENT_SECONDS: Final = 0.2
"""Who has connected more recently is about to ask, and does not give way."""
POLL_SECONDS: Final = 0.2
"""How long `close` may wait for the listening thread."""
TEXT: Final = "text/plain; charset=utf-8"

logger = logging.getLogger(__name__)


class Page(NamedTuple):
    """An answer."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({})


class Asked(NamedTuple):
    """What a page is told of the request."""

    path: str = "/"
    query: str = ""
    """Behind the `?`, as it was sent."""
    accept: str = ""
    client: str = ""
    """The address that it came from."""
    own: str = ""
    """And the one that it was sent to."""
    is_forwarded: bool = False
    """A proxy says that somebody else asks."""


class Reader(Enum):
    """Who asks for a page: they do not share all of the places."""

    PROBE = "probe"
    SCRAPER = "scraper"
    VIEWER = "viewer"
    """A browser, or `top`."""


PLACES: Final[Mapping[Reader, int]] = MappingProxyType({Reader.SCRAPER: 6, Reader.VIEWER: CONNECTIONS_MAX // 2})
"""How many of each are answered at once. Two places are always left for probes, however slow the others read."""


class Route(NamedTuple):
    """What answers for a path, on a thread of the server. A path that ends in `/` is for each name in it."""

    answer: Callable[[Asked], Page]
    reader: Reader = Reader.PROBE


TOO_MANY: Final = Page(503, TEXT, b"Too many ask for this at once; ask again in 2 s.\n", {"Retry-After": "2"})
OTHER_HOST: Final = Page(
    421, TEXT, b"Not served under this name: use an address or localhost, or name it in CUSTOMFIT_HTTP_HOSTS.\n"
)
FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
"""What proxies add; one that adds nothing can't be told from a client."""
ALWAYS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class CannotListen(Exception):
    """The address cannot be listened on. The message names the setting and says what to do."""


class PortInUse(CannotListen):
    """Something else listens on the port."""


class HttpServer:
    """Serves `routes`, by path, from `start` to `close`. Port 0 takes any free one."""

    def __init__(self, host: str, port: int, routes: Mapping[str, Route], names: Collection[str] = ()) -> None:
        """`names`: by which viewers may call it, beside addresses and localhost."""
        self._host = host
        self._port = port
        self._served = _Served(dict(routes), frozenset(names))
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port listened on, once started."""
        assert self._server is not None, "not started"
        port: int = self._server.server_address[1]
        return port

    def start(self) -> None:
        """Listen and serve. Raises PortInUse or CannotListen."""
        assert self._server is None, "started twice"
        self._server = _listen(self._host, self._port, self._served)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="http", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening; requests being answered are left to end by themselves, within their limits."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._thread = None


class _Served(NamedTuple):
    routes: Mapping[str, Route]
    names: Collection[str]

    def route(self, path: str) -> Route | None:
        found = self.routes.get(path)
        folder = path[: path.rfind("/") + 1]
        return found if found is not None or folder == "/" else self.routes.get(folder)


def _listen(host: str, port: int, served: _Served) -> _Server:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return _Server(family, address, served)
    except OSError as error:
        where = f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"{where} is in use by another program; set CUSTOMFIT_HTTP_PORT to a free port, or stop that program"
            ) from error
        setting = "CUSTOMFIT_HTTP_PORT" if error.errno in (errno.EACCES, errno.EPERM) else "CUSTOMFIT_HTTP_HOST"
        raise CannotListen(f"cannot listen on {where}: {error.strerror}; change {setting}") from error


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 2 * CONNECTIONS_MAX  # inherited are 5: a sixth client at once would wait a second to connect
    allow_reuse_port = False  # Python 3.14 sets it, and then two instances would share a port unnoticed

    def __init__(self, family: int, address: Any, served: _Served) -> None:
        self.address_family = family
        self.served = served
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._silent: dict[socket.socket, float] = {}
        """Connections whose request is not complete, the oldest first, and when each came; monotonic seconds."""
        self._answered: dict[socket.socket, Reader | None] = {}
        """Those whose request is being answered, and who asks; None: who is told that there are too many."""
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # `::` means IPv4 as well
        socketserver.TCPServer.server_bind(self)  # HTTPServer's looks up our name in the DNS, which may take seconds

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                time.sleep(0.1)  # the connection stays pending, so without this the thread would spin
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if not (self._free.acquire(blocking=False) or self._made_room()):
            self.shutdown_request(request)
            return
        with self._lock:
            self._silent[request] = time.monotonic()
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._ended(request)
            raise

    def _made_room(self) -> bool:
        """Wait for a place that is about to be free; or have the oldest give way that has said nothing for a moment."""
        with self._lock:
            since = next(iter(self._silent.values()), None)
        if since is not None and self._free.acquire(timeout=max(since + SILENT_SECONDS - time.monotonic(), 0.0)):
            return True
        with self._lock:
            is_soon = not {Reader.PROBE, None}.isdisjoint(self._answered.values())  # their answers are short
            oldest = next(iter(self._silent), None)
            if oldest is not None:
                del self._silent[oldest]
                with contextlib.suppress(OSError):  # inside the lock: whoever serves it closes it after `has_asked`
                    oldest.shutdown(socket.SHUT_RDWR)
        # Also where nobody gives way: a place may have become free since it was looked for.
        return self._free.acquire(timeout=ROOM_SECONDS if oldest is not None or is_soon else 0)

    def has_asked(self, request: socket.socket, reader: Reader = Reader.PROBE) -> bool:
        """A request is complete: its client gives way no longer. True: there is a place for such a reader."""
        with self._lock:
            self._silent.pop(request, None)
            places = PLACES.get(reader, CONNECTIONS_MAX)
            has_place = Counter(self._answered.values())[reader] < places
            self._answered[request] = reader if has_place else None
            return has_place

    def _ended(self, request: socket.socket) -> None:
        with self._lock:
            self._silent.pop(request, None)
            self._answered.pop(request, None)
            self._free.release()  # inside the lock: else `_made_room` sees neither who leaves nor the free place

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._ended(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        error = sys.exception()
        if not isinstance(error, OSError):  # those are clients that went away
            logger.error("the HTTP server failed: %r", error, exc_info=error, extra=fields(Code.PAGE_FAILED))


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # inherited is 0.9, whose answers are a bare body
    timeout = REQUEST_SECONDS_MAX

    def setup(self) -> None:
        super().setup()
        self.command = self.requestline = ""  # for an answer to something that is no request
        self.rfile = io.BufferedReader(_Request(self.connection), 8192)

    def handle(self) -> None:
        try:
            self.handle_one_request()
        except _TooLarge:
            self.request_version = self.protocol_version
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        route = self.server.served.route(path)
        has_place = self.server.has_asked(self.connection, route.reader if route else Reader.PROBE)
        self._answer(self._page(path, query, route) if has_place else TOO_MANY)

    def _page(self, path: str, query: str, route: Route | None) -> Page:
        if route is None:
            paths = "".join(f"{path}\n" for path in self.server.served.routes if path == "/" or path[-1] != "/")
            return Page(404, TEXT, f"Not found. There is:\n{paths}".encode())
        if route.reader is Reader.VIEWER and not is_known(self._sent("Host"), self.server.served.names):
            return OTHER_HOST
        accept = ", ".join(self._sent("Accept"))
        try:
            own = self.connection.getsockname()[0]
            is_forwarded = any(name in self.headers for name in FORWARDED)
            return route.answer(Asked(path, query, accept, self.client_address[0], own, is_forwarded))
        except Exception as error:  # whatever a page does, the others stay up
            logger.error("the page %s failed: %r", path, error, exc_info=error, extra=fields(Code.PAGE_FAILED))
            return Page(500, TEXT, b"This page failed; the log says why.\n")

    def _sent(self, name: str) -> list[str]:
        """All headers of this name. Since Python 3.14 those of HTTP/0.9, which has none, are a plain dict."""
        get_all = getattr(self.headers, "get_all", None)
        return [] if get_all is None else list(get_all(name, []))

    def do_HEAD(self) -> None:
        self.do_GET()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer in one plain line: the inherited page is HTML and repeats the request."""
        if code == HTTPStatus.NOT_IMPLEMENTED:  # how http.server calls a method without a do_ function
            code = HTTPStatus.METHOD_NOT_ALLOWED
        self._answer(Page(code, TEXT, f"{HTTPStatus(code).phrase}\n".encode()))

    def _answer(self, page: Page) -> None:
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        for name, value in {**ALWAYS, **page.headers}.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        if page.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)

    def version_string(self) -> str:
        return "customfit-consumer"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """No access log."""


class _TooLarge(Exception):
    """More than REQUEST_BYTES_MAX came before the end of the headers."""


class _Request(io.RawIOBase):
    """What a client sends, up to a total time and size. A plain socket time-out starts again with every byte."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._ends_at = time.monotonic() + REQUEST_SECONDS_MAX
        self._bytes_left = REQUEST_BYTES_MAX

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        seconds_left = self._ends_at - time.monotonic()
        if seconds_left <= 0:
            raise TimeoutError("the request took too long")
        if self._bytes_left <= 0:
            raise _TooLarge
        self._connection.settimeout(seconds_left)
        count = self._connection.recv_into(buffer, min(len(buffer), self._bytes_left))
        self._connection.settimeout(REQUEST_SECONDS_MAX)  # for the answer
        self._bytes_left -= count
        return count
