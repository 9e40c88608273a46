"""An OIDC provider on 127.0.0.1 that gives the secured broker's user tokens, without a signature."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from tests.fakes.served import Quiet, served
from tests.real_broker.secured import USER


class TokenEndpoint:
    """What it was asked."""

    def __init__(self, token_seconds: float) -> None:
        self.url = ""
        self.asked: list[str | None] = []
        """With which credentials."""
        self._token_seconds = token_seconds

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """What answers a request."""
        endpoint = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.asked.append(self.headers.get("Authorization"))
                body = json.dumps({"access_token": endpoint.token(), "token_type": "Bearer"}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler

    def token(self) -> str:
        """A JWT without a signature."""
        now = time.time()
        parts = {"alg": "none"}, {"sub": USER, "iat": now - 1, "exp": now + self._token_seconds}
        head, claims = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
        return f"{head}.{claims}."


@contextmanager
def oidc_provider(token_seconds: float) -> Iterator[TokenEndpoint]:
    """A provider that gives the user tokens of so many seconds."""
    endpoint = TokenEndpoint(token_seconds)
    with served(endpoint.handler()) as url:
        endpoint.url = f"{url}/token"
        yield endpoint
