"""A schema registry on 127.0.0.1 whose answers are given by hand, for faults that a real one is hard to bring to."""

from __future__ import annotations

import gzip
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.fakes.served import Quiet, served


class FakeRegistry:
    """Answers by path; anything else is Confluent's "schema not found"."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.down: int | None = None
        """While set: the status of every answer."""
        self.encoding: str | None = None
        """Said to be that of every answer."""
        self.packs = False
        """Whether every answer is packed with gzip, asked for or not."""
        self.pause_seconds = 0.0
        """Between any two bytes of an answer."""
        self.encodings: list[str | None] = []
        """Asked for."""
        self.asked: list[str] = []
        self.posted: list[Any] = []
        self.authorizations: list[str | None] = []
        self.url = ""

    def put(self, path: str, schema: Any, **more: Any) -> None:
        """This schema is at this path."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        self.answers[path] = (200, json.dumps({"schema": text, **more}).encode())

    def answer(self, path: str) -> tuple[int, bytes]:
        """What is answered now."""
        self.asked.append(path)
        if self.down is not None:
            return self.down, b'{"error_code":50001,"message":"down"}'
        return self.answers.get(path, (404, b'{"error_code":40403,"message":"Schema not found"}'))


@contextmanager
def running_registry(tls: ssl.SSLContext | None = None) -> Iterator[FakeRegistry]:
    """One that listens until the end of the block; `tls`: by https alone."""
    registry = FakeRegistry()

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.authorizations.append(self.headers.get("Authorization"))
            registry.encodings.append(self.headers.get("Accept-Encoding"))
            status, body = registry.answer(self.path)
            encoding = "gzip" if registry.packs else registry.encoding
            body = gzip.compress(body) if registry.packs else body
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if encoding is not None:
                self.send_header("Content-Encoding", encoding)
            self.end_headers()
            if not registry.pause_seconds:
                self.wfile.write(body)
                return
            with suppress(ConnectionError):  # whoever asked has had enough
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(registry.pause_seconds)

        def do_POST(self) -> None:
            registry.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.do_GET()

    with served(Handler, tls) as registry.url:
        yield registry
