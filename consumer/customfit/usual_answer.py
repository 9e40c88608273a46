"""A whole answer as destinations send it nearly always, read at a glance. Pure.

2xx with a Content-Length, no coding, no word about the connection, and all of it in one piece. The heads of such
answers differ by their date alone, so each is looked at once a second. Whatever is not so is read by the parser.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

HEADS_MAX: Final = 64
"""Most that are remembered; then all are forgotten."""
_LINE: Final = rb"[\t\x20-\x7e\x80-\xff]*\r\n"
_HEAD: Final = re.compile(rb"HTTP/1\.1 (2\d\d) " + _LINE + rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:" + _LINE + rb")*)\r\n")
_LENGTH: Final = re.compile(rb"^content-length:[\t ]*(\d{1,6})[\t ]*\r$", re.IGNORECASE | re.MULTILINE)
_UNUSUAL: Final = re.compile(
    rb"^(?:transfer-encoding|connection|proxy-connection|keep-alive|upgrade|trailer|retry-after):",
    re.IGNORECASE | re.MULTILINE,
)


class Usual(NamedTuple):
    """What such an answer says."""

    status: int
    body: bytes


class UsualAnswers:
    """Heads that were seen, and what they say."""

    def __init__(self) -> None:
        self._heads: dict[bytes, tuple[int, int]] = {}
        """Head → status and length of the body; (0, -1): not of this kind."""

    def read(self, data: bytes) -> Usual | None:
        """The answer, if this is the whole of one of this kind."""
        end = data.find(b"\r\n\r\n") + 4
        head = data[:end]
        found = self._heads.get(head)
        if found is None:
            if len(self._heads) >= HEADS_MAX:
                self._heads.clear()
            found = self._heads[head] = _look(head)
        status, length = found
        return Usual(status, data[end:]) if length == len(data) - end else None


def _look(head: bytes) -> tuple[int, int]:
    match = _HEAD.fullmatch(head)
    if match is None or len(lengths := _LENGTH.findall(match[2])) != 1 or _UNUSUAL.search(match[2]):
        return 0, -1
    status = int(match[1])
    return (0, -1) if status in (204, 205) else (status, int(lengths[0]))
