"""The server of metrics and health against slow, rude and broken clients."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import suppress

import pytest

from consumer.ops import server as server_module
from consumer.ops.server import REQUEST_BYTES_MAX, TEXT, Asked, CannotListen, HttpServer, Page, PortInUse, Route
from tests.ops.given_server import ROUTES, Start, ask, has_ipv6, read_all, say


def test_serves_a_page_with_its_status_and_type(start: Start) -> None:
    """The page gets the Accept header; the answer is not cached, and names no versions."""
    response, body = ask(start(), "/metrics?name=x", Accept="text/plain")

    assert (response.status, body) == (200, b"accept=text/plain\n")
    assert response.getheader("Content-Type") == "text/plain; version=1.0.0"
    assert response.getheader("Content-Length") == str(len(body))
    assert response.getheader("Cache-Control") == "no-store"
    assert response.getheader("Server") == "customfit-consumer"


def test_a_head_has_the_headers_alone(start: Start) -> None:
    """HEAD answers like GET, without the body."""
    response, body = ask(start(), "/readyz", "HEAD")

    assert (response.status, body) == (503, b"")
    assert response.getheader("Content-Length") == "45"


def test_an_unknown_path_is_told_the_known_ones(start: Start) -> None:
    """404 lists what there is."""
    response, body = ask(start(), "/metric")

    assert response.status == 404
    assert body == b"Not found. There is:\n/metrics\n/readyz\n/broken\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_nothing_can_be_changed(start: Start, method: str) -> None:
    """Every method but GET and HEAD is 405."""
    response, body = ask(start(), "/metrics", method)

    assert (response.status, body) == (405, b"Method Not Allowed\n")
    assert response.getheader("Allow") == "GET, HEAD"


def test_a_page_that_fails_is_a_500_and_a_logged_line(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """The client learns nothing of the cause, the log does, and the server goes on."""
    server = start()
    response, body = ask(server, "/broken")

    assert (response.status, body) == (500, b"This page failed; the log says why.\n")
    assert ["the page /broken failed: RuntimeError('no such key')"] == [r.getMessage() for r in caplog.records]
    assert ask(server, "/metrics")[0].status == 200


def test_there_is_no_access_log(
    start: Start, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Probes every second leave no trace."""
    caplog.set_level(logging.DEBUG)
    ask(start(), "/metrics")

    assert (caplog.records, *capfd.readouterr()) == ([], "", "")


@pytest.mark.parametrize(
    ("sent", "status_line"),
    [
        (b"nonsense\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/1.1 what\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/9.9\r\n\r\n", b"HTTP/1.1 505 HTTP Version Not Supported"),
        (b"GET /metrics\r\n\r\n", b"HTTP/1.1 200 OK"),
        (b"GET /" + b"x" * 20_000, b"HTTP/1.1 431 Request Header Fields Too Large"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n", b"HTTP/1.1 431 Request Header Fields Too Large"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", b"HTTP/1.1 400 Bad Request"),
        (b"\r\n", b""),
        (b"", b""),
    ],
    ids=["nonsense", "four words", "version", "HTTP/0.9", "long", "many headers", "TLS", "empty line", "nothing"],
)
def test_what_is_no_request_is_refused(start: Start, sent: bytes, status_line: bytes) -> None:
    """One line of answer, and the next client is served."""
    server = start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(sent)
        with suppress(OSError):  # it may have closed already
            connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)

    lost = len(sent) > REQUEST_BYTES_MAX and not answer  # closing with bytes unread may break off the answer
    assert lost or answer.partition(b"\r\n")[0] == status_line
    assert ask(server, "/metrics")[0].status == 200


