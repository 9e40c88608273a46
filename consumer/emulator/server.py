"""A local stand-in for CustomFit's API: checks what it is sent, keeps a ledger, and can be told to fail.

    POST …/v1/cfe   events, as CustomFit takes them
    GET  /ledger    the summary; ?entries=1&after=SEQUENCE&limit=N also what was accepted, in order
    POST /reset     empties the ledger
    GET  /control   the faults; POST changes some of them, e.g. {"latency_seconds": 0.2, "fail_rate": 0.05}
    GET  /healthz
    GET  /          the page (page.py)

Faults concern events only; the other paths always answer. Nothing else in the package imports this module but the
commands `emulator` and `demo`, and the tests.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

import msgspec

from consumer.emulator.arrivals import LIMIT_DEFAULT, last
from consumer.emulator.contract import Call, ContractError, read_call
from consumer.emulator.faults import Faults, FaultsError, Throttle
from consumer.emulator.http import BODY_BYTES_MAX, HttpConnection, Reply, Silence
from consumer.emulator.ledger import Ledger
from consumer.emulator.page import Page
from consumer.emulator.request import Request

EVENTS_PATH: Final = "/v1/cfe"
KEY_LENGTH_MIN: Final = 8  # Segment's setting for the key is validated by ^.{8,}$
LISTED_ENTRIES_MAX: Final = 10_000
ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  nothing is bound here

_SUCCESS: Final = Reply(200, b'{"status":"success"}')


class Watcher(Protocol):
    """Hears of what happens, in the emulator's thread."""

    def accepted(self, call: Call, *, out_of_order: bool) -> None:
        """A request was recorded. `out_of_order`: it came before an identify of its user."""

    def refused(self, status: int, reason: str, path: str) -> None:
        """A request with events was answered with something other than 2xx."""


