"""Bytes → HTTP/1.1 requests, with httptools' parser (llhttp), and stricter wherever that one guesses.

It is strict because the emulator stands in for a server behind a strict proxy. What is ambiguous (two lengths, a bare
line feed, a folded header) is refused, not guessed.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import parse_qs

import msgspec
from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser

HEAD_BYTES_MAX: Final = 16 * 1024  # Node.js and h11 allow as much
CHUNK_LINE_BYTES_MAX: Final = 256
"""For a chunk's size and extensions. It limits their sum: this many bytes for each chunk that has come."""
READ_ONCE: Final = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"authorization", b"connection", b"expect"}
)


class Head(NamedTuple):
    """Request line and headers, as far as anybody here needs them."""

    method: str
    path: str
    query: str
    key: str | None
    """The API key, from `Authorization: Bearer KEY`, else from `?cfenc=KEY`."""
    keep_alive: bool
    expects_continue: bool


class Request(msgspec.Struct, frozen=True, gc=False):
    """A whole request."""

    head: Head
    body: bytes


class Refusal(Exception):
    """It can't be read as a request, and the connection can't be used any further."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class RequestParser:
    """The requests of one connection, as their bytes come. httptools names the methods that it calls."""

    def __init__(self, body_bytes_max: int) -> None:
        self._body_bytes_max = body_bytes_max
        self._parser = HttpRequestParser(self)
        self._found: list[Request] = []
        self._refusal: Refusal | None = None
        self._is_over = False
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._head: Head | None = None
        self._head_bytes = 0
        """Bytes of pieces that hold nothing but head."""
        self._fields_bytes = 0
        """Bytes of whole headers or, behind a body in chunks, of trailers."""
        self._body = bytearray()
        self._chunks = 0
        self._overhead_bytes = 0
        """Bytes that came since the head and are no body."""
        self._number = 0
        self._is_open = False
        """A request has begun and is not complete."""

    def feed(self, data: bytes | memoryview) -> list[Request | Refusal]:
        """What these bytes complete. A refusal comes last: nothing is read after it."""
        if self._is_over:
            return []
        try:
            while data:
                data = self._feed(data)
        except HttpParserError as error:
            self._is_over = True
            if self._refusal is None:
                if isinstance(error, HttpParserCallbackError):
                    raise  # a bug in here
                self._refusal = Refusal(400, f"not HTTP/1.1: {error}")
        found, self._found = self._found, []
        return [*found, self._refusal] if self._refusal is not None else [*found]

    def expects_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body."""
        is_waiting = self._is_open and not self._overhead_bytes and not self._body
        return is_waiting and self._head is not None and self._head.expects_continue

    def _feed(self, data: bytes | memoryview) -> bytes | memoryview:
        """Parse, and return the rest. Bytes beside the body count only for a request that began before these bytes."""
        number = self._number if self._is_open else -1
        had_head, had_body_bytes = self._head is not None, len(self._body)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:  # another protocol is asked for, which is not spoken here
            self._parser = HttpRequestParser(self)
            return data[int(upgrade.args[0]) :]
        if self._is_open and number == self._number:
            if self._head is None:
                self._head_bytes += len(data)
                if self._head_bytes > HEAD_BYTES_MAX:
                    self._refuse_fields()
            elif had_head:
                self._overhead_bytes += len(data) - (len(self._body) - had_body_bytes)
                if self._overhead_bytes > HEAD_BYTES_MAX + CHUNK_LINE_BYTES_MAX * self._chunks:
                    self._refuse(400, "too much about a chunk that is no body")
        return b""

    # ------------------------------------------------------------------ called by the parser

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url, self._headers, self._head, self._body = b"", {}, None, bytearray()
        self._head_bytes = self._fields_bytes = self._chunks = self._overhead_bytes = 0
        self._number += 1
        self._is_open = True

    def on_url(self, part: bytes) -> None:
        """Its target, in one piece or several."""
        self._url += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer behind a body in chunks, which nobody here needs."""
        self._fields_bytes += len(name) + len(value) + 4
        if self._fields_bytes > HEAD_BYTES_MAX:
            self._refuse_fields()
        if self._head is not None:
            return
        name = name.lower()
        if name in READ_ONCE:
            if name in self._headers:
                self._refuse(400, f"{name.decode()} stands twice")
            self._headers[name] = value.strip(b" \t")

    def on_headers_complete(self) -> None:
        """The head is whole."""
        version = self._parser.get_http_version()
        if version not in {"1.0", "1.1"}:
            self._refuse(400, "not an HTTP/1.1 request line")
        if version == "1.1" and b"host" not in self._headers:
            self._refuse(400, "no host header")
        if self._headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            self._refuse(501, "a transfer-encoding other than chunked")
        if int(self._headers.get(b"content-length", b"0")) > self._body_bytes_max:
            self._refuse_body()
        path, query = self._target()
        self._head = Head(
            self._parser.get_method().decode("ascii"),
            path,
            query,
            _key(self._headers.get(b"authorization"), query),
            keep_alive=version == "1.1" and self._parser.should_keep_alive(),
            expects_continue=self._headers.get(b"expect", b"").lower() == b"100-continue",
        )
        self._fields_bytes = 0

    def on_chunk_header(self) -> None:
        """The size of a chunk was read."""
        self._chunks += 1

    def on_body(self, part: bytes) -> None:
        """Some of the body."""
        if len(self._body) + len(part) > self._body_bytes_max:
            self._refuse_body()
        self._body += part

    def on_message_complete(self) -> None:
        """The request is whole."""
        assert self._head is not None, "a head comes first"
        self._found.append(Request(self._head, bytes(self._body)))
        self._is_open = False

    # ------------------------------------------------------------------ what is refused

    def _refuse_fields(self) -> None:
        self._refuse(431, f"more than {HEAD_BYTES_MAX} bytes of {'headers' if self._head is None else 'trailers'}")

    def _refuse_body(self) -> None:
        self._refuse(413, f"more than {self._body_bytes_max} bytes")

    def _refuse(self, status: int, reason: str) -> None:
        """End the parsing: the parser stops at an exception."""
        self._refusal = self._refusal or Refusal(status, reason)
        raise HttpParserError(reason)

    def _target(self) -> tuple[str, str]:
        target = self._url.decode("latin-1")
        if not target.isascii():
            self._refuse(400, "not an HTTP/1.1 request line")
        if not target.startswith("/"):  # the whole URL, as clients write it that take this for a proxy
            scheme, separator, rest = target.partition("://")
            if not separator or scheme not in ("http", "https"):
                self._refuse(400, "not a path")
            target = "/" + rest.partition("/")[2]
        path, _, query = target.partition("?")
        return path, query


def _key(authorization: bytes | None, query: str) -> str | None:
    if authorization is not None:
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() == b"bearer":
            return token.strip(b" ").decode("latin-1")
    if "cfenc=" not in query:
        return None
    try:
        return parse_qs(query, max_num_fields=100).get("cfenc", [None])[0]
    except ValueError:
        return None
