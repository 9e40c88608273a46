"""Hostile and broken records: each has a stated end and reason, none raises, and what is sent is what was received."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

import pytest

from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.events import EVENT_TYPES, DeadLetterReason, Event, Kind, Rejected, User
from tests.segment.given_events import RECORD_TIME, body, decoded, end, event, record, segment

FORWARD_ALL: Final = DecodingRules(anonymous="forward", integrations="ignore")
MIB: Final = 1024 * 1024

UNDECODABLE, INVALID, TOO_LARGE = "undecodable", "invalid_event", "too_large"


def with_value(text: bytes, field: bytes = b"properties", type_: bytes = b"track") -> bytes:
    """An event with this text as the value of a field, whether or not it is JSON."""
    return b'{"type":"%s","userId":"u1","event":"e","%s":%s}' % (type_, field, text)


# --- each kind of broken record, and its end


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        pytest.param(b"", UNDECODABLE, "not JSON: ", id="empty"),
        pytest.param(b" \n", UNDECODABLE, "not JSON: ", id="white space"),
        pytest.param(b"\x00", UNDECODABLE, "not JSON: ", id="NUL"),
        pytest.param(b"hello", UNDECODABLE, "not JSON: ", id="words"),
        pytest.param(b"type=track&userId=u1", UNDECODABLE, "not JSON: ", id="a form"),
        pytest.param(b"\x00\x00\x00\x00\x01\x0atrack", UNDECODABLE, "not JSON: ", id="Avro with a schema id"),
        pytest.param(b"\x1f\x8b\x08\x00", UNDECODABLE, "not UTF-8: ", id="gzip"),
        pytest.param(segment()[:-1], UNDECODABLE, "not JSON: ", id="cut short"),
        pytest.param(segment()[: len(segment()) // 2], UNDECODABLE, "not JSON: ", id="cut in half"),
        pytest.param(segment() + b"x", UNDECODABLE, "not JSON: ", id="garbage behind it"),
        pytest.param(segment() + segment(), UNDECODABLE, "not JSON: ", id="two events"),
        pytest.param(segment() + b"\x00", UNDECODABLE, "not JSON: ", id="NUL behind it"),
        pytest.param(b"\xef\xbb\xbf" + segment(), UNDECODABLE, "not JSON: ", id="byte order mark"),
        pytest.param(segment().decode().encode("utf-16"), UNDECODABLE, "not UTF-8: ", id="UTF-16"),
        pytest.param(segment().decode().encode("utf-16-le"), UNDECODABLE, "not JSON: ", id="UTF-16 without a mark"),
        pytest.param(b"[1,", UNDECODABLE, "not JSON: ", id="an array cut short"),
        pytest.param(b"[1 2]", UNDECODABLE, "not JSON: ", id="an array without a comma"),
        pytest.param(b"nul", UNDECODABLE, "not JSON: ", id="a word cut short"),
        pytest.param(b'"track', UNDECODABLE, "not JSON: ", id="text cut short"),
        pytest.param(b"5 5", UNDECODABLE, "not JSON: ", id="two numbers"),
        pytest.param(b"01", UNDECODABLE, "not JSON: ", id="a leading zero"),
        pytest.param(b'[{"type":"track"},NaN]', UNDECODABLE, "not JSON: ", id="NaN in an array"),
        pytest.param(b'{"type":5,"userId":}', UNDECODABLE, "not JSON: ", id="a wrong type and no JSON"),
        pytest.param(b'{"type":"track","timestamp":1e400,}', UNDECODABLE, "not JSON: ", id="1e400 and no JSON"),
        pytest.param(b"1e400", INVALID, "Number out of range", id="a number beyond a double"),
        pytest.param(b"null", INVALID, "Expected `object`, got `null`", id="null"),
        pytest.param(b"5", INVALID, "Expected `object`, got `int`", id="a number"),
        pytest.param(b'"track"', INVALID, "Expected `object`, got `str`", id="text"),
        pytest.param(b"[%s]" % segment(), INVALID, "Expected `object`, got `array`", id="an array"),
        pytest.param(json.dumps(segment().decode()).encode(), INVALID, "Expected `object`", id="JSON in JSON"),
        pytest.param(b"{}", INVALID, "missing required field `type`", id="no type"),
        pytest.param(b'{"batch":{"0":%s}}' % segment(), INVALID, "missing required field `type`", id="no array"),
        pytest.param(segment(type=None), INVALID, "$.type", id="type null"),
        pytest.param(segment(type=1), INVALID, "$.type", id="type of a wrong type"),
        pytest.param(segment(userId=None), INVALID, "neither userId nor anonymousId", id="no ids"),
        pytest.param(b'{"type":"track",type:"track"}', UNDECODABLE, "not JSON: ", id="a key without quotes"),
        pytest.param(b"{'type':'track'}", UNDECODABLE, "not JSON: ", id="single quotes"),
        pytest.param(b'{"type":"track",}', UNDECODABLE, "not JSON: ", id="comma before the end"),
        pytest.param(b'{"type":"track"/**/}', UNDECODABLE, "not JSON: ", id="a comment"),
        pytest.param(b'{"type":"group"} // x', UNDECODABLE, "not JSON: ", id="a comment behind it"),
        pytest.param(
            b" " * (MIB + 1), TOO_LARGE, "1048577 bytes; CUSTOMFIT_RECORD_BYTES_MAX is 1048576", id="1 MiB + 1"
        ),
        pytest.param(b"[" * MIB, UNDECODABLE, "nested deeper than 100 levels", id="1 MiB of ["),
        pytest.param(b'{"a":' * 200_000, UNDECODABLE, "nested deeper than 100 levels", id="1 MB of objects"),
        pytest.param(b"[" * 10_000 + b"]" * 10_000, UNDECODABLE, "nested deeper than", id="10,000 arrays"),
        pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, UNDECODABLE, "nested deeper than", id="10,000 objects"),
    ],
)
def test_broken_records(value: bytes, reason: str, detail: str) -> None:
    """No event can be made of it: it is kept aside under a reason, and the detail says what is wrong."""
    made = decoded(value)

    assert isinstance(made, Rejected)
    assert reason == made.reason.value
    assert detail in made.detail
    assert made.type in EVENT_TYPES


NOT_JSON: Final = {
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "minus Infinity": b"-Infinity",
    "leading zero": b"01",
    "plus": b"+1",
    "no digits behind the point": b"1.",
    "no digits before the point": b".5",
    "hexadecimal": b"0x1F",
    "no exponent": b"1e",
    "True": b"True",
    "undefined": b"undefined",
    "nothing": b"",
    "control character": b'"\x01"',
    "line break in text": b'"\n"',
    "unknown escape": b'"\\q"',
    "short escape": b'"\\u12"',
    "no hexadecimal escape": b'"\\u12g4"',
}
NOT_UTF8: Final = {
    "latin-1": b'"\xe9t\xe9"',
    "a lone continuation": b'"\x80"',
    "cut short": b'"\xe2\x82"',
    "overlong": b'"\xc0\xaf"',
    "a surrogate": b'"\xed\xa0\x80"',
    "above U+10FFFF": b'"\xf4\x90\x80\x80"',
    "no UTF-8 at all": b'"\xff\xfe"',
}
ANYWHERE: Final[dict[str, Callable[[bytes], bytes]]] = {
    "userId": lambda text: b'{"type":"track","event":"e","userId":%s}' % text,
    "anonymousId": lambda text: with_value(text, b"anonymousId"),
    "messageId": lambda text: with_value(text, b"messageId"),
    "timestamp": lambda text: with_value(text, b"timestamp"),
    "event": lambda text: b'{"type":"track","userId":"u1","event":%s}' % text,
    "properties": lambda text: with_value(b'{"a":%s}' % text),
    "a key of properties": lambda text: with_value(b"{%s:1}" % text),
    "traits": lambda text: with_value(b'{"a":[1,%s]}' % text, b"traits", b"identify"),
    "context": lambda text: with_value(b'{"a":%s}' % text, b"context"),
    "personas": lambda text: with_value(b'{"personas":{"computation_key":%s}}' % text, b"context"),
    "integrations": lambda text: with_value(b'{"All":%s}' % text, b"integrations"),
    "a field nobody reads": lambda text: with_value(text, b"version"),
    "a group": lambda text: with_value(text, b"traits", b"group"),
}


@pytest.mark.parametrize("text", NOT_JSON.values(), ids=NOT_JSON.keys())
@pytest.mark.parametrize("place", ANYWHERE.values(), ids=ANYWHERE.keys())
def test_not_json_anywhere(place: Callable[[bytes], bytes], text: bytes) -> None:
    """What JSON does not allow is found also where the text is passed on unread, or not used at all."""
    made = decoded(place(text))

    assert isinstance(made, Rejected)
    assert (DeadLetterReason.UNDECODABLE, "undecodable") == (made.reason, made.type)
    assert made.detail.startswith("not JSON: ")


@pytest.mark.parametrize("text", NOT_UTF8.values(), ids=NOT_UTF8.keys())
@pytest.mark.parametrize("place", ANYWHERE.values(), ids=ANYWHERE.keys())
def test_not_utf8_anywhere(place: Callable[[bytes], bytes], text: bytes) -> None:
    """So are bytes that are not UTF-8, with the place of the first."""
    value = place(text)
    made = decoded(value)

    assert isinstance(made, Rejected)
    assert (DeadLetterReason.UNDECODABLE, "undecodable") == (made.reason, made.type)
    assert made.detail.startswith("not UTF-8: ")
    assert made.detail.endswith(f"at byte {value.index(text) + 1}")


@pytest.mark.parametrize("open_and_close", [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("place", ANYWHERE.values(), ids=ANYWHERE.keys())
def test_depth_anywhere(place: Callable[[bytes], bytes], open_and_close: tuple[bytes, bytes]) -> None:
    """10,000 levels, wherever they stand, end as one reason and not as an overflow of the stack."""
    open_, close = open_and_close
    made = decoded(place(open_ * 10_000 + b"0" + close * 10_000))

    assert isinstance(made, Rejected)
    assert (DeadLetterReason.UNDECODABLE, "nested deeper than 100 levels") == (made.reason, made.detail)


@pytest.mark.parametrize("levels", [80, 90, 95, 96, 97, 98, 99, 100, 500, 900, *range(980, 1005)])
@pytest.mark.parametrize("field", ["traits", "context"])
def test_no_depth_is_read_once_and_fails_later(field: str, levels: int) -> None:
    """What Engage sends is looked into again, further down the stack: no depth passes once and then raises."""
    fields = {
        "context": b'{"personas":{"computation_class":"audience","computation_key":"k"}}',
        "traits": b'{"k":"true"}',
    }
    fields[field] = fields[field][:-1] + b',"deep":%s%s}' % (b"[" * levels, b"]" * levels)
    value = b'{"type":"identify","userId":"u1","traits":%s,"context":%s}' % (fields["traits"], fields["context"])

    assert ("sent" if levels <= 98 else "dead letter: undecodable") == end(value)


# --- numbers


@pytest.mark.parametrize(
    "number",
    [b"1e400", b"-1e400", b"1" * 30, b"-" + b"9" * 30, b"7" * 5000, b"0.1" + b"0" * 5000, b"1E+2", b"-0", b"-0.0"],
)
@pytest.mark.parametrize(("type_", "field"), [(b"track", b"properties"), (b"identify", b"traits")])
def test_numbers_pass_as_they_are_written(type_: bytes, field: bytes, number: bytes) -> None:
    """No number of a payload is ever read, so none loses a digit: 30 digits, 5,000, or more than a float can hold."""
    payload = b'{"a":%s}' % number

    assert payload == event(with_value(payload, field, type_)).payload


@pytest.mark.parametrize(
    ("number", "ends"),
    [
        (b"1" * 30, "sent"),
        (b"9" * 512, "sent"),
        (b"9" * 513, "dead letter: invalid_event"),
        (b"9" * 4300, "dead letter: invalid_event"),
        (b"9" * 5000, "dead letter: invalid_event"),
        (b"-" + b"9" * 5000, "dead letter: invalid_event"),
        (b"1e400", "dead letter: invalid_event"),
        (b"1e3", "dead letter: invalid_event"),
    ],
)
def test_numbers_as_a_user_id(number: bytes, ends: str) -> None:
    """A whole number is an id as long as its digits fit; others are not turned into one."""
    value = b'{"type":"track","event":"e","userId":%s}' % number

    assert ends == end(value)
    assert ends != "sent" or event(value).user == User(number.decode())


@pytest.mark.parametrize("digits", [10, 11, 12, 16, 30, 308, 309, 310, 400, 4000, 4300])
@pytest.mark.parametrize("field", [b"timestamp", b"receivedAt", b"messageId"])
def test_numbers_as_a_time_or_message_id(field: bytes, digits: int) -> None:
    """However many digits: the event is sent, with the next best time where the number is none."""
    assert "sent" == end(with_value(b"9" * digits, field))


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"9" * 5000, b'{"a":1e400}', b"[1e400]"])
@pytest.mark.parametrize(
    "place", [b"timestamp", b"sentAt", b"messageId", b"anonymousId", b"integrations", b"context", b"version"]
)
def test_numbers_out_of_range(place: bytes, number: bytes) -> None:
    """In a field that is only looked at, a number beyond what Python reads is as a value of a wrong type: no matter."""
    made = event(with_value(number, place))

    assert (RECORD_TIME, "segment-events-3-42") == (made.timestamp, made.insert_id)


@pytest.mark.parametrize("number", [b"1e400", b"9" * 5000])
@pytest.mark.parametrize(("type_", "place"), [(b"track", b"event"), (b"page", b"name"), (b"track", b"properties")])
def test_numbers_out_of_range_where_something_else_is_needed(type_: bytes, place: bytes, number: bytes) -> None:
    """A field that the event can't do without costs it, as any other wrong type does."""
    assert "dead letter: invalid_event" == end(with_value(number, place, type_))


