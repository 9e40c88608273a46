r"""Halves of surrogate pairs (`\ud83d` alone): valid JSON, and no text that UTF-8 can hold."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.segment.decoding import DecodingRules
from consumer.segment.surrogates import repaired
from consumer.sequencing.events import Event, Rejected, User
from tests.segment.given_events import RECORD_TIME, body, decoded, end, event

HALVES: Final = {
    "high": rb"\ud83d",
    "low": rb"\ude00",
    "high in capitals": rb"\uD83D",
    "two high": rb"\ud83d\ud83d",
    "two low": rb"\ude00\ude00",
    "low before high": rb"\ude00\ud83d",
    "high and a letter": rb"\ud83d\u0041",
    "high and an escaped backslash": rb"\ud83d\\ude00",
    "high and a letter as it is": rb"\ud83dA",
    "high before a pair": rb"\ud83d\ud83d\ude00",
    "low behind a pair": rb"\ud83d\ude00\ude00",
}
ANY_HALF: Final = pytest.mark.parametrize("half", HALVES.values(), ids=HALVES.keys())
WHOLE: Final = DecodingRules(anonymous="forward")


def track(**fields: bytes) -> bytes:
    """A track whose fields are this text."""
    members = {"type": b'"track"', "userId": b'"u1"', "event": b'"e"', **fields}
    return b"{%s}" % b",".join(b'"%s":%s' % (name.encode(), text) for name, text in members.items())


def read(text: bytes) -> Any:
    """What Python's parser, which takes halves, makes of it: U+FFFD for each, and text that UTF-8 can hold."""
    value = json.loads(text)
    assert isinstance(value, str)
    return re.sub("[\ud800-\udfff]", "\ufffd", value)


@ANY_HALF
@pytest.mark.parametrize(("type_", "field"), [(b'"track"', "properties"), (b'"identify"', "traits")])
def test_in_a_payload_it_is_replaced_and_counted(type_: bytes, field: str, half: bytes) -> None:
    """U+FFFD stands where it stood, all else is as it was."""
    text = b'"a%sz"' % half
    made = event(track(type=type_, **{field: b'{"n":1e400,"a":[%s, {"b":%s}],"c":"\\ufffd"}' % (text, text)}))

    assert made.payload is not None
    [first, second] = json.loads(made.payload)["a"]
    assert read(text) == first == second["b"]
    assert 2 * read(text).count("\ufffd") == made.replaced_surrogates
    assert b'{"n":1e400,"a":[' == made.payload[:16]
    assert made.payload in body(made)


@ANY_HALF
@pytest.mark.parametrize(
    ("type_", "field", "rules"),
    [
        (b'"track"', "userId", None),
        (b'"identify"', "userId", None),
        (b'"delete"', "userId", None),
        (b'"track"', "anonymousId", WHOLE),
        (b'"track"', "event", None),
        (b'"page"', "name", None),
        (b'"screen"', "name", None),
    ],
)
def test_in_an_id_or_a_name_it_costs_the_event(
    type_: bytes, field: str, rules: DecodingRules | None, half: bytes
) -> None:
    """It would be another user, or another event: nobody guesses which, and the reason says where."""
    fields = {"type": type_, field: b'"a%sz"' % half}
    made = decoded(track(**({"userId": b"null", **fields} if field == "anonymousId" else fields)), rules)

    assert isinstance(made, Rejected)
    assert ("invalid_event", json.loads(type_)) == (made.reason.value, made.type)
    assert f"`{field}` holds half of a surrogate pair" == made.detail


@ANY_HALF
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"properties": b'{"a":{"%s":1}}'}, id="properties"),
        pytest.param({"traits": b'{"%s" : 1}', "type": b'"identify"'}, id="traits"),
        pytest.param({"context": b'{"%s":1}'}, id="context"),
        pytest.param({"x": b'[{"%s"\n:1}]'}, id="anywhere"),
    ],
)
def test_in_a_key_it_costs_the_event(fields: dict[str, bytes], half: bytes) -> None:
    """Two keys could become one."""
    made = decoded(track(**{name: text.replace(b"%s", half) for name, text in fields.items()}))

    assert isinstance(made, Rejected)
    assert ("invalid_event", "half of a surrogate pair in a key") == (made.reason.value, made.detail)


