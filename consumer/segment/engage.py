"""What Segment's Engage sends beside ordinary events: audiences, computed traits, journeys. Pure."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from consumer.segment.envelope import NO_RAW, lenient

AUDIENCE: Final = "audience"


class Personas(NamedTuple):
    """What matters here of `context.personas`."""

    computation_class: Any
    computation_key: Any


class _Personas(msgspec.Struct):
    computation_class: msgspec.Raw = NO_RAW
    computation_key: msgspec.Raw = NO_RAW


class _Context(msgspec.Struct):
    personas: _Personas | None = None


_context = msgspec.json.Decoder(_Context)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENGAGE_BOOLEANS: Final = {b'"true"': msgspec.Raw(b"true"), b'"false"': msgspec.Raw(b"false")}


def personas_in(context: msgspec.Raw) -> Personas | None:
    """`context.personas`, which is on everything that Engage (audiences, computed traits, journeys) sends."""
    text = bytes(context)
    if b'"personas"' not in text:
        return None
    try:
        found = _context.decode(text).personas
    except msgspec.ValidationError:
        return None
    return None if found is None else Personas(lenient(found.computation_class), lenient(found.computation_key))


def audience_membership(traits: bytes, personas: Personas) -> bytes:
    """Journeys send membership as the string "true" or "false". Make it the boolean that audiences send."""
    key = personas.computation_key
    if personas.computation_class != AUDIENCE or not isinstance(key, str):
        return traits
    members = _members.decode(traits)
    value = members.get(key)
    boolean = _ENGAGE_BOOLEANS.get(bytes(value)) if value is not None else None
    if boolean is None:
        return traits
    members[key] = boolean
    return msgspec.json.encode(members)
