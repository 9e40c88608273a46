r"""What a text says, however it is spelled; and for each byte of that, where it stands in the text. Pure.

Servers spell: JSON (`\/`, `\u002f`), URLs (`%2f`, `%252F`), HTML (`&#47;`, `&#x2F;`, `&sol;`), Python's `repr`, C
(`\057`), and one of them inside another, as Go's JSON does with HTML (`\u0026#47;`). So one pass reads all of them, and
another one follows until nothing changes. Bytes are read, not characters: a body may be cut in the middle of one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.entities import html5
from typing import Final, NamedTuple

LAYERS_MAX: Final = 4
"""Most passes. One pass resolves all of `%252525` or `&amp;amp;`, so only mixed kinds of spelling need more."""
_TOKEN: Final = re.compile(
    rb"\\(?<!\\\\)\\*+(?:"
    rb"u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\++u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|u(?P<unit>[0-9a-fA-F]{4})|u\{(?P<braced>[0-9a-fA-F]{1,6})\}"
    rb"|U(?P<long>[0-9a-fA-F]{8})|x(?P<short>[0-9a-fA-F]{2})"
    rb"|(?P<octal>[0-3][0-7]{2}))"
    rb"|%(?:25)*(?:(?P<octet>[0-9a-fA-F]{2})|u(?P<percent>[0-9a-fA-F]{4}))"
    rb"|&(?:amp;)*+\#(?:(?P<decimal>[0-9]{1,30})|[xX](?P<hex>[0-9a-fA-F]{1,30}));"
    rb"|&(?P<and>amp;)++"
    rb"|&(?P<name>[A-Za-z][A-Za-z0-9]{1,31};)"
)
"""However many backslashes stand before a `u`: each layer of JSON doubles them. Each branch is linear in the text, and
begins with a plain character, by which `re` skips over what can't match."""
SPELLED: Final = b"\\%&+\b\f\n\r\t\0"
"""A text without any of these bytes means what it is."""
_SAME: Final = bytes.maketrans(b"+\b\f\n\r\t", b" bfnrt")
_LEFT_OUT: Final = b"\\\0"


class Reading(NamedTuple):
    """What a text says, and for each byte of that, where its spelling begins and ends."""

    text: bytes
    starts: Sequence[int]
    ends: Sequence[int]


def is_spelled(text: bytes) -> bool:
    """Whether it may say something other than it is. Most texts don't, and pay for this check only."""
    return len(text.translate(None, SPELLED)) < len(text)


def said(text: bytes) -> bytes:
    """What it says, without the places. Most texts say no secret, and these take most of the time."""
    for _ in range(LAYERS_MAX):
        text, tokens = _TOKEN.subn(_meaning_or_token, text)
        if not tokens:
            break
    return text


def bare(text: bytes) -> bytes:
    r"""The same without what is still ambiguous: `\n` and a new line are an `n`, `\"` is `"`, a plus is a space.

    A backslash may be one, or the half of one, or stand before another character: so there is none. A NUL is the other
    half of a letter in UTF-16.
    """
    return text.translate(_SAME, _LEFT_OUT)


def read(text: bytes) -> Reading:
    """What it says, and where."""
    reading = Reading(text, range(len(text)), range(1, len(text) + 1))
    for _ in range(LAYERS_MAX):
        inner = _one_layer(reading)
        if inner is None:
            break
        reading = inner
    return reading


def read_bare(reading: Reading) -> Reading:
    """The same for `bare`."""
    text, starts, ends = reading
    if b"\\" in text or b"\0" in text:
        kept = [place for place, byte in enumerate(text) if byte not in _LEFT_OUT]
        starts, ends = [starts[place] for place in kept], [ends[place] for place in kept]
    return Reading(bare(text), starts, ends)


def _one_layer(reading: Reading) -> Reading | None:
    """With each token replaced by what it means; None: it has none."""
    text, starts, ends = reading
    parts: list[bytes] = []
    new_starts: list[int] = []
    new_ends: list[int] = []
    done = 0
    for token in _TOKEN.finditer(text):
        meant = _meaning(token)
        if meant is None:
            continue
        begin, end = token.span()
        parts += text[done:begin], meant
        new_starts += starts[done:begin]
        new_ends += ends[done:begin]
        new_starts += [starts[begin]] * len(meant)
        new_ends += [ends[end - 1]] * len(meant)
        done = end
    if not parts:
        return None
    parts.append(text[done:])
    new_starts += starts[done:]
    new_ends += ends[done:]
    return Reading(b"".join(parts), new_starts, new_ends)


def _meaning_or_token(token: re.Match[bytes]) -> bytes:
    meaning = _meaning(token)
    return token[0] if meaning is None else meaning


def _meaning(token: re.Match[bytes]) -> bytes | None:
    """The bytes that a token stands for; None: it stands for nothing."""
    kind, digits = token.lastgroup, token[token.lastgroup or 0]
    match kind:
        case "octet":
            return bytes.fromhex(digits.decode())
        case "and":
            return b"&"
        case "name":
            named = html5.get(digits.decode())
            return None if named is None else named.encode()
        case "low":
            return bytes.fromhex(f"{token['high'].decode()}{digits.decode()}").decode("utf-16-be").encode()
        case "decimal":
            code = int(digits)
        case "octal":
            code = int(digits, 8)
        case _:
            code = int(digits, 16)
    return chr(code).encode("utf-8", "surrogatepass") if code < 0x110000 else None
