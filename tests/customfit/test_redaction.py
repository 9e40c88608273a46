"""What must not leave of traits and properties: all of it goes, and nothing else of the text changes."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.customfit.mapping import request_body
from consumer.customfit.redaction import HASHES_MAX, Redaction
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.lanes import Delivery, Lane
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.rule import DeliveryKind
from consumer.settings.rule_lists import property_paths
from tests.segment.given_events import PARTITION, event, segment

KEY: Final = "0123456789abcdef"


def redaction(drop: list[str], hashed: list[str], found: Callable[..., object] = lambda *_: None) -> Redaction:
    """With these paths."""
    dropped, replaced = (property_paths(paths) if paths else () for paths in (drop, hashed))
    return Redaction(dropped, replaced, KEY, found)


def sent(text: bytes, drop: list[str], hashed: list[str] | None = None) -> bytes:
    """What of a text leaves."""
    return bytes(redaction(drop, hashed or []).of(msgspec.Raw(text)))


def hash_of(said: str) -> str:
    """As anybody with the key can make it."""
    return hmac.new(KEY.encode(), said.encode(), "sha256").hexdigest()


@pytest.mark.parametrize(
    ("text", "drop", "wanted"),
    [
        (b'{"a":1}', ["a"], b"{}"),
        (b'{ "a" : 1 }', ["a"], b"{  }"),
        (b'{"a":1,"b":2}', ["a"], b'{"b":2}'),
        (b'{"b":2 , "a":1}', ["a"], b'{"b":2}'),
        (b'{ "a":1 ,\n"b":1.10 , "c":[1e5] }', ["a"], b'{ "b":1.10 , "c":[1e5] }'),
        (b'{ "a":1 ,\n"b":1.10 , "c":[1e5] }', ["b"], b'{ "a":1 , "c":[1e5] }'),
        (b'{"a":1,"b":2,"c":3}', ["a", "c"], b'{"b":2}'),
        (b'{"a":1,"b":2,"c":3}', ["a", "b"], b'{"c":3}'),
        (b'{"a":1,"b":2,"c":3}', ["b", "c"], b'{"a":1}'),
        (b'{"a":1,"x":"\\u00e9","a":{"a":2},"a":[]}', ["a"], b'{"x":"\\u00e9"}'),
        (b'{"e\\u006dail":1,"\\u0065mail":2,"Email":3}', ["email"], b'{"Email":3}'),
        (b'{"a":{"b":1,"c":2},"b":3}', ["a.b"], b'{"a":{"c":2},"b":3}'),
        (b'{"a":"b","b":{"a":1}}', ["a.b"], b'{"a":"b","b":{"a":1}}'),
        (b'{"a.b":1,"a":{"b":2}}', ["a\\.b"], b'{"a":{"b":2}}'),
        (b'{"a\\\\b":1,"b":2}', ["a\\\\b"], b'{"b":2}'),
        (b'{"p":[{"s":1,"t":2},[{"s":3}],"s",{"s":{"s":4}}]}', ["p.s"], b'{"p":[{"t":2},[{}],"s",{}]}'),
        (b'{"x":"\\"a\\":1,","y":"{\\"a\\":1}","a":"]}"}', ["a"], b'{"x":"\\"a\\":1,","y":"{\\"a\\":1}"}'),
        ('{"größe":1,"b":"größe"}'.encode(), ["größe"], '{"b":"größe"}'.encode()),
        (b'{"gr\\u00f6\\u00DFe":1}', ["größe"], b"{}"),
        (b'{"\\ud83d\\udc69":1}', ["👩"], b"{}"),
        (b'{"$email":1,"*":2,"a":3}', ["$email", "*"], b'{"a":3}'),
    ],
)  # fmt: skip
def test_what_is_left_out(text: bytes, drop: list[str], wanted: bytes) -> None:
    """With the comma before it, or, of the first ones, behind it; an object or an array goes whole."""
    assert wanted == sent(text, drop)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('"a@b.c"', "a@b.c"),
        ('"\\u0061@b\\u002ec"', "a@b.c"),
        ('"größe"', "größe"),
        ('""', ""),
        ("7", "7"),
        ('"7"', "7"),
        ("1.10", "1.10"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("true", "true"),
        ('{ "b" : [1.0, "\\u0061"] , "a":null}', '{"a":null,"b":[1.0,"a"]}'),
        ('{"\\u0061":1,"a":{}, "a":[ ]}', '{"a":1,"a":[],"a":{}}'),
    ],
)
def test_a_hash_is_of_what_a_value_says(value: str, said: str) -> None:
    """However a string or an object is written; a number as it is."""
    wanted = f'{{ "a" : "{hash_of(said)}","b": {value} }}'

    assert wanted == sent(f'{{ "a" : {value},"b": {value} }}'.encode(), [], ["a"]).decode()


@given(
    st.dictionaries(
        st.text(max_size=4) | st.sampled_from(["a", "a b", "a!", "a\n"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=5,
        ),
        max_size=4,
    )
)
def test_the_hash_of_an_object_can_be_made_elsewhere(value: dict[str, Any]) -> None:
    """As the documentation says; whoever joins hashes makes them without us."""
    said = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    left = json.loads(sent(json.dumps({"a": value}).encode(), [], ["a"]))

    assert {"a": hash_of(said)} == left


def test_null_stays_and_items_of_arrays_are_hashed_each() -> None:
    """Nested ones, too."""
    x, one, whole = (f'"{hash_of(said)}"' for said in ("x", "1", '{"b":"x"}'))
    left = sent(b'{"a":null,"b":["x", [1,null] ,{"b":"x"}]}', [], ["a", "b"])

    assert f'{{"a":null,"b":[{x}, [{one},null] ,{whole}]}}' == left.decode()


def test_hashes_of_one_event_are_bounded() -> None:
    """What would make 33 bytes of one is sent as nothing."""
    left = json.loads(sent(b'{"a":[' + b",".join([b"1"] * (HASHES_MAX + 5)) + b"]}", [], ["a"]))["a"]

    assert [hash_of("1")] * HASHES_MAX + [None] * 5 == left


def test_a_text_without_any_of_the_keys_is_the_same_object() -> None:
    """Nothing is copied; a part of a path that leads nowhere changes nothing either."""
    made = redaction(["a.b"], ["c"])
    plain, near = msgspec.Raw(b'{"a":{"x":1}}'), msgspec.Raw(b'{"a":{"x":"\\n"},"b":1}')

    assert plain is made.of(plain)
    assert near is made.of(near)


def test_each_path_that_is_there_is_told_once() -> None:
    """Of one event."""
    told: list[Any] = []
    redaction(["a", "d.e"], ["b"], lambda *what: told.append(what)).of(
        msgspec.Raw(b'{"a":1,"a":2,"b":[1,2],"c":{"b":3},"d":{}}')
    )

    assert [("properties_drop", "a"), ("properties_hash", "b")] == told


def test_deep_nesting_is_gone_through() -> None:
    """As deep as a record may nest."""
    text = b'{"a":' * 95 + b'{"b":1,"c":[' + b"[" * 3 + b"]" * 3 + b"]}" + b"}" * 95

    assert text.replace(b'"b":1,', b"") == sent(text, [".".join(["a"] * 95 + ["b"])])


@pytest.mark.parametrize("dialect", ["destination", "sdk"])
def test_every_request_is_cut(dialect: Any) -> None:
    """Identifies, tracks, pages and screens in both dialects; an introduction has nothing to cut."""
    cut = redaction(["email"], [])
    lane = Lane(Assignment(PARTITION, OffsetTracker(0)), event(segment()).user, identified=True)
    payload: Any = {"traits": {"email": "a@b.c"}, "properties": {"email": "a@b.c"}}
    events = [event(segment(type=kind, name="n", **payload)) for kind in ("identify", "track", "page", "screen")]
    kinds = [DeliveryKind.IDENTIFY, *[DeliveryKind.EVENTS] * 3]
    bodies = [request_body(Delivery(lane, kind, [one]), dialect, cut) for kind, one in zip(kinds, events, strict=True)]
    introduction = Delivery(lane, DeliveryKind.INTRODUCTION, events[1:])

    assert all(b"email" not in body and b'"properties":{}' in body for body in bodies)
    assert request_body(introduction, dialect) == request_body(introduction, dialect, cut)


# --- anything


names = st.sampled_from(["a", "b", "email", "e.mail", "\\", '"', "é", "👩", ""])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | names,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(names, inner), max_size=4).map(tuple),
    max_leaves=12,
)
"""Objects are tuples of members, since a key may be there twice."""


@st.composite
def texts(draw: st.DrawFn, value: Any) -> str:
    """One of the many ways to write it: blanks anywhere, letters escaped or not."""

    def blank() -> str:
        return draw(st.sampled_from(["", "", " ", "\n\t"]))

    if isinstance(value, str):
        return '"' + "".join(_written(character, draw(st.booleans())) for character in value) + '"'
    if isinstance(value, list):
        return "[" + ",".join(f"{blank()}{draw(texts(item))}{blank()}" for item in value) + blank() + "]"
    if isinstance(value, tuple):
        members = [f"{blank()}{draw(texts(key))}{blank()}:{blank()}{draw(texts(item))}{blank()}" for key, item in value]
        return "{" + ",".join(members) + blank() + "}"
    return json.dumps(value)


def _written(character: str, is_escaped: bool) -> str:
    if not is_escaped:
        return json.dumps(character, ensure_ascii=False)[1:-1]
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def members_of(text: bytes) -> Any:
    """The value, with objects as tuples of all their members and numbers as they are written."""
    return json.loads(text, object_pairs_hook=lambda pairs: ("object", *pairs), parse_int=str, parse_float=str)


def without(value: Any, keys: tuple[str, ...]) -> Any:
    """The value without the path, made in the plainest way."""
    if isinstance(value, list):
        return [without(item, keys) for item in value]
    if not isinstance(value, tuple):
        return value
    left: list[Any] = ["object"]
    for key, item in value[1:]:
        if key != keys[0]:
            left.append((key, item))
        elif len(keys) > 1:
            left.append((key, without(item, keys[1:])))
    return tuple(left)


paths = st.lists(names.filter(bool), min_size=1, max_size=3).map(tuple)
objects = st.lists(st.tuples(names, values), max_size=4).map(tuple)


def _path(keys: tuple[str, ...]) -> str:
    return ".".join(key.replace("\\", "\\\\").replace(".", "\\.") for key in keys)


@given(data=st.data(), value=objects, keys=paths)
def test_only_the_path_goes(data: st.DataObject, value: Any, keys: tuple[str, ...]) -> None:
    """Read again, it is what was read without the path: each other member once more, in its order, as it was typed.

    And what is left is a part of the text: cutting more out of it makes the same of both.
    """
    text = data.draw(texts(value)).encode()
    left = sent(text, [_path(keys)])
    rest = iter(text)

    assert without(members_of(text), keys) == members_of(left)
    assert all(byte in rest for byte in left)
    assert left == sent(left, [_path(keys)])


@given(data=st.data(), value=objects, keys=paths)
def test_a_hash_stands_where_the_value_stood(data: st.DataObject, value: Any, keys: tuple[str, ...]) -> None:
    """All around it is the same bytes: with what is hashed left out of both, nothing differs."""
    text = data.draw(texts(value)).encode()
    hashed = sent(text, [], [_path(keys)])

    assert sent(text, [_path(keys)]) == sent(hashed, [_path(keys)])
