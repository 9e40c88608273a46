"""Text that others wrote, made safe to show: nothing in it that a terminal obeys or that looks like another line. Pure.

Newlines, escape sequences, characters that can't be seen or that turn text around, and halves of surrogate pairs become
Python's escapes; all that can be seen stays.
"""

from __future__ import annotations


def printable(text: str, characters_max: int | None = None) -> str:
    """The text on one line; if it is long, its beginning."""
    if characters_max is not None:
        text = cut(text, characters_max)
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def printable_bytes(value: bytes) -> str:
    """The same for bytes. Those that are not UTF-8 become a backslash, an x and two hexadecimal digits."""
    return printable(value.decode(errors="backslashreplace"))


def cut(text: str, characters_max: int) -> str:
    """The beginning of a long text, with `…` for what is left out."""
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"
