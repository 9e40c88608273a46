"""Lines of JSON as records: each line as it is, keyed by its user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

import msgspec

from consumer.cli.exits import fail
from consumer.exit_codes import EXIT_ERROR

KeyedValue = tuple[bytes | None, bytes]
"""Key and value."""

LINE_BYTES_MAX: Final = 64 * 1024 * 1024


def lines(file: BinaryIO) -> Iterator[KeyedValue]:
    """Each line as it is, except blank ones; keyed by its user if it has one."""
    number = 0
    while line := _next_line(file):
        number += 1
        value = line.removesuffix(b"\n")
        if len(value) > LINE_BYTES_MAX:
            fail(f"line {number} is longer than {LINE_BYTES_MAX} bytes (--file)", EXIT_ERROR)
        if value.strip():
            yield key(value), value


def _next_line(file: BinaryIO) -> bytes:
    try:
        return file.readline(LINE_BYTES_MAX + 1)
    except OSError as error:
        fail(f"can't be read (--file): {error.strerror}", EXIT_ERROR)


class _Ids(msgspec.Struct):
    userId: str | int | None = None  # noqa: N815  Segment's names
    anonymousId: str | int | None = None  # noqa: N815


_ids: Final = msgspec.json.Decoder(_Ids)


def key(value: bytes) -> bytes | None:
    """The userId, else the anonymousId; None: it has neither, or is no event."""
    try:
        ids = _ids.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    for candidate in (ids.userId, ids.anonymousId):
        if candidate is not None and candidate != "":
            return str(candidate).encode()
    return None
