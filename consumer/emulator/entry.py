"""One accepted request, as the ledger keeps it and its file has it: a line of JSON."""

from __future__ import annotations

from typing import Final

import msgspec

from consumer.emulator.contract import Dialect, EventType, Identify


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One accepted request. `answered`: its 2xx was handed to a connection that was still open."""

    sequence: int
    accepted_at: float
    user_id: str
    anonymous: bool
    dialect: Dialect
    kinds: tuple[EventType, ...]
    names: tuple[str | None, ...]
    insert_ids: tuple[str, ...]
    identify: Identify | None
    answered: bool


LINE_STARTS: Final = b'{"sequence":'
to_line: Final = msgspec.json.Encoder().encode
from_line: Final = msgspec.json.Decoder(Entry).decode
