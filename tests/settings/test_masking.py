"""Secrets that a server says back are blotted out, in whatever way it spells them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from html import escape
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from consumer.settings.masking import SECRETS_MAX, Masker, basic
from consumer.settings.spellings import bare, said

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


def go(text: str) -> str:
    """JSON as Go's encoder writes it: safe inside HTML."""
    return re.sub("[&<>]", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False)[1:-1])


LAYERS: dict[str, Callable[[str], str]] = {
    "json": lambda text: json.dumps(text)[1:-1],
    "json with slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "go": go,
    "percent": lambda text: quote(text, safe=""),
    "lower percent": lambda text: re.sub("%..", lambda octet: octet[0].lower(), quote(text)),
    "plus": quote_plus,
    "html": escape,
    "entities": lambda text: escape(text).replace("/", "&#47;").replace("=", "&equals;"),
    "all entities": lambda text: "".join(f"&#x{ord(character):x};" for character in text),
    "repr": lambda text: "".join(repr(f"'\"{character}")[4:-1] for character in text),
}
"""What encoders do to a whole text: each character by itself."""
SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=24).filter(
    lambda secret: secret == secret.strip("\\\b\f\n\r\t") and len(secret.replace("\\", "")) >= 4
)
"""Of others a backslash may be left."""


@given(st.data(), SECRETS)
def test_no_spelling_of_a_secret_is_left(data: st.DataObject, secret: str) -> None:
    """Each character in a way of its own, in text and in bytes."""
    pieces = [data.draw(st.sampled_from(spellings(character))) for character in secret]
    # Before what begins with a backslash, one as it is would be read as half of an escaped one: no encoder leaves it.
    assume(not any(one == "\\" and other.startswith("\\") for one, other in pairwise(pieces)))
    spelled = "".join(pieces)
    masker = Masker([secret])

    assert "***" == masker.text(spelled)
    assert b"***" == masker.beginning(spelled.encode(), 512)


@given(st.lists(st.sampled_from(sorted(LAYERS)), max_size=3), SECRETS)
def test_no_layers_of_spellings_hide_a_secret(layers: list[str], secret: str) -> None:
    """One encoder's text inside another's, three deep; what stands around the secret stays."""

    def spelled(text: str) -> str:
        for layer in layers:
            text = LAYERS[layer](text)
        return text

    masked = Masker([secret]).text(spelled("they: ") + spelled(secret) + spelled(", no"))

    assert secret.encode() not in said(masked.encode())
    assert masked.startswith(spelled("they"))
    assert masked.endswith(spelled("no"))
    assert "***" in masked


@pytest.mark.parametrize(
    "spelled",
    [
        r"ab\u0026#47;cd\u0026#43;ef",  # Go's JSON, of a page of HTML
        json.dumps(escape("ab/cd+ef").replace("/", "&#x2F;").replace("+", "&plus;")),
        r"ab%5c%2fcd%5C%2Bef",  # `\/`, percent-encoded
        r"ab%26%2347%3Bcd%2526%252343%253Bef",
        r"ab%25252fcd%252Bef",
        r"ab\\\\u0026amp;#47;cd&amp;amp;plus;ef",
        r"ab\u{2f}cd\U0000002bef",
        "ab/cd ef",  # a plus that somebody took for a space
        "ab%u002fcd%u002bef",
        r"ab\057cd\\053ef",  # C, protobuf
        "a\0b\0/\0c\0d\0+\0e\0f",  # UTF-16
    ],
)
def test_a_spelling_inside_another_is_found(spelled: str) -> None:
    """As servers behind each other make them."""
    assert "***" == Masker(["ab/cd+ef"]).text(spelled).strip('"')


def test_json_with_a_secret_in_it_stays_json() -> None:
    """A backslash of the secret's first character goes with it, and one of what follows stays."""
    masker = Masker(['/s3cret"'])

    assert {"a": "***", "b": 'is "***"'} == json.loads(masker.text(r'{"a": "\/s3cret\"", "b": "is \"\/s3cret\"\""}'))


def test_a_secret_that_looks_like_a_spelling_is_found() -> None:
    """It is read as the text is: what is compared has no spelling left in it."""
    masker = Masker(["%2fab&amp;cd\\u0041ef"])

    assert ["***", "***", "***"] == [
        masker.text(text)
        for text in ("%2fab&amp;cd\\u0041ef", "%252fab&amp;amp;cd\\\\u0041ef", quote("%2fab&amp;cd\\u0041ef", safe=""))
    ]


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


# --- cut off


def test_a_secret_that_is_cut_off_is_found() -> None:
    """The body is cut behind the masking, or half of the key would be left."""
    assert b"x" * 510 + b"**" == Masker([KEY]).beginning(b"x" * 510 + KEY.encode() + b"y" * 600, 512)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("times", [1, 700])
