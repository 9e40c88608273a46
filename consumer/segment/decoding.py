"""Record → event, or the reason why not. Pure; whatever the bytes are, the answer is a value and never an exception.

Only the envelope is read; `properties` and `traits` stay JSON text and are passed on as they came (big integers exact,
key order kept). What msgspec 0.22 does not check in text that it skips is UTF-8, so that is checked here.

A record is one event, or a batch of events as Segment's HTTP API takes them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from consumer.choices import Anonymous, Integrations
from consumer.segment.batch_part import DECIDING_BYTES_MAX, DESTINATION_NAMES, NO_RAW, BatchEnvelope, Shared, shared
from consumer.segment.depth import DEPTH_MAX, brackets, depth
from consumer.segment.engage import Personas, audience_membership, personas_in
from consumer.segment.timestamps import segment_timestamp
from consumer.sequencing.dead_letter_headers import (
    BATCH_OMITTED,
    ITEM_INDEX,
    holds_one_item,
    named_item,
    omitted,
    origin_of,
)
from consumer.sequencing.events import (
    Batch,
    DeadLetterReason,
    Decoded,
    Event,
    Item,
    Kind,
    Record,
    Rejected,
    Skipped,
    SkipReason,
    User,
)

USER_ID_BYTES_MAX: Final = 512
BATCH_ITEMS_MAX: Final = 2500
"""Segment's own limit. It also bounds what one record of 1 MiB may turn into: 500,000 events of two bytes."""
ITEM_LETTER_BYTES: Final = DECIDING_BYTES_MAX + len(b'{"batch":[],}')

_KINDS: Final = {
    "identify": Kind.IDENTIFY,
    "track": Kind.TRACK,
    "page": Kind.PAGE,
    "screen": Kind.SCREEN,
    "delete": Kind.DELETE,
}


class _Envelope(msgspec.Struct):
    type: str
    # Any: a wrong type matters only in a field that this type of event needs.
    userId: Any = None  # noqa: N815  Segment's names
    anonymousId: Any = None  # noqa: N815
    messageId: Any = None  # noqa: N815
    event: Any = None
    name: Any = None
    timestamp: Any = None
    originalTimestamp: Any = None  # noqa: N815
    sentAt: Any = None  # noqa: N815
    receivedAt: Any = None  # noqa: N815
    properties: msgspec.Raw = NO_RAW
    traits: msgspec.Raw = NO_RAW
    context: msgspec.Raw = NO_RAW
    integrations: Any = None


_envelope = msgspec.json.Decoder(_Envelope)
_batch_envelope = msgspec.json.Decoder(BatchEnvelope)
_EMPTY_ARRAY: Final = re.compile(rb"\[\s*\]")


@dataclass(frozen=True, slots=True)
class DecodingRules:
    """The settings that decide whether an event is for us."""

    anonymous: Anonymous = "skip"
    integrations: Integrations = "respect"
    record_bytes_max: int = 1_048_576
    replay_topic: str = ""
    """Its records have the insert_id and the time of the record they were at first."""
    topic_life: str = ""
    """Part of the insert_ids of the source's records where an earlier topic had its name."""


def decode(record: Record, rules: DecodingRules, text: bytes | None = None) -> Decoded | Batch:
    """Read one record; `text` is its JSON where the value is not JSON itself (Avro)."""
    value = record.value if text is None else text
    if value is None:
        return Skipped(record, "tombstone", SkipReason.TOMBSTONE)
    # What is put around an item may be some bytes more than what was there: its batch was within the limit.
    more = ITEM_LETTER_BYTES if len(value) > rules.record_bytes_max and holds_one_item(record.headers) else 0
    if len(value) > rules.record_bytes_max + more:
        detail = f"{len(value)} bytes; CUSTOMFIT_RECORD_BYTES_MAX is {rules.record_bytes_max}"
        return Rejected(record, "undecodable", DeadLetterReason.TOO_LARGE, detail)
    if value.count(b"{") + value.count(b"[") > DEPTH_MAX and depth(brackets(value)) > DEPTH_MAX:
        detail = f"nested deeper than {DEPTH_MAX} levels"
        return Rejected(record, "undecodable", DeadLetterReason.UNDECODABLE, detail)
    try:
        if not value.isascii():
            value.decode()
        envelope = _envelope.decode(value)
    except msgspec.ValidationError as error:
        batch = _batch_of(value)
        if batch is not None:
            return _batch(record, batch, rules)
        return Rejected(record, "unknown", DeadLetterReason.INVALID_EVENT, _short(error))
    except UnicodeDecodeError as error:
        detail = f"not UTF-8: {error.reason} at byte {error.start}"
        return Rejected(record, "undecodable", DeadLetterReason.UNDECODABLE, detail)
    except msgspec.DecodeError as error:
        return Rejected(record, "undecodable", DeadLetterReason.UNDECODABLE, f"not JSON: {_short(error)}")
    if envelope.type == "batch" and (batch := _batch_of(value)) is not None:
        return _batch(record, batch, rules)
    return _event(record, envelope, personas_in(envelope.context), rules)


