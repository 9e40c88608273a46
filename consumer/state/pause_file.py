"""Remembers the last order to pause, so that a start reads only the tail of partition 0 and not all its users.

It is one small file beside the copies of the state. It says "up to this offset, this was the last order", which is true
of every process that follows the same topic. So processes that share the folder may replace each other's file. If the
file is missing, damaged or of another topic, the partition is read once from its beginning.
"""

from __future__ import annotations

import base64
import contextlib
import os
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from consumer.sequencing.pauses import PauseOrder
from consumer.state.pause_record import UnknownPauseRecord, decode_order, encode_order

NAME: Final = "pause.json"
FILE_BYTES_MAX: Final = 65_536
OFFSET_MAX: Final = 2**63 - 1
"""The largest offset that the client takes."""


class Followed(NamedTuple):
    """How far the topic was followed, and what the last order was."""

    next_offset: int
    order: PauseOrder | None


class _File(msgspec.Struct):
    topic: str
    next_offset: Annotated[int, Meta(ge=0, le=OFFSET_MAX)]
    order: str | None
    """The record's value in base64."""


class PauseFile:
    """The file of one group."""

    def __init__(self, folder: Path, topic_identity: str) -> None:
        self._path = folder / NAME
        self._identity = topic_identity

    def read(self) -> Followed | None:
        """What the file says of this topic; None if it is missing, damaged or of another topic."""
        try:
            with self._path.open("rb") as stream:
                found = msgspec.json.decode(stream.read(FILE_BYTES_MAX), type=_File)
            order = None if found.order is None else decode_order(base64.b64decode(found.order))
        except (OSError, ValueError, RecursionError, msgspec.DecodeError, UnknownPauseRecord):
            return None
        return Followed(found.next_offset, order) if found.topic == self._identity else None

    def write(self, followed: Followed) -> None:
        """Replace the whole file. If that fails, as on a full disk, it stays as it is and the next start reads more."""
        order = None if followed.order is None else base64.b64encode(encode_order(followed.order)).decode()
        beside = self._path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(msgspec.json.encode(_File(self._identity, followed.next_offset, order)))
            beside.replace(self._path)
