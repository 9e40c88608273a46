"""A server with a few pages, and what one asks it, for tests."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Mapping

from consumer.ops.server import Asked, HttpServer, Page, Route

Start = Callable[..., HttpServer]


def broken(_: Asked) -> Page:
    """A page with a bug."""
    raise RuntimeError("no such key")


ROUTES: Mapping[str, Route] = {
    "/metrics": Route(lambda asked: Page(200, "text/plain; version=1.0.0", f"accept={asked.accept}\n".encode())),
    "/readyz": Route(lambda _: Page(503, "application/json", b'{"status": "starting", "reasons": ["a", "b"]}')),
    "/broken": Route(broken),
}


def ask(
    server: HttpServer, path: str, method: str = "GET", host: str = "127.0.0.1", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """One request; the answer and its body."""
    connection = http.client.HTTPConnection(host, server.port, timeout=60)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def say(server: HttpServer, data: bytes) -> bytes:
    """Everything that comes back to these bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(data)
        return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server closes, or breaks off because it did not read all that was sent."""
    answer = b""
    try:
        while data := connection.recv(65536):
            answer += data
    except ConnectionError:
        pass
    return answer


def has_ipv6() -> bool:
    """Whether ::1 can be listened on."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