@pytest.mark.parametrize("number", [b"1e400", b"9" * 5000])
def test_choices_beside_a_number_out_of_range(number: bytes) -> None:
    """What is chosen for this destination counts, whatever stands beside it; a number as a choice is no `false`."""
    beside = b'{"Other":{"x":%s},"CustomFit.ai":false}' % number
    chosen = b'{"All":false,"CustomFit.ai":%s}' % number

    assert "skipped: integrations" == end(with_value(beside, b"integrations"))
    assert "sent" == end(with_value(chosen, b"integrations"))


@pytest.mark.parametrize("number", [b"1e400", b"9" * 5000])
def test_engage_beside_a_number_out_of_range(number: bytes) -> None:
    """An event of Engage stays one: its All: false is not meant for us."""
    personas = b'{"personas":{"computation_class":"audience","computation_key":%s,"n":%s}}' % (number, number)
    value = with_value(personas, b"context")[:-1] + b',"integrations":{"All":false}}'

    assert "sent" == end(value)


@pytest.mark.parametrize("timestamp_ms", [-(2**63), -1, 0, 1_795_428_000_000_000, 2**63 - 1])
def test_the_record_s_own_time(timestamp_ms: int) -> None:
    """A producer may write any 64-bit number as its record's time; it is no reason to fail."""
    made = decode(record(segment(), timestamp_ms=timestamp_ms), FORWARD_ALL)

    assert isinstance(made, Event)
    assert made.timestamp in ("1970-01-01 00:00:00.000Z", "9999-12-31 23:59:59.999Z")