@ANY_HALF
@pytest.mark.parametrize("field", ["context", "integrations", "version", "anonymousId", "name", "traits"])
def test_where_nothing_is_sent_of_it_it_costs_nothing(field: str, half: bytes) -> None:
    """A field that this event has no use for is not counted either."""
    text = b'"%s"' % half
    made = event(track(**{field: text if field in ("anonymousId", "name") else b'{"a":%s}' % text}))

    assert (User("u1"), 0) == (made.user, made.replaced_surrogates)


@ANY_HALF
def test_a_message_id_or_a_time_that_is_none(half: bytes) -> None:
    """An insert_id with something else in its place could be that of another event: its own place makes it."""
    made = event(track(messageId=b'"%s"' % half, timestamp=b'"%s"' % half, receivedAt=b'"%s"' % half))

    assert ("segment-events-3-42", RECORD_TIME) == (made.insert_id, made.timestamp)


@ANY_HALF
def test_what_is_skipped_stays_skipped(half: bytes) -> None:
    """What would not be sent anyway is no dead letter."""
    text = b'"%s"' % half

    assert "skipped: unsupported" == end(track(type=b'"group"', userId=text, traits=b"{%s:1}" % text))
    assert "skipped: unknown_type" == end(track(type=text))
    assert "skipped: integrations" == end(track(integrations=b'{"All":false}', properties=b'{"a":%s}' % text))


def test_bytes_that_are_no_utf8_are_another_matter() -> None:
    """Three bytes that would be half of a pair are no UTF-8, and the reason says so, beside an escape too."""
    made = decoded(track(properties=b'{"a":"\xed\xa0\xbd","b":"\\ud83d"}'))

    assert isinstance(made, Rejected)
    assert "undecodable" == made.reason.value
    assert made.detail.startswith("not UTF-8: ")


def test_a_pair_and_what_only_looks_like_a_half_stay_as_they_are() -> None:
    """A whole pair, an escaped backslash before `ud83d`, U+FFFD that was there."""
    payload = rb'{"a":"\ud83d\ude00","b":"\\ud83d","c":"\\\\ude00","d":"\ufffd"}'
    made = event(track(properties=payload))

    assert (payload, 0) == (made.payload, made.replaced_surrogates)


def test_the_size_of_the_text_stays() -> None:
    """So a place that an error names is the place in what was received."""
    made, other = (decoded(track(properties=b'{"a":"%s","b":tru}' % text)) for text in (rb"\ud83d", rb"\u0041"))

    assert isinstance(made, Rejected)
    assert isinstance(other, Rejected)
    assert made.detail.startswith("not JSON: ")
    assert other.detail == made.detail


@given(
    pieces=st.lists(
        st.sampled_from([*HALVES.values(), rb"\\", rb"\"", rb"\n", b"a", b"ud83d", rb"\u0041", "é😀".encode()]),
        max_size=12,
    ),
    in_a_key=st.booleans(),
)
@example(pieces=[rb"\\", rb"\ud83d", rb"\\", rb"\ude00"], in_a_key=False)
def test_any_text_with_halves(pieces: list[bytes], *, in_a_key: bool) -> None:
    """Whatever stands around them: what is sent is what Python's parser reads, with U+FFFD for each half."""
    text = b'"%s"' % b"".join(pieces)
    halves = len(re.findall("[\ud800-\udfff]", json.loads(text)))
    made = decoded(track(properties=b"{%s:1}" % text if in_a_key else b'{"a":%s}' % text))

    if in_a_key and halves:
        assert isinstance(made, Rejected)
        return
    assert isinstance(made, Event)
    assert made.payload is not None
    assert halves == made.replaced_surrogates
    assert in_a_key or read(text) == json.loads(made.payload)["a"]


@given(st.binary(max_size=60))
def test_no_bytes_raise(value: bytes) -> None:
    """What is repaired is as long as it was."""
    text = repaired(value)

    assert text is None or {len(value)} == {len(text.text), len(text.other)} or len(text.text) == len(text.other)
