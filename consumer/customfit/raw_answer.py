"""The bytes of an answer as they were read, to tell whether more came than one answer. For the plain engine."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final

from consumer.customfit.engine import ANSWER_BYTES_MAX

KEPT_BYTES_MAX: Final = 64 * 1024 + 2 * ANSWER_BYTES_MAX
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*(?=\r\n)", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*(?=\r\n)", re.IGNORECASE)
_BARE_LINE_FEED: Final = re.compile(rb"(?<!\r)\n")
_BEGINNING: Final = b"HTTP/1."
_LAST_CHUNK: Final = b"\r\n0\r\n"

Read = Callable[..., Awaitable[bytes]]


class RawAnswer:
    """What was read since the request was sent."""

    def __init__(self) -> None:
        self._received = b""
        self._size_bytes = 0

    def clear(self) -> None:
        """A request is sent: what comes now is its answer."""
        self._received, self._size_bytes = b"", 0

    def noting(self, read: Read) -> Read:
        """The same stream, but what it reads is noted."""

        async def noted(max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  httpcore's names
            data = await read(max_bytes, timeout)
            self._size_bytes += len(data)
            if len(self._received) < KEPT_BYTES_MAX:
                self._received += data
            return data

        return noted

    @property
    def is_one_answer(self) -> bool:
        """Whether it is one answer and certainly no more. False if that can't be told."""
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(self._received) < self._size_bytes or _BARE_LINE_FEED.search(head):
            return False
        if _CHUNKED.search(head + end):
            return body.endswith(_LAST_CHUNK + b"\r\n") and self._received.count(_BEGINNING) == 1
        lengths = _LENGTH.findall(head + end)
        return len(lengths) == 1 and len(body) == int(lengths[0])

    @property
    def is_informational_first(self) -> bool:
        """Whether 100 Continue or the like comes before it."""
        return self._received.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1"))

    @property
    def has_last_chunk(self) -> bool:
        """Whether what is left of it can only be trailers."""
        head, end, body = self._received.partition(b"\r\n\r\n")
        return _CHUNKED.search(head + end) is not None and _LAST_CHUNK in body
