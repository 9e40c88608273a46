"""Bytes → HTTP/1.1 requests, strictly. Pure.

Strict, because the emulator stands in for a server behind a proxy that is strict: what is ambiguous (two lengths, a
bare line feed, a folded header) is refused, not guessed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from urllib.parse import parse_qs

HEAD_BYTES_MAX: Final = 16 * 1024  # Node.js and h11 allow as much
CHUNK_LINE_BYTES_MAX: Final = 256


class BadRequestError(Exception):
    """Not HTTP as it is read here; the connection can't be used any further."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class TooLargeError(Exception):
    """A body above the limit; nothing of it is kept."""


class Head(NamedTuple):
    """Request line and headers, as far as anybody here asks."""

    method: str
    path: str
    query: str
    key: str | None
    """The API key, from `Authorization: Bearer KEY`, else from `?cfenc=KEY`."""
    keep_alive: bool
    expects_continue: bool
    content_length: int
    """-1: chunked."""


_REQUEST_LINE: Final = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e]+) HTTP/1\.([01])")
_HEADER: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_LENGTH: Final = re.compile(rb"[0-9]{1,12}")
_READ_ONCE: Final = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"authorization", b"connection", b"expect"}
)


@lru_cache(maxsize=4096)
def parse_head(head: bytes) -> Head:
    """Read a request line and headers, without the empty line; raises BadRequestError.

    Cached: a client repeats its head word for word but for the length, and parsing is most of the work of a request.
    """
    lines = head.split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(lines[0])
    if match is None:
        raise BadRequestError(400, "not an HTTP/1.1 request line")
    headers: dict[bytes, bytes] = {}
    for line in lines[1:]:
        field = _HEADER.fullmatch(line)
        if field is None:
            raise BadRequestError(400, "not a header")
        name = field[1].lower()
        if name in _READ_ONCE:
            if name in headers:
                raise BadRequestError(400, f"{name.decode()} stands twice")
            headers[name] = field[2].strip(b" \t")
    version_1_1 = match[3] == b"1"
    if version_1_1 and b"host" not in headers:
        raise BadRequestError(400, "no host header")
    path, query = _target(match[2].decode("ascii"))
    connection = {option.strip() for option in headers.get(b"connection", b"").lower().split(b",")}
    return Head(
        match[1].decode("ascii"),
        path,
        query,
        _key(headers.get(b"authorization"), query),
        keep_alive=version_1_1 and b"close" not in connection,
        expects_continue=headers.get(b"expect", b"").lower() == b"100-continue",
        content_length=_content_length(headers),
    )


def _target(target: str) -> tuple[str, str]:
    if not target.startswith("/"):  # the whole URL, as clients write it that think this is a proxy
        scheme, separator, rest = target.partition("://")
        if not separator or scheme not in ("http", "https"):
            raise BadRequestError(400, "not a path")
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


def _content_length(headers: dict[bytes, bytes]) -> int:
    coding, length = headers.get(b"transfer-encoding"), headers.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise BadRequestError(400, "both content-length and transfer-encoding")
        if coding.lower() != b"chunked":
            raise BadRequestError(501, "a transfer-encoding other than chunked")
        return -1
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise BadRequestError(400, "not a content-length")
    return int(length)


class Chunks:
    """A chunked body, taken from the buffer as it comes."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._body = bytearray()
        self._left = 0
        self._part: Literal["size", "data", "end of data", "trailers"] = "size"
        self._trailers_bytes = 0

    def take(self, buffer: bytearray) -> bytes | None:
        """The whole body, or None while it is not there."""
        while True:
            if self._part == "data":
                taken = buffer[: self._left]
                del buffer[: self._left]
                self._body += taken
                self._left -= len(taken)
                if self._left:
                    return None
                self._part = "end of data"
            line = self._line(buffer)
            if line is None:
                return None
            if self._part == "end of data":
                if line:
                    raise BadRequestError(400, "a chunk is longer than its size says")
                self._part = "size"
            elif self._part == "size":
                self._size(line)
            elif not line:
                return bytes(self._body)

    def _line(self, buffer: bytearray) -> bytes | None:
        end = buffer.find(b"\r\n", 0, CHUNK_LINE_BYTES_MAX)
        if end < 0:
            if len(buffer) >= CHUNK_LINE_BYTES_MAX:
                raise BadRequestError(400, "a chunk's size or trailer is too long")
            return None
        line = bytes(buffer[:end])
        del buffer[: end + 2]
        if self._part == "trailers":
            self._trailers_bytes += len(line)
            if self._trailers_bytes > HEAD_BYTES_MAX:
                raise BadRequestError(431, f"more than {HEAD_BYTES_MAX} bytes of trailers")
        return line

    def _size(self, line: bytes) -> None:
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise BadRequestError(400, "not the size of a chunk")
        self._left = int(match[1], 16)
        if len(self._body) + self._left > self._bytes_max:
            raise TooLargeError
        self._part = "data" if self._left else "trailers"
