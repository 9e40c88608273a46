"""Text that others wrote is shown so that no terminal obeys it and no line of it looks like one of ours."""

from __future__ import annotations

import pytest

from consumer.foreign_text import cut, printable, printable_bytes


def test_nothing_that_a_terminal_would_obey_is_shown() -> None:
    """Escape sequences, line breaks and letters that turn the direction of text are shown as what they are."""
    assert r"a\x1b[31mb\nc\u202ed\ud800 é 漢" == printable("a\x1b[31mb\nc\u202ed\ud800 é 漢")


def test_bytes_that_are_no_utf_8_are_shown() -> None:
    """As two hexadecimal digits."""
    assert r"é\xff\xfe\n" == printable_bytes("é".encode() + b"\xff\xfe\n")


@pytest.mark.parametrize(("text", "shown"), [("abc", "abc"), ("abcd", "ab…"), ("", "")])
def test_long_text_is_cut(text: str, shown: str) -> None:
    """With a sign that it was, and never longer than asked for."""
    assert (shown, shown) == (cut(text, 3), printable(text, 3))


def test_the_escapes_of_a_text_are_not_cut_apart() -> None:
    """What is cut is the text, before it is escaped."""
    assert r"\n\n…" == printable("\n\n\n\n", 3)