def _batch_of(value: bytes | msgspec.Raw) -> BatchEnvelope | None:
    """The batch that an object is if it has a `batch` and no type of its own but "batch"; else None."""
    try:
        batch = _batch_envelope.decode(value)
    except msgspec.DecodeError:
        return None
    return batch if batch.type in (None, "batch") else None


def _batch(record: Record, batch: BatchEnvelope, rules: DecodingRules) -> Decoded | Batch:
    texts = batch.batch
    if not texts:
        return Skipped(record, "unknown", SkipReason.EMPTY_BATCH)
    if len(texts) > BATCH_ITEMS_MAX:
        detail = f"a batch of {len(texts)} events; the limit is {BATCH_ITEMS_MAX}"
        return Rejected(record, "unknown", DeadLetterReason.TOO_LARGE, detail)
    named = named_item(record.headers)
    if named is None:
        of_batch = shared(batch)
        return Batch(record, [_item(record, index, text, of_batch, rules) for index, text in enumerate(texts)])
    header, index = named
    is_alone = header == ITEM_INDEX
    places = BATCH_ITEMS_MAX if is_alone else len(texts)
    if not index.isdigit() or len(index) > 4 or int(index) >= places or (is_alone and len(texts) > 1):
        detail = f"its header {header} names none of its {len(texts)} events"
        return Rejected(record, "unknown", DeadLetterReason.INVALID_EVENT, detail)
    text = texts[0 if is_alone else int(index)]
    left_out = omitted(record.headers, BATCH_OMITTED) if is_alone else 0
    item = _item(record, int(index), text, shared(batch, left_out), rules)
    if left_out:  # without it an event that was not to be sent might be sent, or with other traits
        detail = f"item {int(index)} of a batch of which the part that decides is missing ({left_out} bytes)"
        item = Rejected(item.record, item.type, DeadLetterReason.INVALID_EVENT, detail)
    return Batch(record, [item])


def _item(record: Record, index: int, text: msgspec.Raw, batch: Shared, rules: DecodingRules) -> Decoded:
    """One event of a batch; it has the batch's times, context and integrations where it has none of its own."""
    at = (record.partition, record.offset, record.timestamp_ms, record.key, record.value, record.headers)
    item = Record(*at, record.fetched_at, record.size_bytes, Item(index, text, batch.part), len(memoryview(text)))
    try:
        envelope = _envelope.decode(text)
    except msgspec.DecodeError as error:
        detail = f"item {index} of the batch: {'a batch' if _batch_of(text) is not None else _short(error)}"
        return Rejected(item, "unknown", DeadLetterReason.INVALID_EVENT, detail)
    if envelope.type == "batch":
        detail = f"item {index} of the batch: a batch"
        return Rejected(item, "unknown", DeadLetterReason.INVALID_EVENT, detail)
    envelope.sentAt = batch.sent_at if envelope.sentAt is None else envelope.sentAt
    envelope.receivedAt = batch.received_at if envelope.receivedAt is None else envelope.receivedAt
    has_own = b'"personas"' in bytes(envelope.context)
    if batch.integrations is not None:
        own = envelope.integrations
        envelope.integrations = {**batch.integrations, **own} if isinstance(own, dict) else batch.integrations
    return _event(item, envelope, personas_in(envelope.context) if has_own else batch.personas, rules)