@pytest.mark.parametrize("said", [b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\nX-Slow: "])
def test_a_client_that_stalls_is_dropped(start: Start, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """However far it came."""
    monkeypatch.setattr(server_module, "REQUEST_SECONDS_MAX", 0.05)
    assert say(start(), said) == b""


def test_a_client_that_trickles_is_dropped(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then does not extend the time."""
    monkeypatch.setattr(server_module, "REQUEST_SECONDS_MAX", 0.2)
    server = start()
    dropped = False
    with socket.create_connection(("127.0.0.1", server.port), timeout=0.02) as connection:
        for _ in range(500):
            try:
                connection.sendall(b"x")
                dropped = connection.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                dropped = True
            if dropped:
                break

    assert dropped


@pytest.mark.parametrize("said", [b"", b"GET /metrics HTTP/1.1\r\nHost: a"])
def test_connections_that_say_nothing_keep_nobody_from_being_answered(start: Start, said: bytes) -> None:
    """At the limit the oldest that has not asked gives way, not whoever comes with a request."""
    server = start()
    held = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in range(40)]
    for connection in held:
        with suppress(OSError):
            connection.sendall(said)
    statuses = [ask(server, path)[0].status for path in ("/metrics", "/readyz", "/metrics")]
    held[-1].sendall(b"GET /metrics HTTP/1.1\r\n\r\n" if not said else b"\r\n\r\n")
    last = read_all(held[-1])
    for connection in held:
        connection.close()

    assert [200, 503, 200] == statuses
    assert last.startswith(b"HTTP/1.1 200 OK\r\n")


def test_more_requests_than_16_at_once_are_refused(start: Start) -> None:
    """A request that is being answered does not give way; when it is done, the next client is served."""
    go_on, entered = threading.Event(), threading.Semaphore(0)

    def slow(_: Asked) -> Page:
        entered.release()
        go_on.wait(10)
        return Page(200, TEXT, b"done")

    server = start({"/slow": Route(slow), "/metrics": ROUTES["/metrics"]})
    held = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in range(16)]
    for connection in held:
        connection.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
    assert all(entered.acquire(timeout=60) for _ in held)
    refused = say(server, b"")
    go_on.set()
    answers = [read_all(connection) for connection in held]
    for connection in held:
        connection.close()

    assert refused == b""
    assert all(answer.endswith(b"done") for answer in answers)
    assert until_served(server)


def until_served(server: HttpServer) -> bool:
    """A slot is free again a moment after its answer was sent."""
    return any(say(server, b"GET /metrics HTTP/1.1\r\n\r\n") for _ in range(1000))


def test_a_hanging_page_leaves_the_others_alone(start: Start) -> None:
    """Each request has a thread of its own."""
    go_on, entered = threading.Event(), threading.Event()

    def hanging(_: Asked) -> Page:
        entered.set()
        go_on.wait(10)
        return Page(200, TEXT, b"late")

    server = start({"/hanging": Route(hanging), "/metrics": ROUTES["/metrics"]})
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(b"GET /hanging HTTP/1.1\r\n\r\n")
        assert entered.wait(10)
        quick, _ = ask(server, "/metrics")
        go_on.set()
        late = read_all(connection)

    assert quick.status == 200
    assert late.endswith(b"late")


def test_a_port_in_use_names_the_setting(start: Start) -> None:
    """Two instances do not share a port unnoticed."""
    first = start()

    with pytest.raises(PortInUse, match=rf"127\.0\.0\.1:{first.port} is in use.*CUSTOMFIT_HTTP_PORT"):
        start(port=first.port)


@pytest.mark.parametrize("host", ["192.0.2.1", "customfit.invalid"])
def test_an_address_that_is_not_ours_names_the_setting(start: Start, host: str) -> None:
    """So does a host that cannot be listened on."""
    with pytest.raises(CannotListen, match="CUSTOMFIT_HTTP_HOST"):
        start(host=host)


@pytest.mark.parametrize(
    ("host", "reached_at"),
    [("0.0.0.0", ["127.0.0.1"]), ("127.0.0.1", ["127.0.0.1"]), ("::", ["127.0.0.1", "::1"]), ("::1", ["::1"])],  # noqa: S104
)
def test_listens_where_it_is_told(start: Start, host: str, reached_at: list[str]) -> None:
    """`::` means IPv4 as well."""
    if ":" in host and not has_ipv6():
        pytest.skip("no IPv6 here")
    server = start(host=host)

    assert [200 for _ in reached_at] == [ask(server, "/metrics", host=address)[0].status for address in reached_at]


def test_close_frees_the_port(start: Start) -> None:
    """Closing twice is harmless, and the port can be taken again."""
    first = start()
    port = first.port
    first.close()
    first.close()

    assert ask(start(port=port), "/metrics")[0].status == 200
