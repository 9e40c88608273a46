"""What several tests of what is shown have in common."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import pytest

from consumer.ops import server as server_module
from consumer.ops.server import HttpServer, Route
from tests.ops.given_server import ROUTES, Start


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Set up as it was, when the test is over."""
    loggers = [logging.getLogger(name) for name in (None, "httpx", "httpcore")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts servers on a free port; closes them."""
    monkeypatch.setattr(server_module, "POLL_SECONDS", 0.01)
    servers: list[HttpServer] = []

    def start_one(routes: Mapping[str, Route] = ROUTES, host: str = "127.0.0.1", port: int = 0) -> HttpServer:
        server = HttpServer(host, port, routes)
        server.start()
        servers.append(server)
        return server

    yield start_one
    for server in servers:
        server.close()
