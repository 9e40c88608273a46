"""Envelope → event, or its end: whose event it is, whether it is for us, and what of it is kept. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from consumer.segment.engage import Personas, audience_membership
from consumer.segment.envelope import DESTINATION_NAMES, HALF, NO_RAW, WITH_HALF, Envelope
from consumer.segment.timestamps import segment_timestamp
from consumer.sequencing.dead_letter_headers import origin_of
from consumer.sequencing.events import (
    DeadLetterReason,
    Decoded,
    Event,
    Kind,
    Record,
    Rejected,
    Skipped,
    SkipReason,
    User,
)

if TYPE_CHECKING:
    from consumer.segment.decoding import DecodingRules

USER_ID_BYTES_MAX: Final = 512

KINDS: Final = {
    "identify": Kind.IDENTIFY,
    "track": Kind.TRACK,
    "page": Kind.PAGE,
    "screen": Kind.SCREEN,
    "delete": Kind.DELETE,
}
NAMED: Final = (Kind.TRACK, Kind.PAGE, Kind.SCREEN)
"""The kinds that filters judge. An identify must be sent and a delete obeyed, whatever the filters say."""


_EMPTY_ARRAY: Final = re.compile(rb"\[\s*\]")


def event_of(record: Record, envelope: Envelope, personas: Personas | None, rules: DecodingRules) -> Decoded:
    """The event, or its end."""
    kind = KINDS.get(envelope.type)
    if kind is None:
        if envelope.type in ("group", "alias"):
            return Skipped(record, envelope.type, SkipReason.UNSUPPORTED)
        return Skipped(record, "unknown", SkipReason.UNKNOWN_TYPE)

    user = _user(envelope)
    if user is None:
        return invalid(record, kind, _why_nobody(envelope))
    if user.anonymous and rules.anonymous == "skip":
        return Skipped(record, kind.value, SkipReason.ANONYMOUS)
    if len(user.id) > USER_ID_BYTES_MAX or len(user.id.encode()) > USER_ID_BYTES_MAX:
        return invalid(record, kind, f"user id longer than {USER_ID_BYTES_MAX} bytes")

    if kind is not Kind.DELETE and not is_wanted(envelope.integrations, rules, is_engage=personas is not None):
        return Skipped(record, kind.value, SkipReason.INTEGRATIONS)

    name, raw = _content(envelope, kind)
    if kind is Kind.TRACK and not name:
        return invalid(record, kind, "a track without `event`")
    if name is not None and not isinstance(name, str):
        held = f"holds {HALF}" if name is WITH_HALF else "is not a string"
        return invalid(record, kind, f"`{'event' if kind is Kind.TRACK else 'name'}` {held}")
    if kind in NAMED and rules.name_filter is not None and not rules.name_filter.passes(name):
        return Skipped(record, kind.value, SkipReason.FILTERED, name)
    payload = _object(raw)
    if payload is _NOT_AN_OBJECT:
        return invalid(record, kind, f"`{'traits' if kind is Kind.IDENTIFY else 'properties'}` is not an object")
    if kind is Kind.IDENTIFY and payload is not None and personas is not None:
        payload = msgspec.Raw(audience_membership(bytes(payload), personas))
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
        raw_payload=payload,
    )


def _identity(record: Record, envelope: Envelope, rules: DecodingRules) -> tuple[str, int]:
    """The insert id, and the time at which the record was produced. With a messageId, its place is not looked up."""
    message_id = _id(envelope.messageId)
    if message_id and record.partition.topic != rules.replay_topic:
        return message_id, record.timestamp_ms
    origin = origin_of(record, rules.replay_topic, rekeyed=rules.rekeyed)
    if rules.topic_life and origin.partition == record.partition and record.partition.topic != rules.replay_topic:
        origin = origin._replace(topic_life=rules.topic_life)
    return message_id or str(origin), origin.timestamp_ms


def invalid(record: Record, kind: Kind, detail: str) -> Rejected:
    """The end of an event that can't be sent."""
    return Rejected(record, kind.value, DeadLetterReason.INVALID_EVENT, detail)


def _user(envelope: Envelope) -> User | None:
    user_id = _id(envelope.userId)
    if user_id:
        return User(user_id)
    if envelope.userId not in (None, ""):
        return None
    anonymous_id = _id(envelope.anonymousId)
    return User(anonymous_id, anonymous=True) if anonymous_id else None


def _why_nobody(envelope: Envelope) -> str:
    for name in ("userId", "anonymousId"):
        if getattr(envelope, name) is WITH_HALF:
            return f"`{name}` holds {HALF}"
    return "neither userId nor anonymousId is a non-empty string or an integer"


def _id(value: object) -> str:
    """A string, or an integer in decimal; "" for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _content(envelope: Envelope, kind: Kind) -> tuple[Any, msgspec.Raw]:
    """What of the event is passed on: its name, and its traits or properties."""
    if kind is Kind.TRACK:
        return envelope.event, envelope.properties
    if kind is Kind.IDENTIFY:
        return None, envelope.traits
    if kind is Kind.DELETE:
        return None, NO_RAW
    return envelope.name, envelope.properties


_NOT_AN_OBJECT: Final = msgspec.Raw(b"not an object")


def _object(raw: msgspec.Raw) -> msgspec.Raw | None:
    """The text of a JSON object. None: there is none, but null, or the `[]` that PHP writes for an empty object."""
    text = bytes(raw)
    if text.startswith(b"{"):
        return raw
    if text in (b"", b"null") or _EMPTY_ARRAY.fullmatch(text):
        return None
    return _NOT_AN_OBJECT


def is_wanted(integrations: object, rules: DecodingRules, *, is_engage: bool) -> bool:
    """Segment's `integrations`: the exact name, else `All`, else yes. An object of options means enabled.

    Engage sends `All: false` plus chosen names by design, so for its events only an explicit false counts.
    """
    if rules.integrations == "ignore" or not isinstance(integrations, dict):
        return True
    for name in DESTINATION_NAMES:
        choice = integrations.get(name)
        if choice is not None:
            return choice is not False
    return is_engage or rules.integrations == "explicit" or integrations.get("All") is not False
