"""Reads, at a glance, a whole answer of the kind that destinations nearly always send. Pure.

It is a 2xx with a Content-Length, no transfer coding, no word about the connection, and all in one piece. The heads of
such answers differ by their date only, so only a new head is taken apart. The parser reads any other answer.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

HEADS_MAX: Final = 64
"""How many heads are remembered. Then all are forgotten."""
HEAD_BYTES_MAX: Final = 4096
"""Longest head that is read here: what is remembered has a limit."""
_LINE: Final = rb"[\t\x20-\x7e\x80-\xff]*\r\n"
_HEAD: Final = re.compile(rb"HTTP/1\.1 (2\d\d) " + _LINE + rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:" + _LINE + rb")*)\r\n")
_LENGTHS: Final = re.compile(rb"^content-length:(.*)\r$", re.IGNORECASE | re.MULTILINE)
_LENGTH: Final = re.compile(rb"[\t ]*(\d{1,6})[\t ]*")
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
        self._heads: dict[bytes, tuple[int, int] | None] = {}
        """Head → status and length of the body; None: an answer of another kind."""

    def read(self, data: bytes) -> Usual | None:
        """The answer, if this is the whole of one of this kind."""
        end = data.find(b"\r\n\r\n", 0, HEAD_BYTES_MAX) + 4
        if end < 4:  # the head has no end
            return None
        head = data[:end]
        try:
            found = self._heads[head]
        except KeyError:
            if len(self._heads) >= HEADS_MAX:
                self._heads.clear()
            found = self._heads[head] = _look(head)
        if found is None or found[1] != len(data) - end:
            return None
        return Usual(found[0], data[end:])


def _look(head: bytes) -> tuple[int, int] | None:
    """Status and length. Exactly one line may give a length, whatever it says."""
    match = _HEAD.fullmatch(head)
    if match is None or _UNUSUAL.search(match[2]) or match[1] in (b"204", b"205"):
        return None
    lengths = _LENGTHS.findall(match[2])
    length = _LENGTH.fullmatch(lengths[0]) if len(lengths) == 1 else None
    return None if length is None else (int(match[1]), int(length[1]))
