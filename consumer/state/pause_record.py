"""The record that pauses or resumes sending. It is in partition 0 of the state topic, which every member follows.

    key    JSON ["pause", group]: compaction keeps the last one of each group
    value  JSON {"paused": true, "by": "ann@laptop", "at_ms": 1764450000000, "reason": "..."}; no value: not paused

A user's key has three parts (records.py). So versions that do not know this record skip it, and count it in
customfit_errors_total{stage="state",kind="unknown_record"}. Resuming writes a record, too, and not a deletion: who has
resumed stays known, however long the topic keeps deletions.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from consumer.foreign_text import printable
from consumer.sequencing.pauses import PauseOrder

PAUSE_PARTITION: Final = 0
NAME_CHARACTERS_MAX: Final = 100
REASON_CHARACTERS_MAX: Final = 300
AT_MS_MAX: Final = 253_402_300_799_000
"""The end of the year 9999: later times can't be shown."""


class UnknownPauseRecord(ValueError):
    """The value is not of a form that this version knows. The order before it stays in force."""


class _Value(msgspec.Struct):
    paused: bool
    by: str = ""
    at_ms: Annotated[int, Meta(ge=0, le=AT_MS_MAX)] = 0
    reason: str = ""


_decode = msgspec.json.Decoder(_Value).decode


def pause_key(group: str) -> bytes:
    """The key of this group's record."""
    return msgspec.json.encode(("pause", group))


def is_pause_key(key: bytes | None) -> bool:
    """Whether it is the key of a record to pause or resume, of any group."""
    return key is not None and key.startswith(b'["pause",')


def encode_order(order: PauseOrder) -> bytes:
    """The record's value."""
    return msgspec.json.encode(_Value(order.is_paused, order.by, order.at_ms, order.reason))


def decode_order(value: bytes | None) -> PauseOrder | None:
    """The order in a record's value; None: it is a deletion, so nobody has paused. Raises UnknownPauseRecord."""
    if value is None:
        return None
    try:
        read = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnknownPauseRecord(str(error)) from None
    by, reason = printable(read.by, NAME_CHARACTERS_MAX), printable(read.reason, REASON_CHARACTERS_MAX)
    return PauseOrder(read.paused, by, read.at_ms, reason)