def test_no_piece_of_a_secret_is_left_where_a_body_is_cut(layer: str, times: int) -> None:
    """Wherever that is: behind the key many times over, and in the middle of a spelled character."""
    key, spell = "sk/live+0123456789=abc", LAYERS[layer]
    masker = Masker([key])
    whole = spell("no: ") + spell(key) * times
    for at in range(len(spell("no: ")), min(len(whole), 200)):
        left = masker.beginning(whole[:at].encode(), 512)
        assert b"sk/live " not in bare(said(left)), at
    left = masker.beginning(spell(key).encode() * times, 512)
    assert 8 > len(bare(said(left)).replace(b"*", b"").replace(b"&#", b"")), "the letters of a piece"


def test_a_piece_with_a_space_for_a_plus_is_found() -> None:
    """In a text that is spelled in no other way."""
    assert b"it is ***" == Masker(["ab+cdefghijklmnop"]).beginning(b"it is ab cdefghijk", 512)


def test_the_key_many_times_over_leaves_no_piece_of_it() -> None:
    """What is blotted out is shorter than what stood there, so the cut comes into what is kept."""
    body = b"0123456789abcdefghij" * 5000

    assert [] == Masker(["0123456789abcdefghij"]).beginning(body, 512).replace(b"*", b"").split()
    assert "" == Masker(["0123456789abcdefghij"]).beginning_of(body.decode()[:1999], 1999).replace("*", "")


def test_the_end_of_a_text_that_begins_like_a_secret_stays() -> None:
    """Three letters are in every text; half of a short secret is too much of it, and eight letters of any."""
    masker = Masker(["abcdefghijklmnopqrstuvwxyz", "01234567"])

    assert b"it is abcdefg" == masker.beginning(b"it is abcdefg", 512)
    assert b"it is ***" == masker.beginning(b"it is abcdefgh", 512)
    assert (b"it is 012", b"it is ***") == (
        masker.beginning(b"it is 012", 512),
        masker.beginning(b"it is 0123", 512),
    )
    assert "it is abcdefgh" == masker.text("it is abcdefgh"), "nobody has cut this one"


# --- what is known


def test_a_longer_secret_leaves_no_rest() -> None:
    """One may be the beginning of another, or overlap it."""
    assert "*** ***" == Masker(["abcd", "abcdefgh"]).text("abcdefgh abcd")
    assert "***" == Masker(["abcdef", "defghi"]).text("abcdefghi")
    assert "***" == Masker(["abab"]).text("ababab")


def test_a_secret_that_is_learned_is_blotted_out_with_the_others() -> None:
    """A key that replaces another: late answers still speak of the old one. After very many the oldest is forgotten."""
    masker = Masker(["the-old-key"])
    masker.learn(["the-new-key"])

    assert "*** ***" == masker.text("the-old-key the-new-key")

    for number in range(SECRETS_MAX):
        masker.learn(["the-new-key", f"key-{number:05}"])

    assert "the-old-key *** ***" == masker.text(f"the-old-key the-new-key key-{SECRETS_MAX - 1:05}")


def test_in_a_json_value_texts_are_masked_and_nothing_else() -> None:
    """Names and numbers are ours: the value stays one of its kind."""
    value = {"12345678": 12345678, "reasons": ["it said 12345678", None, True], "of": {"a": ("12345678",)}}

    assert {"12345678": 12345678, "reasons": ["it said ***", None, True], "of": {"a": ["***"]}} == (
        Masker(["12345678"]).value(value)
    )


def test_nothing_secret_changes_nothing() -> None:
    """No secrets, or none in the text."""
    assert "as it is" == Masker([]).text("as it is") == Masker(["", "key"]).text("as it is")
    assert b"as it is" == Masker(["key"]).beginning(b"as it is", 512)
    assert "100 % of a\\b & \udc80 %zz &nosuch; &#1114112;" == Masker([KEY]).text(
        "100 % of a\\b & \udc80 %zz &nosuch; &#1114112;"
    )


@pytest.mark.parametrize("part", ["\\", "%25", "&amp;", "\\u005c", "%", "&", "&#0", "aaaaaaaa", "\\u", "%5c", "&#x26;"])
def test_a_text_made_to_be_slow_is_not(part: str) -> None:
    """Nothing in it takes more than linear time: 64 KiB of what is tried again and again."""
    masker = Masker(["aaaaaaaaaaaaaaab", "\\\\\\\\\\\\\\\\b", KEY])
    text = part * (65_536 // len(part))
    started = time.process_time()
    masker.text(text)
    masker.beginning_of(text, len(text))

    assert 2.0 > time.process_time() - started


def test_a_masker_does_not_show_its_secrets() -> None:
    """In a traceback with locals, for one."""
    assert KEY not in repr(Masker([KEY]))
