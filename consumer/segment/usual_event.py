"""The event of a record in which all is as nearly always, in one function: a third of what the whole way takes. Pure.

Whatever is not like that is nobody's here: decoding.py judges it by all the rules. What is found here is what would be
found there; a test compares them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consumer.segment.envelope import read_envelope
from consumer.segment.timestamps import segment_timestamp, usual_timestamp
from consumer.sequencing.events import Event, Kind, Record, User

if TYPE_CHECKING:
    from consumer.segment.decoding import DecodingRules

ID_CHARACTERS_MAX: Final = 128
"""Of a user id: however it is written in UTF-8, that is below the limit of 512 bytes."""
_KINDS: Final = {"identify": Kind.IDENTIFY, "track": Kind.TRACK, "page": Kind.PAGE, "screen": Kind.SCREEN}


def usual_event(record: Record, rules: DecodingRules) -> Event | None:
    """The event of a record of the source topic; None: decode() says what it is."""
    value = record.value
    if value is None or record.headers is not None or len(value) > rules.record_bytes_max or b'"personas"' in value:
        return None
    try:
        envelope = read_envelope(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    kind = _KINDS.get(envelope.type)
    user_id, insert_id = envelope.userId, envelope.messageId
    if kind is None or type(user_id) is not str or type(insert_id) is not str:
        return None
    if not (0 < len(user_id) <= ID_CHARACTERS_MAX and insert_id) or envelope.integrations:
        return None
    if kind is Kind.TRACK:
        name, raw = envelope.event, bytes(envelope.properties)
        if type(name) is not str or not name:
            return None
    elif kind is Kind.IDENTIFY:
        name, raw = None, bytes(envelope.traits)
    else:
        name, raw = envelope.name or None, bytes(envelope.properties)
        if name is not None and type(name) is not str:
            return None
    if raw and raw[0] != 0x7B:  # {
        return None
    timestamp = usual_timestamp(envelope.timestamp) or segment_timestamp(
        (envelope.timestamp, envelope.originalTimestamp, envelope.sentAt, envelope.receivedAt), record.timestamp_ms
    )
    return Event(record, kind, User(user_id), insert_id, timestamp, name, raw or None)
