"""A user's properties, and what an identify changes of them. Pure.

A name that an identify does not have keeps its value, as Segment defines it for traits. How CustomFit joins them is not
documented. Values stay the text that came: a number of twenty digits is shown with twenty digits.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import Raw

NAMES_MAX: Final = 200
"""Kept of one user, and shown of one request."""
NAME_CHARACTERS_MAX: Final = 200
VALUE_CHARACTERS_MAX: Final = 500

Type = Literal["text", "number", "boolean", "null", "object", "list"]

_decode: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_TYPES: Final[dict[str, Type]] = {'"': "text", "t": "boolean", "f": "boolean", "n": "null", "{": "object", "[": "list"}


class Value(msgspec.Struct, frozen=True, gc=False):
    """One value as it is shown."""

    type: Type
    text: str
    """A string without its quotes; anything else as JSON."""
    cut_characters: int = 0
    """How many more there are."""


class Named(msgspec.Struct, frozen=True, gc=False):
    """A value with its name."""

    name: str
    value: Value


class Change(msgspec.Struct, frozen=True, gc=False):
    """What an identify did to one property."""

    name: str
    before: Value | None
    """None: there was no such property."""
    after: Value


def read(contents: bytes) -> dict[str, bytes]:
    """Name → JSON. What was accepted can be read: the contract has checked it."""
    return {name: bytes(raw) for name, raw in _decode(contents).items()}


def merge(into: dict[str, bytes], said: dict[str, bytes]) -> bool:
    """Set what an identify says. False: some of it was left out."""
    is_complete = True
    for name, value in said.items():
        if name in into or len(into) < NAMES_MAX:
            into[name] = value
        else:
            is_complete = False
    return is_complete


def changed(before: dict[str, bytes], said: dict[str, bytes]) -> tuple[Change, ...]:
    """What such an identify changes, in its order."""
    return tuple(
        [
            Change(short(name), None if name not in before else shown(before[name]), shown(value))
            for name, value in said.items()
            if before.get(name) != value
        ]
    )


def named(properties: dict[str, bytes]) -> tuple[Named, ...]:
    """As they are shown, in their order."""
    return tuple([Named(short(name), shown(value)) for name, value in properties.items()])


def shown(value: bytes) -> Value:
    """JSON as it is shown to somebody."""
    text = value.decode()
    type_ = _TYPES.get(text[0], "number")
    if type_ == "text":
        text = _decode_text(value)
    return Value(type_, text[:VALUE_CHARACTERS_MAX], max(0, len(text) - VALUE_CHARACTERS_MAX))


def short(name: str) -> str:
    """A name, cut at a limit."""
    return name if len(name) <= NAME_CHARACTERS_MAX else f"{name[: NAME_CHARACTERS_MAX - 1]}…"
