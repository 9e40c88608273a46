"""Each kind of JSON, and of what is none, in each place of an event: judged by the standard library's parser."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import pytest

from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.events import Batch, DeadLetterReason, Decoded, Event, Kind, Rejected
from tests.segment.given_events import body, record
from tests.segment.strict_json import strict

RULES: Final = DecodingRules(anonymous="forward")

NUMBERS: Final = (
    b"0 -0 1 -1 10 0.5 -0.0 1.5e10 1E5 1e+5 1e-5 1E-05 123456789012345678901234567890 -1e-400 1e400".split()
)
NUMBERS_LONG: Final = [
    b"9" * 5000,
    b"0." + b"1" * 5000,
    b"1e" + b"9" * 30,
    b"-1E99999999999999999999",
    b"1e-99999999999",
]
NO_NUMBERS: Final = (
    b"01 -01 00 1. .5 -.5 -.e1 - + +1 ++1 1e 1e+ 1E- 1.e1 1.5e 0x1 0e 0e+ 1eE2 1_000 1,5 NaN -NaN Infinity -Infinity "
    b"Inf 1a 1.2.3 0.1.2 --1 1- 2.e3 \xef\xbc\x91 1\xc2\xa0 1/2 9.e+ 1+2 -foo 0.3e 1000000\x00"
).split(b" ")
WORDS: Final = [b"true", b"false", b"null", b" true ", b"\n\tnull\r\n"]
NO_WORDS: Final = (
    b"tru True TRUE nul Null undefined nan truefalse fals a * & # ' ` @ \xe2\x82\xac \x00 \x0c \x0b \xc2\xa0".split(
        b" "
    )
)
STRINGS: Final = [
    b'""',
    b'"a"',
    rb'"\""',
    rb'"\\"',
    rb'"\/\b\f\n\r\t"',
    rb'"\u0000"',
    rb'"\u0061\u30AF\u30ea"',
    rb'"\uD834\uDd1e"',
    rb'"\uDBFF\uDFFF"',
    rb'"\uFFFF\uFDD0\uFFFE"',
    rb'"\u200b\u2028\u2029\u0085\u007f"',
    '"\u20ac\U0001d11e"'.encode(),
    '"\u2028\u2029\ufeff\U0010ffff\ufffe"'.encode(),
    b'"\x7f"',
    b'"// no comment /* */ [{,:}]"',
    b'"' + b"x" * 20_000 + b'"',
    b'"' + b'\\"' * 5_000 + b'"',
]
NO_STRINGS: Final = [
    b'"',
    b'"a',
    b'a"',
    b"'a'",
    b"'",
    rb'"\"',
    rb'"\\\"',
    rb'"\a"',
    rb'"\x00"',
    rb'"\'"',
    rb'"\0"',
    rb'"\U0061"',
    rb'"\u"',
    rb'"\u00A"',
    rb'"\u00AX"',
    rb'"\uD834\u"',
    rb'"\uD834\uDd"',
    '"\\\u00e5"'.encode(),
    b'"\\',
    b'"\\\x00"',
    b'"a\x00a"',
    b'"new\nline"',
    b'"\t"',
    b'"\x1f"',
    b'"" x',
    b'"a" "b"',
    "\u201ca\u201d".encode(),
]
NO_UTF8: Final = [
    b'"\x80"',
    b'"\xff"',
    b'"\xe5"',
    b'"\xc0\xaf"',
    b'"\xe0\xff"',
    b'"\xed\xa0\x80"',
    b'"\xed\xb0\x80"',
    b'"\xf4\xbf\xbf\xbf"',
    b'"\xfc\x83\xbf\xbf\xbf\xbf"',
    b'"\xf8\x88\x80\x80\x80"',
    b'"\xe0\x80"',
    b"\xe5",
    b'{"\xb9":1}',
    b"[\xff]",
    b'"\\u\xe5"',
]
ARRAYS: Final = [
    b"[]",
    b"[ ]",
    b"[\n\t]",
    b"[1]",
    b"[1 ,2 ]",
    b'[null,1,"1",{}]',
    b"[[]]",
    b"[" * 80 + b"]" * 80,
    b"[false ]",
]
NO_ARRAYS: Final = (
    b'[ ] [, [1 [1, [1,] [,1] [1,,2] [,] [[ []] ]] [1:2] [1;2] [1} {1] [} [ 1 2] [1 true] [* [a [x,] ["a" [] [][] '
    b'[1]x [3[4]] ["x"] ] [<null>] [(1)] [[[1]]'
).split(b" ")[1:]
OBJECTS: Final = [
    b"{}",
    b"{ }",
    b'{"a":1}',
    b'{"a":1,"a":2}',
    b'{"":0}',
    b'{"a":{"b":{"c":[{}]}}}',
    b'{"a" : 1 , "b":\n2}',
    rb'{"\u0000\u0061":"\u0000"}',
    b'{"__proto__":1,"constructor":{},"toString":null,"$ne":1,"type":"identify","userId":7}',
    b'{"a":' * 80 + b"1" + b"}" * 80,
]
NO_OBJECTS: Final = [
    b"{",
    b"}",
    b"{{}}",
    b"{1:1}",
    b"{a:1}",
    b"{'a':1}",
    b"{null:1}",
    b'{"a"}',
    b'{"a",1}',
    b'{"a":}',
    b'{"a":1,}',
    b'{,"a":1}',
    b'{"a":1,,"b":2}',
    b'{"a":1 "b":2}',
    b'{"a"::1}',
    b'{"a":"b" c}',
    b'{"a":1}#',
    b'{"a":1}/**/',
    b'{"a":/*1*/1}',
    b'{"a":1}//',
    b'{"a":1}}',
    b'{"a":1',
    b'{"a',
    b'{"a":[}',
    b'{"a":[1}]',
    b"{[]:1}",
    b'{"a":true]',
    b"{\xc2\xa0}",
    b'{"a":1;"b":2}',
]
TEXTS: Final = [
    *(NUMBERS + NUMBERS_LONG + NO_NUMBERS + WORDS + NO_WORDS + STRINGS + NO_STRINGS + NO_UTF8),
    *(ARRAYS + NO_ARRAYS + OBJECTS + NO_OBJECTS),
]

Place = Callable[[bytes], bytes]


def field(name: str, type_: str = "track") -> Place:
    """An event of this type with the text as a field."""
    others = {"type": f'"{type_}"', "userId": '"u1"', "event": '"e"', "messageId": '"m"'}
    members = ",".join(f'"{key}":{value}' for key, value in others.items() if key != name)
    return lambda text: b'{%s,"%s":%s}' % (members.encode(), name.encode(), text)


def within(place: Place, around: bytes) -> Place:
    """The text inside of something."""
    return lambda text: place(around.replace(b"%s", text))


EVENTS: Final[dict[str, Place]] = {
    **{
        name: field(name)
        for name in ("userId", "anonymousId", "messageId", "event", "timestamp", "originalTimestamp", "sentAt")
    },
    **{name: field(name) for name in ("receivedAt", "properties", "context", "integrations", "version", "traits")},
    "type": field("type"),
    "the name of a page": field("name", "page"),
    "the name of a screen": field("name", "screen"),
    "traits of an identify": field("traits", "identify"),
    "a group's": field("traits", "group"),
    "a delete's": field("context", "delete"),
    "in properties": within(field("properties"), b'{"a":1,"b":%s}'),
    "in traits": within(field("traits", "identify"), b'{"a":[%s,2]}'),
    "in context": within(field("context"), b'{"page":{"title":%s}}'),
    "in personas": within(field("context", "identify"), b'{"personas":{"computation_class":%s,"computation_key":%s}}'),
    "in integrations": within(field("integrations"), b'{"CustomFit.ai":%s,"Other":{"a":%s}}'),
    "behind all others": lambda text: field("x")(b"1")[:-1] + b',"y":%s}' % text,
}
AROUND: Final[dict[str, Place]] = {
    "the record": lambda text: text,
    "all but a record": lambda text: b"  %s\n" % text,
    "in an array": lambda text: b"[%s]" % text,
}
OF_BATCH: Final[dict[str, Place]] = {
    name: within(lambda text: text, b'{"batch":[%s],"%s":%%s}' % (field("x")(b"1"), name.encode()))
    for name in ("sentAt", "receivedAt", "context", "integrations", "writeKey", "type")
}


def is_json(text: bytes) -> bool:
    """Whether it is, as the standard library says."""
    try:
        strict(text)
    except ValueError:
        return False
    return True


def is_undecodable(made: Decoded | Batch) -> bool:
    """Whether it was found to be no JSON."""
    return isinstance(made, Rejected) and made.reason is DeadLetterReason.UNDECODABLE


def check(made: Decoded, value: bytes, text: bytes) -> None:
    """It is undecodable exactly if it is no JSON, and what is sent of it is what was received."""
    assert is_json(value) is not is_undecodable(made), (text[:60], made)
    if not isinstance(made, Event) or made.kind is Kind.DELETE:
        return
    name = "traits" if made.kind is Kind.IDENTIFY else "properties"
    received = dict(strict(value)[1]).get(name)
    request = dict(strict(body(made))[1])
    holder = request["user"] if made.kind is Kind.IDENTIFY else request["events"][0]
    sent = dict(holder[1]).get("properties")
    nothing: Any = None if made.kind is Kind.IDENTIFY else ("object", [])
    assert (nothing if received in (None, []) else received) == sent


@pytest.mark.parametrize("place", [*EVENTS.values(), *AROUND.values()], ids=[*EVENTS, *AROUND])
def test_json_in_every_place_of_an_event(place: Place) -> None:
    """What is no JSON anywhere is undecodable, what is JSON never; and traits and properties arrive as they were."""
    for text in TEXTS:
        value = place(text)
        made = decode(record(value), RULES)
        assert not isinstance(made, Batch)
        check(made, value, text)


@pytest.mark.parametrize("place", [*EVENTS.values(), *AROUND.values()], ids=[*EVENTS, *AROUND])
def test_json_in_every_place_of_an_item(place: Place) -> None:
    """Its neighbours are sent, unless nobody can say where the item ends or there are two; then nothing is sent."""
    good = field("x")(b"1")
    for text in TEXTS:
        value = place(text)
        made = decode(record(b'{"batch":[%s,%s,%s]}' % (good, value, good)), RULES)
        if not isinstance(made, Batch):
            assert is_undecodable(made)
            assert not is_json(value), text
            continue
        assert isinstance(made.items[0], Event)
        assert isinstance(made.items[-1], Event)
        if len(made.items) == 3:
            check(made.items[1], value, text)
        else:  # commas that no brackets hold: several items, none of which is more than it says
            assert not is_json(value), text
            parts = [bytes(item.record.item.text) for item in made.items if item.record.item is not None]
            assert re.sub(rb"[ \t\n\r]", b"", b",".join(parts[1:-1])) == re.sub(rb"[ \t\n\r]", b"", value)


@pytest.mark.parametrize("place", OF_BATCH.values(), ids=OF_BATCH.keys())
def test_json_in_every_place_of_a_batch(place: Place) -> None:
    """A value of the batch's own costs its items only where it is no JSON, or says that it is no batch."""
    for text in TEXTS:
        value = place(text)
        made = decode(record(value), RULES)
        assert is_json(value) is not is_undecodable(made), (text[:60], made)


def test_the_cases_are_of_both_kinds() -> None:
    """Some hundred that are JSON and some that are none, by a parser that is not ours."""
    good = [text for text in TEXTS if is_json(text)]

    assert len(good) > 50
    assert len(TEXTS) - len(good) > 100
