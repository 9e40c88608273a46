"""Reads the event of an ordinary record in one function, in half the time of the whole way. Pure.

A record that is not ordinary is left to decoding.py, which has all the rules. Both give the same result: a test
compares them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from consumer.segment.envelope import NO_RAW, check_text
from consumer.segment.event_of import KINDS, is_wanted
from consumer.segment.timestamps import timestamp_of_text
from consumer.sequencing.events import Event, Kind, Record, Skipped, SkipReason, User
from consumer.sequencing.rekeyed_headers import is_origin_alone

if TYPE_CHECKING:
    from consumer.segment.decoding import DecodingRules

ID_CHARACTERS_MAX: Final = 128
"""Longest user id that is read here. However it is written in UTF-8, that is within the limit of 512 bytes."""


class _Context(msgspec.Struct, gc=False):
    personas: None = None
    """What Engage sends has them."""


class _Usual(msgspec.Struct, gc=False):
    """The fields with the types that they nearly always have. Any other type is an error."""

    type: Literal["identify", "track", "page", "screen"]
    userId: str | None = None  # noqa: N815  Segment's names
    messageId: str | None = None  # noqa: N815
    event: str | None = None
    name: str | None = None
    timestamp: str | None = None
    integrations: dict[str, Any] | None = None
    context: _Context | None = None
    properties: msgspec.Raw = NO_RAW
    traits: msgspec.Raw = NO_RAW


_decode: Final = msgspec.json.Decoder(_Usual).decode


def usual_event(record: Record, rules: DecodingRules) -> Event | Skipped | None:
    """The event of a record of the source topic, or that a filter leaves it out; None: let decode() say what it is."""
    value = record.value
    if value is None or len(value) > rules.record_bytes_max:
        return None
    if record.headers is not None and not (rules.rekeyed and is_origin_alone(record.headers)):
        return None
    try:
        check_text(value)
        read = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    user_id, insert_id, timestamp = read.userId, read.messageId, read.timestamp
    if not (user_id and insert_id and timestamp) or len(user_id) > ID_CHARACTERS_MAX:
        return None
    if read.integrations and not is_wanted(read.integrations, rules, is_engage=False):
        return None
    kind = KINDS[read.type]
    name = read.event if kind is Kind.TRACK else None if kind is Kind.IDENTIFY else read.name
    text = read.traits if kind is Kind.IDENTIFY else read.properties
    if text is not NO_RAW and not bytes(text).startswith(b"{"):
        return None
    payload = None if text is NO_RAW else text
    if kind is Kind.TRACK and not name:
        return None
    if rules.name_filter is not None and kind is not Kind.IDENTIFY and not rules.name_filter.passes(name):
        return Skipped(record, kind.value, SkipReason.FILTERED, name)
    at = timestamp_of_text(timestamp)
    return None if at is None else Event(record, kind, User(user_id), insert_id, at, name or None, payload)
