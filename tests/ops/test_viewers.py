"""Browsers and `top` share half of the server's places: they take none from a scraper or a probe. Real sockets."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from consumer.ops import server as server_module
from consumer.ops.server import CONNECTIONS_MAX, PLACES, TEXT, Asked, HttpServer, Page, Reader, Route

LARGE: Page = Page(200, TEXT, b"x" * 30_000_000)
"""More than the buffers of a connection take: who does not read it holds its place."""
VIEWERS: int = PLACES[Reader.VIEWER]
HELD_SECONDS_MAX = 60.0
"""Longer than 60 requests take on a busy machine: they took more than 10 s."""


class Served:
    """A server with a page for each reader; those of viewers and scrapers may be held up."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.entered = threading.Semaphore(0)
        routes = {
            "/livez": Route(lambda _: Page(200, TEXT, b"alive")),
            "/large-probe": Route(self._large),
            "/metrics": Route(lambda _: Page(200, TEXT, b"metrics"), Reader.SCRAPER),
            "/large-metrics": Route(self._large, Reader.SCRAPER),
            "/status": Route(self._held, Reader.VIEWER),
            "/large-status": Route(self._large, Reader.VIEWER),
            "/quick-status": Route(lambda asked: Page(200, TEXT, asked.query.encode()), Reader.VIEWER),
            "/users/": Route(
                lambda asked: Page(200, TEXT, f"{asked.path} {asked.client} {asked.own}".encode()), Reader.VIEWER
            ),
        }
        self.server = HttpServer("127.0.0.1", 0, routes, ["consumer"])
        self.server.start()

    def connect(self, said: bytes = b"") -> socket.socket:
        """A connection that has said this."""
        connection = socket.create_connection(("127.0.0.1", self.server.port), timeout=60)
        connection.sendall(said)
        return connection

    def ask(self, path: str, **headers: str) -> http.client.HTTPResponse:
        """One request, read to its end; the body is in `.body`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        response.body = response.read()  # type: ignore[attr-defined]
        connection.close()
        return response

    def answers(self) -> int:
        """How many requests are being answered now."""
        assert self.server._server is not None
        return len(self.server._server._answered)

    def _held(self, _: Asked) -> Page:
        self.entered.release()
        self.go_on.wait(HELD_SECONDS_MAX)
        return Page(200, TEXT, b"status")

    def _large(self, _: Asked) -> Page:
        self.entered.release()
        return LARGE


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Closed at the end."""
    monkeypatch.setattr(server_module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(server_module, "SILENT_SECONDS", 10.0)  # on a busy machine a request may come late
    monkeypatch.setattr(server_module, "ROOM_SECONDS", 60.0)  # and who is told to come back may take long to leave
    served = Served()
    yield served
    served.go_on.set()
    served.server.close()


def request(path: str, *headers: str) -> bytes:
    """As a browser sends it, by the address."""
    lines = [f"GET {path} HTTP/1.1", *(headers or ("Host: 127.0.0.1",)), "", ""]
    return "\r\n".join(lines).encode()


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    answer = bytearray()
    while data := connection.recv(1_000_000):
        answer += data
    return bytes(answer)


def test_a_viewer_too_many_is_told_to_come_back(served: Served) -> None:
    """At once, and not served in the place of somebody else; when a place is free, it is served."""
    with ExitStack() as stack:
        held = [stack.enter_context(served.connect(request("/status"))) for _ in range(VIEWERS)]
        assert all(served.entered.acquire(timeout=60) for _ in held)
        refused = served.ask("/quick-status")
        served.go_on.set()
        answers = [read_all(connection) for connection in held]

    assert (503, "2") == (refused.status, refused.getheader("Retry-After"))
    assert all(answer.endswith(b"status") for answer in answers)
    assert eventually(lambda: served.ask("/quick-status").status == 200)


def test_viewers_take_no_place_from_a_scraper_or_a_probe(served: Served) -> None:
    """However many of them ask at the same time."""
    refused: list[bytes] = []
    with ExitStack() as stack:
        held = [stack.enter_context(served.connect(request("/status"))) for _ in range(VIEWERS)]
        assert all(served.entered.acquire(timeout=60) for _ in held)
        go, done = threading.Event(), threading.Event()

        def view() -> None:
            go.wait(10)
            while not done.is_set():
                with served.connect(request("/quick-status")) as connection:
                    refused.append(read_all(connection))

        viewers = [threading.Thread(target=view) for _ in range(CONNECTIONS_MAX + 4)]
        for thread in viewers:
            thread.start()
        go.set()
        statuses = [served.ask(path).status for _ in range(30) for path in ("/metrics", "/livez")]
        done.set()
        for thread in viewers:
            thread.join(10)

    assert [200] * 60 == statuses
    assert refused
    assert {b"HTTP/1.1 503 Service Unavailable"} == {answer.partition(b"\r\n")[0] for answer in refused}


def test_slow_readers_of_large_pages_leave_places_for_probes(served: Served) -> None:
    """Neither 16 of a viewer's page nor 16 of the metrics: two places are for probes alone."""
    with ExitStack() as stack:
        for path in ("/large-status", "/large-metrics"):
            slow = [stack.enter_context(served.connect(request(path))) for _ in range(CONNECTIONS_MAX)]
            assert all(served.entered.acquire(timeout=60) for _ in slow[: PLACES[Reader.SCRAPER]])
        assert eventually(lambda: served.answers() == PLACES[Reader.VIEWER] + PLACES[Reader.SCRAPER])
        probes = [served.ask("/livez").status for _ in range(10)]
        refused = [served.ask(path).status for path in ("/quick-status", "/metrics")]

        assert eventually(lambda: served.answers() == PLACES[Reader.VIEWER] + PLACES[Reader.SCRAPER])
    assert [200] * 10 == probes
    assert [503, 503] == refused


def test_a_reader_that_is_too_slow_loses_its_place(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for an answer is limited as a whole."""
    monkeypatch.setattr(server_module, "REQUEST_SECONDS_MAX", 0.2)
    with ExitStack() as stack:
        for _ in range(VIEWERS):
            stack.enter_context(served.connect(request("/large-status")))
        assert all(served.entered.acquire(timeout=60) for _ in range(VIEWERS))

        assert eventually(lambda: served.answers() == 0)
        assert 200 == served.ask("/quick-status").status


def test_who_has_just_connected_does_not_give_way(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scraper between its connection and its request, when a burst of others comes: the last one waits a moment."""
    with ExitStack() as stack:
        scraper = stack.enter_context(served.connect())
        for _ in range(CONNECTIONS_MAX - 1):
            stack.enter_context(served.connect())
        is_full = threading.Event()
        assert served.server._server is not None
        make_room = served.server._server._made_room

        def say_and_make_room() -> bool:
            is_full.set()
            return make_room()

        monkeypatch.setattr(served.server._server, "_made_room", say_and_make_room)
        last = stack.enter_context(served.connect(request("/livez")))
        assert is_full.wait(10)
        time.sleep(0.05)  # in which the oldest would give way
        scraper.sendall(request("/metrics"))

        assert read_all(scraper).endswith(b"metrics")
        assert read_all(last).endswith(b"alive")


def take_all_but_probes(served: Served, stack: ExitStack) -> None:
    """Viewers and scrapers have all of their places, and are being answered."""
    for path, count in (("/status", VIEWERS), ("/large-metrics", PLACES[Reader.SCRAPER])):
        for _ in range(count):
            stack.enter_context(served.connect(request(path)))
            assert served.entered.acquire(timeout=60)


def test_a_place_that_is_about_to_be_free_is_waited_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a viewer who is just told to come back: a probe that comes meanwhile is not refused."""
    monkeypatch.setattr(server_module, "TOO_MANY", LARGE._replace(status=503))  # it takes until it is read
    with ExitStack() as stack:
        take_all_but_probes(served, stack)
        told = [stack.enter_context(served.connect(request("/status"))) for _ in range(2)]
        assert eventually(lambda: served.answers() == CONNECTIONS_MAX)
        probe = stack.enter_context(served.connect(request("/livez")))
        refused = read_all(told[0])

        assert refused.startswith(b"HTTP/1.1 503 ")
        assert read_all(probe).endswith(b"alive")


def test_a_probe_waits_for_the_place_of_one_that_is_just_answered(served: Served) -> None:
    """Probes in a row, when all other places are taken: the thread of the last one may not have ended yet."""
    with ExitStack() as stack:
        take_all_but_probes(served, stack)
        earlier = [stack.enter_context(served.connect(request("/large-probe"))) for _ in range(2)]
        assert eventually(lambda: served.answers() == CONNECTIONS_MAX)
        probe = stack.enter_context(served.connect(request("/livez")))
        read_all(earlier[0])

        assert read_all(probe).endswith(b"alive")


def test_a_place_that_became_free_meanwhile_is_taken(served: Served) -> None:
    """Somebody left between two looks, and nobody could give way: a probe was closed without an answer."""
    server = served.server._server
    assert server is not None

    assert server._made_room()
    server._free.release()


def test_who_is_told_to_come_back_takes_no_viewers_place(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long that takes: the next place is for the next viewer."""
    monkeypatch.setattr(server_module, "TOO_MANY", LARGE._replace(status=503))
    with ExitStack() as stack:
        reading = [stack.enter_context(served.connect(request("/large-status"))) for _ in range(VIEWERS)]
        assert all(served.entered.acquire(timeout=60) for _ in reading)
        stack.enter_context(served.connect(request("/quick-status")))
        assert eventually(lambda: served.answers() == VIEWERS + 1)
        read_all(reading[0])

        assert eventually(lambda: served.answers() == VIEWERS)
        assert 200 == served.ask("/quick-status").status


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]:9464", "localhost:9464", "consumer:9464"])
def test_a_viewer_is_served_by_address_or_a_name_that_is_known(served: Served, host: str) -> None:
    """Localhost and the names of CUSTOMFIT_HTTP_HOSTS."""
    assert 200 == served.ask("/quick-status", Host=host).status


@pytest.mark.parametrize(
    "host", ["evil.example", "", "a b", "[", "\xff", ":", "consumer.evil.example:9464", "x" * 9000]
)
def test_a_viewer_by_another_name_is_misdirected(served: Served, host: str) -> None:
    """421 and what to do, never a page, and never a failure."""
    refused = [served.ask(path, Host=host) for path in ("/quick-status", "/users/abc")]

    assert [421, 421] == [one.status for one in refused]
    assert all(b"CUSTOMFIT_HTTP_HOSTS" in one.body for one in refused)  # type: ignore[attr-defined]


@pytest.mark.parametrize("host", ["evil.example", "", "[", "\xff", "consumer-7:9464"])
def test_scrapers_and_probes_may_use_any_name(served: Served, host: str) -> None:
    """Prometheus and orchestrators use that of a service or a pod."""
    assert [200, 200] == [served.ask(path, Host=host).status for path in ("/metrics", "/livez")]


@pytest.mark.parametrize("said", [b"GET /quick-status HTTP/1.0\r\n\r\n", b"GET /quick-status HTTP/1.1\r\n\r\n"])
def test_who_names_no_host_is_served(served: Served, said: bytes) -> None:
    """It is no browser."""
    with served.connect(said) as connection:
        assert read_all(connection).startswith(b"HTTP/1.1 200 OK\r\n")


def test_two_hosts_are_refused(served: Served) -> None:
    """Proxies differ in which of them they take."""
    with served.connect(request("/quick-status", "Host: localhost", "Host: evil.example")) as connection:
        assert read_all(connection).startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize("path", ["/quick-status", "/metrics", "/nothing", "/users/x"])
def test_every_answer_is_kept_to_itself(served: Served, path: str) -> None:
    """Not stored, not taken for another type, and no address of ours is told to others."""
    answer = served.ask(path)
    names = ("Cache-Control", "X-Content-Type-Options", "Referrer-Policy")

    assert ["no-store", "nosniff", "no-referrer"] == [answer.getheader(name) for name in names]


def test_a_page_is_told_what_was_asked(served: Served) -> None:
    """The query as it was sent; below a path that ends in a slash the whole path, the client's address and ours."""
    assert b"members&x=%20" == served.ask("/quick-status?members&x=%20").body  # type: ignore[attr-defined]
    assert b"/users/0123abc 127.0.0.1 127.0.0.1" == served.ask("/users/0123abc").body  # type: ignore[attr-defined]
    assert [404, 404] == [served.ask(path).status for path in ("/users", "/users/a/b")]


def eventually(holds: Callable[[], bool]) -> bool:
    """A place is free a moment after its answer was sent."""
    deadline = time.monotonic() + 10
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True