class Emulator:
    """The server. It belongs to one event loop; `ledger` and `faults` may be used from any thread."""

    def __init__(
        self,
        faults: Faults | None = None,
        keys: frozenset[str] | None = None,
        *,
        ledger: Ledger | None = None,
        body_bytes_max: int = BODY_BYTES_MAX,
        seed: int = 0,
        watcher: Watcher | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`keys`: the keys that are accepted; None: any key of at least 8 characters."""
        self.faults = Faults() if faults is None else faults
        self.ledger = Ledger() if ledger is None else ledger
        self.host = ""
        self.port = 0
        self._keys = keys
        self._body_bytes_max = body_bytes_max
        self._random = random.Random(seed)
        self._watcher = watcher
        self._clock = clock
        self._throttle = Throttle()
        self._away: tuple[float, float] | None = None  # unavailable_seconds as they were met, and until when
        self._server: asyncio.Server | None = None
        self._connections: set[HttpConnection] = set()
        self._routes: dict[str, dict[str, Callable[[Request], Reply]]] = {
            "/last": {"GET": self._get_last},
            "/ledger": {"GET": self._get_ledger},
            "/reset": {"POST": self._post_reset},
            "/control": {"GET": self._get_control, "POST": self._post_control},
            "/healthz": {"GET": self._get_health},
            **Page(self.ledger, self.faults).routes(),
        }

    @property
    def base_url(self) -> str:
        """`http://host:port`, as others on this machine reach it."""
        host = "localhost" if self.host in ANY_ADDRESS else f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def url(self) -> str:
        """Where events are posted: the value for CUSTOMFIT_API_URL."""
        return self.base_url + EVENTS_PATH

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0: any free one. OSError when it can't."""
        assert self._server is None, "already started"
        loop = asyncio.get_running_loop()
        protocol = partial(HttpConnection, self, self._connections, self._body_bytes_max)
        self._server = await loop.create_server(protocol, host, port, backlog=1024)
        self.host = host
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close all connections and stop listening. The ledger stays, and `start` may follow."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for connection in list(self._connections):
            connection.close()
        await asyncio.sleep(0)  # Python 3.11's wait_closed does not wait for the connections
        await server.wait_closed()

    def delay_seconds(self, request: Request) -> float:
        """The latency, for requests with events."""
        faults = self.faults
        seconds = faults.latency_seconds
        if faults.latency_jitter_seconds:
            seconds += self._random.uniform(0, faults.latency_jitter_seconds)
        return seconds if seconds and request.head.path.endswith(EVENTS_PATH) else 0.0

    def answer(self, request: Request, *, connected: bool) -> Reply | Silence:
        """Decide about one request."""
        if request.head.path.endswith(EVENTS_PATH):
            reply = self._events(request, connected=connected)
            if isinstance(reply, Silence):
                self.ledger.drop(reply.value)
            return reply
        methods = self._routes.get(request.head.path)
        if methods is None:
            return _error(404, f"there is nothing at this path; events go to {EVENTS_PATH}, / shows what arrived")
        route = methods.get(request.head.method)
        if route is None:
            return _error(405, f"{' or '.join(methods)} only", b"Allow: %b\r\n" % ", ".join(methods).encode())
        return route(request)

    def unreadable(self, status: int, reason: str) -> Reply:
        """The answer to something that is not HTTP, or too large."""
        return self._refuse(status, reason, "")

    def _events(self, request: Request, *, connected: bool) -> Reply | Silence:
        if request.head.method != "POST":
            return self._refuse(405, "POST only", request.head.path, b"Allow: POST\r\n")
        fault = self._fault(request)
        if fault is not None:
            return fault
        try:
            call = read_call(request.body)
        except ContractError as error:
            return self._refuse(400, str(error), request.head.path)
        faults = self.faults
        if faults.fail_users and call.user_id in faults.fail_users:
            headers = _retry_after(faults.fail_users_retry_after_seconds)
            reason = "this user's requests fail on purpose (fail_users)"
            return self._refuse(faults.fail_users_status, reason, request.head.path, headers)
        if faults.refuse_users and call.user_id in faults.refuse_users:
            return self._refuse(400, "this user is refused on purpose (refuse_users)", request.head.path)
        if faults.refuse_names and not set(call.names).isdisjoint(faults.refuse_names):
            return self._refuse(400, "an event of this name is refused on purpose (refuse_names)", request.head.path)
        return self._accept(call, request.head.path, connected=connected)

    def _fault(self, request: Request) -> Reply | Silence | None:
        """What happens before anybody looks at the body. Faults has the order."""
        faults = self.faults
        if faults.unavailable_seconds and self._is_away():
            return Silence.CLOSE
        if faults.hang:
            return Silence.HANG
        limit = faults.throttle_requests_per_second
        if limit and not self._throttle.admits(self._clock(), limit):
            return self._refuse(429, f"more than {limit:g} requests/s", request.head.path, b"Retry-After: 1\r\n")
        if faults.reset_unrecorded_rate and self._random.random() < faults.reset_unrecorded_rate:
            return Silence.RESET
        reason = self._key_problem(request.head.key)
        if reason is not None:
            return self._refuse(401, reason, request.head.path, b"WWW-Authenticate: Bearer\r\n")
        if faults.fail_rate and self._random.random() < faults.fail_rate:
            headers = _retry_after(faults.fail_retry_after_seconds)
            if 300 <= faults.fail_status < 400:
                headers += b"Location: /elsewhere\r\n"
            return self._refuse(faults.fail_status, "failing on purpose (fail_rate)", request.head.path, headers)
        return None

    def _is_away(self) -> bool:
        now, seconds = self._clock(), self.faults.unavailable_seconds
        if self._away is None or self._away[0] != seconds:
            self._away = (seconds, now + seconds)
        if now < self._away[1]:
            return True
        self._away = None
        self.faults.unavailable_seconds = 0.0
        return False

    def _key_problem(self, key: str | None) -> str | None:
        if key is None:
            return "no API key: neither `Authorization: Bearer KEY` nor `?cfenc=KEY`"
        faults = self.faults
        if faults.reject_all_keys or key in faults.reject_keys:
            return "this API key is rejected on purpose (reject_keys)"
        if self._keys is not None:
            return None if key in self._keys else "an unknown API key"
        return None if len(key) >= KEY_LENGTH_MIN else f"an API key has at least {KEY_LENGTH_MIN} characters"

    def _accept(self, call: Call, path: str, *, connected: bool) -> Reply | Silence:
        rate = self.faults.reset_rate
        lost = bool(rate) and self._random.random() < rate
        try:
            out_of_order = self.ledger.accept(call, answered=connected and not lost)
        except OSError as error:
            return self._refuse(500, f"the ledger file can't be written: {error.strerror}", path)
        if self._watcher is not None:
            self._watcher.accepted(call, out_of_order=out_of_order)
        return Silence.RESET if lost else _SUCCESS

    def _refuse(self, status: int, reason: str, path: str, headers: bytes = b"") -> Reply:
        self.ledger.refuse(status)
        if self._watcher is not None:
            self._watcher.refused(status, reason, path)
        return _error(status, reason, headers)

    def _get_last(self, request: Request) -> Reply:
        try:
            query = parse_qs(request.head.query, max_num_fields=10, encoding="utf-8", errors="strict")
            limit = int(query.get("limit", [str(LIMIT_DEFAULT)])[0])
        except ValueError:
            return _error(400, "`limit` is a whole number; `user` is a user's id, percent-encoded")
        if limit < 1 or not query.keys() <= {"limit", "user"}:
            return _error(400, "there are `limit`, at least 1, and `user`")
        return _page(msgspec.json.encode(last(self.ledger, limit=limit, user_id=query.get("user", [None])[0])))

    def _get_ledger(self, request: Request) -> Reply:
        try:
            query = parse_qs(request.head.query, max_num_fields=10)
            after, limit = (int(query.get(name, [default])[0]) for name, default in (("after", "0"), ("limit", "1000")))
        except ValueError:
            return _error(400, "`after` and `limit` are whole numbers")
        answer = msgspec.json.encode(self.ledger.summary())
        if query.get("entries", ["0"])[0] == "1":
            lines = self.ledger.lines(after=after, limit=min(limit, LISTED_ENTRIES_MAX))
            answer = b'%b,"listed":[%b]}' % (answer[:-1], b",".join(lines))
        return _page(answer)

    def _post_reset(self, request: Request) -> Reply:
        del request
        try:
            self.ledger.clear()
        except OSError as error:
            return _error(500, f"the ledger file can't be emptied: {error.strerror}")
        return _SUCCESS

    def _get_control(self, request: Request) -> Reply:
        del request
        return _page(msgspec.json.encode(self.faults))

    def _post_control(self, request: Request) -> Reply:
        try:
            changes = msgspec.json.decode(request.body, type=dict[str, Any])
            self.faults.change(changes)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, FaultsError) as error:
            return _error(400, str(error))
        if "unavailable_seconds" in changes:
            self._away = None
        return self._get_control(request)

    def _get_health(self, request: Request) -> Reply:
        del request
        return Reply(200, b'{"status":"ok"}')


def _retry_after(seconds: int) -> bytes:
    return b"Retry-After: %d\r\n" % seconds if seconds else b""


def _page(content: bytes) -> Reply:
    """What people ask for with curl ends with a newline, or the shell's prompt would follow it on the line."""
    return Reply(200, content + b"\n")


def _error(status: int, reason: str, headers: bytes = b"") -> Reply:
    return Reply(status, msgspec.json.encode({"status": "error", "reason": reason}), headers)


@contextmanager
def running_emulator(emulator: Emulator | None = None, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[Emulator]:
    """Run an emulator in a thread with a loop of its own, for the demo and for tests."""
    emulator = Emulator() if emulator is None else emulator
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="emulator", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(emulator.start(host, port), loop).result()
        try:
            yield emulator
        finally:
            asyncio.run_coroutine_threadsafe(emulator.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
