"""The envelope of an event: read fast if it is an ordinary one, and with care if that fails. Pure.

With care means that no field costs the event without need. A number beyond what Python reads is a value of a wrong
type, which matters only if the field is needed. Half of a surrogate pair becomes U+FFFD in traits and properties, and
matters only where it would change who or what is meant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from consumer.segment.depth import DEPTH_MAX, brackets, depth
from consumer.segment.surrogates import REPLACEMENT, Repaired, repaired
from consumer.sequencing.events import DeadLetterReason

NO_RAW: Final = msgspec.Raw(b"")
HALF: Final = "half of a surrogate pair"


class Unusable(NamedTuple):
    """Stands in place of a value that can't be used. No field may have this type."""

    what: str


BEYOND: Final = Unusable("a number beyond what can be read")
WITH_HALF: Final = Unusable(HALF)


class Envelope(msgspec.Struct):
    """What is read of an event. Its traits and properties stay text."""

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


_TOO_DEEP: Final = f"nested deeper than {DEPTH_MAX} levels"
decode_envelope: Final = msgspec.json.Decoder(Envelope).decode
DESTINATION_NAMES: Final = ("CustomFit.ai", "customfitai")
"""This destination's names in the `integrations` object, from Segment's catalogue. They are case sensitive."""
CHOICES: Final = (*DESTINATION_NAMES, "All")
"""All names in that object that are looked at."""
_NAMES: Final = ("userId", "anonymousId", "messageId", "event", "name")
"""What these fields say is sent as it is: nothing in them is replaced."""
_PAYLOADS: Final = ("properties", "traits")
_TEXTS: Final = (*_PAYLOADS, "context")
_FIELDS: Final = Envelope.__struct_fields__[1:]
_raws: Final[Callable[[bytes], Any]] = msgspec.json.Decoder(
    msgspec.defstruct("_Raws", [("type", str), *((name, msgspec.Raw, NO_RAW) for name in _FIELDS)])
).decode
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_anything: Final = msgspec.json.Decoder().decode
_syntax: Final = msgspec.json.Decoder(msgspec.Raw).decode


class Flaw(NamedTuple):
    """Why a text is not usable."""

    reason: DeadLetterReason
    detail: str


class Careful(NamedTuple):
    """An envelope that was read with care."""

    envelope: Envelope
    replaced: dict[str, int]
    """How many halves of surrogate pairs were replaced in traits and in properties."""
    half_in_a_key: bool


def read_envelope(value: bytes) -> Envelope:
    """The envelope of an ordinary event. Raises if it is not ordinary."""
    check_text(value)
    return decode_envelope(value)


def check_text(value: bytes) -> None:
    """Raise UnicodeDecodeError or DecodeError for what msgspec lets pass: bytes that are not UTF-8, deep nesting."""
    opened = value.count(b"{") + (value.count(b"[") if b"[" in value else 0)
    if opened > DEPTH_MAX and depth(brackets(value)) > DEPTH_MAX:
        raise msgspec.DecodeError(_TOO_DEEP)
    if not value.isascii():
        value.decode()


def checked(value: bytes) -> bytes | Repaired | Flaw:
    """The text if it is JSON; repaired, if it is JSON with halves of surrogate pairs; else what is wrong with it."""
    if depth(brackets(value)) > DEPTH_MAX:
        return Flaw(DeadLetterReason.UNDECODABLE, _TOO_DEEP)
    try:
        value.decode()
    except UnicodeDecodeError as error:
        return Flaw(DeadLetterReason.UNDECODABLE, f"not UTF-8: {error.reason} at byte {error.start}")
    text = repaired(value)
    try:
        _syntax(value if text is None else text.text)
    except msgspec.DecodeError as error:
        return Flaw(DeadLetterReason.UNDECODABLE, f"not JSON: {short(error)}")
    return value if text is None else text


def read_with_care(text: bytes | Repaired) -> Careful | Flaw:
    """The envelope of an event in a text that is JSON."""
    try:
        raws = _raws(text.text if isinstance(text, Repaired) else text)
    except msgspec.ValidationError as error:
        return Flaw(DeadLetterReason.INVALID_EVENT, short(error))
    fields = {name: getattr(raws, name) for name in _FIELDS}
    envelope = Envelope(raws.type, **{name: raw if name in _TEXTS else lenient(raw) for name, raw in fields.items()})
    if not isinstance(text, Repaired):
        return Careful(envelope, {}, half_in_a_key=False)
    other = _raws(text.other)
    for name in _NAMES:
        if bytes(fields[name]) != bytes(getattr(other, name)):
            setattr(envelope, name, WITH_HALF)
    replaced = {
        name: bytes(fields[name]).count(REPLACEMENT) - bytes(getattr(other, name)).count(REPLACEMENT)
        for name in _PAYLOADS
    }
    return Careful(envelope, replaced, text.in_a_key)


def lenient(raw: msgspec.Raw) -> Any:
    """The value of a field; None: there is none. If an object has numbers beyond all limits, only the choices in it."""
    text = bytes(raw)
    if not text:
        return None
    try:
        return _anything(text)
    except msgspec.ValidationError:
        if not text.startswith(b"{"):
            return BEYOND
    members = _members(text)
    return {name: _choice(members[name]) for name in CHOICES if name in members}


def _choice(raw: msgspec.Raw) -> Any:
    try:
        return _anything(raw)
    except msgspec.ValidationError:
        return BEYOND


def short(error: Exception) -> str:
    """What is wrong, for a header and a log line."""
    return str(error)[:200]
