r"""Halves of surrogate pairs that a JSON text has as escapes (`\ud83d` alone). Pure.

By its grammar such a text is JSON; what it means can't be written in UTF-8, so no parser here reads it. Some SDKs send
it: JavaScript cuts an emoji in half. Two texts are made of it, each as long as it was, with another character in the
place of every half: a value that differs between the two has a half in it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

REPLACEMENT: Final = rb"\ufffd"
_OTHER: Final = rb"\ufffe"
_HALF: Final = re.compile(
    rb"\\u[dD](?:"
    rb"[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|[c-fC-F][0-9a-fA-F]{2}(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))"
)
# Control characters, which JSON has nowhere, stand for what must not be taken for something else meanwhile.
_BACKSLASH, _QUOTE, _MARK = b"\0\0", b"\1\1", b"\2"
_STANDS_FOR_SOMETHING: Final = re.compile(rb"[\x00-\x02]")
_IN_A_KEY: Final = re.compile(rb'\x02[^"\x02]*"[ \t\n\r]*:')


class Mended(NamedTuple):
    """A text without halves."""

    text: bytes
    """U+FFFD, the replacement character, in the place of each."""
    other: bytes
    """U+FFFE there."""
    in_a_key: bool
    """One of them is in a key of an object."""


def mended(value: bytes) -> Mended | None:
    """The text without its halves; None where there is none, or where it is no JSON anyway. 1 MiB takes 10 ms."""
    if b"\\u" not in value or _STANDS_FOR_SOMETHING.search(value):
        return None
    escapes = value.replace(rb"\\", _BACKSLASH).replace(rb"\"", _QUOTE)
    marked, count = _HALF.subn(_MARK, escapes)
    if not count:
        return None
    whole = marked.replace(_QUOTE, rb"\"").replace(_BACKSLASH, rb"\\")
    in_a_key = _IN_A_KEY.search(marked) is not None
    return Mended(whole.replace(_MARK, REPLACEMENT), whole.replace(_MARK, _OTHER), in_a_key)
