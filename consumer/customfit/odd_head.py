"""The head of an answer that a strict parser refuses, and whose status is plain all the same. Pure.

Lines may end without CR (RFC 9112, 2.2), and a length may be said twice (RFC 9110, 8.6). An event that the destination
has accepted must not be sent again for ever because of that. Two different lengths say nothing of where the answer
ends: it has no body then. Whoever uses this closes the connection afterwards: another reader might see two answers.
"""

from __future__ import annotations

import re
from typing import Final

_LINE_END: Final = re.compile(rb"\r?\n")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_INFORMATIONAL: Final = re.compile(rb"HTTP/1\.\d 1\d\d")


def strict(received: bytes) -> bytes | None:
    """The answer, its head as a strict parser takes it, without 100 Continue and such. None: more is to come."""
    while (end := _HEAD_END.search(received)) is not None:
        status, *fields = _LINE_END.split(received[: end.start()])
        rest = received[end.end() :]
        if not _INFORMATIONAL.match(status):
            return b"\r\n".join([status, *_with_one_length(fields), b"", rest])
        received = rest
    return None


def _with_one_length(fields: list[bytes]) -> list[bytes]:
    others = [field for field in fields if not _is_length(field)]
    said = b",".join(field.partition(b":")[2] for field in fields if _is_length(field))
    lengths = {length.strip() for length in said.split(b",")} if said else set()
    if lengths:
        others.append(b"Content-Length: " + (lengths.pop() if len(lengths) == 1 else b"0"))
    return others


def _is_length(field: bytes) -> bool:
    return field.partition(b":")[0].strip().lower() == b"content-length"
