"""Record → event, or the reason why not. Pure; whatever the bytes are, the answer is a value and never an exception.

Only the envelope is read; `properties` and `traits` stay JSON text and are passed on as they came (big integers exact,
key order kept). What msgspec 0.22 does not check in text that it skips is UTF-8, so that is checked here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from consumer.events import DeadLetterReason, Decoded, Event, Kind, Record, Rejected, Skipped, SkipReason, User
from consumer.timestamps import segment_timestamp

USER_ID_BYTES_MAX: Final = 512
DESTINATION_NAMES: Final = ("CustomFit.ai", "customfitai")
"""What Segment's catalogue calls this destination in the `integrations` object; names there are case sensitive."""

_KINDS: Final = {
    "identify": Kind.IDENTIFY,
    "track": Kind.TRACK,
    "page": Kind.PAGE,
    "screen": Kind.SCREEN,
    "delete": Kind.DELETE,
}
_NO_RAW: Final = msgspec.Raw(b"")


class _Envelope(msgspec.Struct):
    type: str
    userId: str | int | None = None  # noqa: N815  Segment's names
    anonymousId: str | int | None = None  # noqa: N815
    messageId: Any = None  # noqa: N815
    event: str | None = None
    name: str | None = None
    timestamp: Any = None
    originalTimestamp: Any = None  # noqa: N815
    sentAt: Any = None  # noqa: N815
    receivedAt: Any = None  # noqa: N815
    properties: msgspec.Raw = _NO_RAW
    traits: msgspec.Raw = _NO_RAW
    context: msgspec.Raw = _NO_RAW
    integrations: Any = None


class _Personas(msgspec.Struct):
    computation_class: Any = None
    computation_key: Any = None


class _Context(msgspec.Struct):
    personas: _Personas | None = None


_envelope = msgspec.json.Decoder(_Envelope)
_context = msgspec.json.Decoder(_Context)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENGAGE_BOOLEANS: Final = {b'"true"': msgspec.Raw(b"true"), b'"false"': msgspec.Raw(b"false")}
_EMPTY_ARRAY: Final = re.compile(rb"\[\s*\]")


@dataclass(frozen=True, slots=True)
class DecodingRules:
    """The settings that decide whether an event is for us."""

    anonymous: Literal["skip", "forward"] = "skip"
    integrations: Literal["respect", "explicit", "ignore"] = "respect"
    record_bytes_max: int = 1_048_576


def decode(record: Record, rules: DecodingRules) -> Decoded:
    """Read one record."""
    value = record.value
    if value is None:
        return Skipped(record, "tombstone", SkipReason.TOMBSTONE)
    if len(value) > rules.record_bytes_max:
        detail = f"{len(value)} bytes; CUSTOMFIT_RECORD_BYTES_MAX is {rules.record_bytes_max}"
        return Rejected(record, "undecodable", DeadLetterReason.TOO_LARGE, detail)
    try:
        if not value.isascii():
            value.decode()
        envelope = _envelope.decode(value)
    except msgspec.ValidationError as error:
        return Rejected(record, "unknown", DeadLetterReason.INVALID_EVENT, _short(error))
    except UnicodeDecodeError as error:
        detail = f"not UTF-8: {error.reason} at byte {error.start}"
        return Rejected(record, "undecodable", DeadLetterReason.UNDECODABLE, detail)
    except msgspec.DecodeError as error:
        return Rejected(record, "undecodable", DeadLetterReason.UNDECODABLE, f"not JSON: {_short(error)}")
    except RecursionError:
        return Rejected(record, "undecodable", DeadLetterReason.UNDECODABLE, "nested too deeply")
    return _event(record, envelope, rules)


def _event(record: Record, envelope: _Envelope, rules: DecodingRules) -> Decoded:
    kind = _KINDS.get(envelope.type)
    if kind is None:
        if envelope.type in ("group", "alias"):
            return Skipped(record, envelope.type, SkipReason.UNSUPPORTED)
        return Skipped(record, "unknown", SkipReason.UNKNOWN_TYPE)

    user_id = _id(envelope.userId)
    user = User(user_id)
    if user_id == "":
        anonymous_id = _id(envelope.anonymousId)
        if anonymous_id == "":
            return _invalid(record, kind, "neither userId nor anonymousId")
        if rules.anonymous == "skip":
            return Skipped(record, kind.value, SkipReason.ANONYMOUS)
        user = User(anonymous_id, anonymous=True)
    if len(user.id) > USER_ID_BYTES_MAX or len(user.id.encode()) > USER_ID_BYTES_MAX:
        return _invalid(record, kind, f"user id longer than {USER_ID_BYTES_MAX} bytes")

    personas = _personas(envelope.context)
    if rules.integrations != "ignore" and kind is not Kind.DELETE:
        explicit_only = rules.integrations == "explicit" or personas is not None
        if not _wanted(envelope.integrations, explicit_only=explicit_only):
            return Skipped(record, kind.value, SkipReason.INTEGRATIONS)

    name = envelope.event if kind is Kind.TRACK else envelope.name
    if kind is Kind.TRACK and not name:
        return _invalid(record, kind, "a track without `event`")
    field = "traits" if kind is Kind.IDENTIFY else "properties"
    payload = _object(envelope.traits if kind is Kind.IDENTIFY else envelope.properties)
    if payload is _NOT_AN_OBJECT:
        return _invalid(record, kind, f"`{field}` is not an object")
    if kind is Kind.IDENTIFY and payload is not None and personas is not None:
        payload = _audience_membership(payload, personas)
    return Event(
        record,
        kind,
        user,
        insert_id=_insert_id(envelope.messageId, record),
        timestamp=segment_timestamp(
            (envelope.timestamp, envelope.originalTimestamp, envelope.sentAt, envelope.receivedAt),
            record.timestamp_ms,
        ),
        name=name or None,
        payload=payload,
    )


def _invalid(record: Record, kind: Kind, detail: str) -> Rejected:
    return Rejected(record, kind.value, DeadLetterReason.INVALID_EVENT, detail)


def _id(value: str | int | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)


def _insert_id(message_id: object, record: Record) -> str:
    if isinstance(message_id, str) and message_id:
        return message_id
    if isinstance(message_id, int) and not isinstance(message_id, bool):
        return str(message_id)
    return f"{record.partition.topic}-{record.partition.number}-{record.offset}"


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


def _personas(context: msgspec.Raw) -> _Personas | None:
    """`context.personas`: there on what Engage (audiences, computed traits, journeys) sends."""
    text = bytes(context)
    if b'"personas"' not in text:
        return None
    try:
        return _context.decode(text).personas
    except msgspec.ValidationError:
        return None


def _audience_membership(traits: bytes, personas: _Personas) -> bytes:
    """Journeys send membership as the string "true" or "false": make it the boolean that audiences send."""
    key = personas.computation_key
    if personas.computation_class != "audience" or not isinstance(key, str):
        return traits
    members = _members.decode(traits)
    value = members.get(key)
    boolean = _ENGAGE_BOOLEANS.get(bytes(value)) if value is not None else None
    if boolean is None:
        return traits
    members[key] = boolean
    return msgspec.json.encode(members)


def _short(error: Exception) -> str:
    return str(error)[:200]
