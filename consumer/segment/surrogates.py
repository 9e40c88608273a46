r"""Halves of surrogate pairs that stand in a JSON text as escapes (`\ud83d` alone). Pure.

By its grammar such a text is JSON. But what it means can't be written in UTF-8, so no parser here reads it. Some SDKs
send it: JavaScript cuts an emoji in half. So two texts are made, each as long as the first, with another character in
place of every half. A value that differs between the two has a half in it.
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
# Control characters, which JSON has nowhere, mark meanwhile what must not be taken for something else.
_BACKSLASH, _QUOTE, _MARK = b"\0\0", b"\1\1", b"\2"
_STANDS_FOR_SOMETHING: Final = re.compile(rb"[\x00-\x02]")
_IN_A_KEY: Final = re.compile(rb'\x02[^"\x02]*"[ \t\n\r]*:')


class Repaired(NamedTuple):
    """A text without halves."""

    text: bytes
    """With U+FFFD, the replacement character, in place of each half."""
    other: bytes
    """With U+FFFE there."""
    in_a_key: bool
    """Whether a half stands in a key of an object."""


def repaired(value: bytes) -> Repaired | None:
    """The text without its halves. None: it has none, or is not JSON anyway. 1 MiB takes 10 ms."""
    if b"\\u" not in value or _STANDS_FOR_SOMETHING.search(value):
        return None
    escapes = value.replace(rb"\\", _BACKSLASH).replace(rb"\"", _QUOTE)
    marked, count = _HALF.subn(_MARK, escapes)
    if not count:
        return None
    whole = marked.replace(_QUOTE, rb"\"").replace(_BACKSLASH, rb"\\")
    in_a_key = _IN_A_KEY.search(marked) is not None
    return Repaired(whole.replace(_MARK, REPLACEMENT), whole.replace(_MARK, _OTHER), in_a_key)