# --- text


@pytest.mark.parametrize(
    "id_", ["\x00", "a\x00b", "\x1b[2J", "\r\n", "\x7f", "\u202e", "\ufeff", "\u2028", "'; --", "\U0010ffff"]
)
def test_any_text_is_an_id(id_: str) -> None:
    """NUL, control characters and the like are characters: such an id is sent as it is, as JSON."""
    made = event(segment(userId=id_, messageId=id_, event=id_))

    assert (id_, id_, id_) == (made.user.id, made.insert_id, made.name)
    sent = json.loads(body(made))
    assert id_ == sent["user"]["user_customer_id"]
    assert (id_, id_) == (sent["events"][0]["event_customer_id"], sent["events"][0]["insert_id"])


def test_duplicate_keys() -> None:
    """The last one counts, as in every common parser; inside a payload both are passed on."""
    made = event(
        b'{"type":"page","type":"track","userId":5,"userId":"u2","event":"e","properties":1,"properties":{"a":1,"a":2}}'
    )

    assert (Kind.TRACK, User("u2"), b'{"a":1,"a":2}') == (made.kind, made.user, made.payload)


def test_a_payload_of_very_many_keys() -> None:
    """100,000 keys are fine, in a payload and around it, as long as the record is within its limit."""
    keys = b",".join(b'"%d":1' % number for number in range(90_000))
    payload = b"{%s}" % keys

    assert payload == event(b'{"type":"track","userId":"u1","event":"e","properties":%s}' % payload).payload
    assert "sent" == end(b'{"type":"track","userId":"u1","event":"e",%s}' % keys)
    assert "sent" == end(b'{"type":"track","userId":"u1","event":"e","integrations":%s}' % payload)


def test_a_huge_audience() -> None:
    """Membership is made a boolean also among very many traits."""
    keys = b",".join(b'"%d":1' % number for number in range(80_000))
    personas = b'{"personas":{"computation_class":"audience","computation_key":"k"}}'
    made = event(b'{"type":"identify","userId":"u1","traits":{%s,"k":"true"},"context":%s}' % (keys, personas))

    assert b'{%s,"k":true}' % keys == made.payload


@pytest.mark.parametrize("value", [b"x" * 1000, segment(type="x" * 5000, userId={}), segment(type=["x" * 5000])])
def test_details_are_short(value: bytes) -> None:
    """The detail goes into a Kafka header and a log line: at most 200 characters and a few words."""
    made = decoded(value)

    assert not isinstance(made, Rejected) or len(made.detail) <= 220
