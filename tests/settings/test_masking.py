"""Secrets that a server says back are blotted out, in whatever way it spells them."""

from __future__ import annotations

import json
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.settings.masking import Masker, basic

KEY = "sk_/a+b=c&d<é😀'\"\\ end"


def spellings(character: str) -> list[str]:
    """Ways in which servers write one character."""
    units = character.encode("utf-16-be").hex()
    escaped = "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
    percent = "".join(f"%{octet:02x}" for octet in character.encode())
    found = [
        character,
        escaped,
        escaped.upper().replace("\\U", "\\u"),
        escaped.replace("\\", "\\\\"),
        percent,
        percent.upper(),
        percent.replace("%", "%25"),
        f"&#{ord(character)};",
        f"&#x{ord(character):x};",
        f"&#X000{ord(character):X};",
        f"&amp;#{ord(character)};",
        escape(character),
        json.dumps(character)[1:-1],
        repr(character)[1:-1],
    ]
    return [*found, "\\/", "&sol;"] if character == "/" else found


SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=24)


@given(st.data(), SECRETS)
def test_no_spelling_of_a_secret_is_left(data: st.DataObject, secret: str) -> None:
    """Each character in a way of its own, in text and in bytes."""
    spelled = "".join(data.draw(st.sampled_from(spellings(character))) for character in secret)
    masker = Masker([secret])

    assert "***" == masker.text(spelled)
    assert b"***" == masker.beginning(spelled.encode(), 512)


@pytest.mark.parametrize(
    "spelled",
    [
        KEY,
        quote(KEY),
        quote(KEY, safe=""),
        quote_plus(KEY),
        json.dumps(KEY),
        escape(KEY),
        repr(KEY),
        json.dumps(repr(KEY)),
    ],
)
def test_what_libraries_make_of_it_is_blotted_out(spelled: str) -> None:
    """All of it at once, as real servers write it."""
    text = Masker([KEY]).text(f"the key {spelled} is wrong")

    assert ("the key ", " is wrong") == (text.partition("***")[0].strip("\"'"), text.rpartition("***")[2].lstrip("\"'"))


def test_what_a_header_says_of_a_password_is_blotted_out() -> None:
    """`Basic …` with and without its padding, in a page of HTML too."""
    masker = Masker(basic("reader:pass/word+1?"))

    assert "Basic *** Basic *** Basic *** ***" == masker.text(
        "Basic cmVhZGVyOnBhc3Mvd29yZCsxPw== Basic cmVhZGVyOnBhc3Mvd29yZCsxPw "
        "Basic cmVhZGVyOnBhc3Mvd29yZCsxPw&#61;&equals;"
        " pass&sol;word&#x2b;1%3f"
    )


def test_a_secret_that_is_cut_off_is_found() -> None:
    """The body is cut behind the masking, or half of the key would be left."""
    assert b"x" * 510 + b"**" == Masker([KEY]).beginning(b"x" * 510 + KEY.encode() + b"y" * 600, 512)


def test_a_longer_secret_leaves_no_rest() -> None:
    """One may be the beginning of another."""
    assert "*** ***" == Masker(["abcd", "abcdefgh"]).text("abcdefgh abcd")


def test_nothing_secret_changes_nothing() -> None:
    """No secrets, or none in the text."""
    assert "as it is" == Masker([]).text("as it is") == Masker(["", "key"]).text("as it is")
    assert b"as it is" == Masker(["key"]).beginning(b"as it is", 512)


def test_a_masker_does_not_show_its_secrets() -> None:
    """In a traceback with locals, for one."""
    assert KEY not in repr(Masker([KEY]))