def _event(record: Record, envelope: _Envelope, personas: Personas | None, rules: DecodingRules) -> Decoded:
    kind = _KINDS.get(envelope.type)
    if kind is None:
        if envelope.type in ("group", "alias"):
            return Skipped(record, envelope.type, SkipReason.UNSUPPORTED)
        return Skipped(record, "unknown", SkipReason.UNKNOWN_TYPE)

    user = _user(envelope)
    if user is None:
        return _invalid(record, kind, "neither userId nor anonymousId is a non-empty string or an integer")
    if user.anonymous and rules.anonymous == "skip":
        return Skipped(record, kind.value, SkipReason.ANONYMOUS)
    if len(user.id) > USER_ID_BYTES_MAX or len(user.id.encode()) > USER_ID_BYTES_MAX:
        return _invalid(record, kind, f"user id longer than {USER_ID_BYTES_MAX} bytes")

    if rules.integrations != "ignore" and kind is not Kind.DELETE:
        explicit_only = rules.integrations == "explicit" or personas is not None
        if not _wanted(envelope.integrations, explicit_only=explicit_only):
            return Skipped(record, kind.value, SkipReason.INTEGRATIONS)

    name, raw = _content(envelope, kind)
    if kind is Kind.TRACK and not name:
        return _invalid(record, kind, "a track without `event`")
    if name is not None and not isinstance(name, str):
        return _invalid(record, kind, f"`{'event' if kind is Kind.TRACK else 'name'}` is not a string")
    payload = _object(raw)
    if payload is _NOT_AN_OBJECT:
        return _invalid(record, kind, f"`{'traits' if kind is Kind.IDENTIFY else 'properties'}` is not an object")
    if kind is Kind.IDENTIFY and payload is not None and personas is not None:
        payload = audience_membership(payload, personas)
    insert_id, timestamp_ms = _identity(record, envelope, rules)
    return Event(
        record,
        kind,
        user,
        insert_id=insert_id,
        timestamp=segment_timestamp(
            (envelope.timestamp, envelope.originalTimestamp, envelope.sentAt, envelope.receivedAt),
            timestamp_ms,
        ),
        name=name or None,
        payload=payload,
    )


def _identity(record: Record, envelope: _Envelope, rules: DecodingRules) -> tuple[str, int]:
    """The insert id, and the time at which the record was produced. With a messageId its place is not looked up."""
    message_id = _id(envelope.messageId)
    if message_id and record.partition.topic != rules.replay_topic:
        return message_id, record.timestamp_ms
    origin = origin_of(record, rules.replay_topic)
    if rules.topic_life and record.partition.topic != rules.replay_topic:
        origin = origin._replace(topic_life=rules.topic_life)
    return message_id or str(origin), origin.timestamp_ms


def _invalid(record: Record, kind: Kind, detail: str) -> Rejected:
    return Rejected(record, kind.value, DeadLetterReason.INVALID_EVENT, detail)


def _user(envelope: _Envelope) -> User | None:
    user_id = _id(envelope.userId)
    if user_id:
        return User(user_id)
    if envelope.userId not in (None, ""):
        return None
    anonymous_id = _id(envelope.anonymousId)
    return User(anonymous_id, anonymous=True) if anonymous_id else None


def _id(value: object) -> str:
    """A string, or an integer in decimal; "" for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _content(envelope: _Envelope, kind: Kind) -> tuple[Any, msgspec.Raw]:
    """What of the event is passed on: its name and its traits or properties."""
    if kind is Kind.TRACK:
        return envelope.event, envelope.properties
    if kind is Kind.IDENTIFY:
        return None, envelope.traits
    if kind is Kind.DELETE:
        return None, NO_RAW
    return envelope.name, envelope.properties


_NOT_AN_OBJECT: Final = b"not an object"


def _object(raw: msgspec.Raw) -> bytes | None:
    """The text of a JSON object; None where there is none: null, or the `[]` that PHP writes for an empty one."""
    text = bytes(raw)
    if text.startswith(b"{"):
        return text
    if text in (b"", b"null") or _EMPTY_ARRAY.fullmatch(text):
        return None
    return _NOT_AN_OBJECT


def _wanted(integrations: object, *, explicit_only: bool) -> bool:
    """Segment's `integrations`: the exact name, else `All`, else yes. An object of options means enabled."""
    if not isinstance(integrations, dict):
        return True
    for name in DESTINATION_NAMES:
        choice = integrations.get(name)
        if choice is not None:
            return choice is not False
    return explicit_only or integrations.get("All") is not False


def _short(error: Exception) -> str:
    return str(error)[:200]
