"""Avro: what a schema reads becomes the JSON text that Segment would have sent."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.avro import reader as avro
from consumer.avro.known_schemas import Unreadable
from consumer.avro.reader import DECIMAL_BYTES_MAX, avro_reader, event_schema, fingerprint, single_object_readers
from tests.avro.given_schema import OURS, record, text_of, written

# --- values


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        ("null", None, "null"),
        ("boolean", True, "true"),
        ("int", -(2**31), "-2147483648"),
        ("long", 2**63 - 1, "9223372036854775807"),
        ("double", 0.1, "0.1"),
        ("double", float("nan"), "null"),
        ("double", float("inf"), "null"),
        ("float", float("-inf"), "null"),
        ("string", 'é"\n', '"é\\"\\n"'),
        ("bytes", b"\xff\x00", '"/wA="'),
        ({"type": "fixed", "name": "F", "size": 2}, b"\xff\x00", '"/wA="'),
        ({"type": "enum", "name": "C", "symbols": ["RED", "BLUE"]}, "BLUE", '"BLUE"'),
        ({"type": "array", "items": "int"}, [3, 1, 2], "[3,1,2]"),
        ({"type": "map", "values": ["null", "int"]}, {"b": 1, "a": None}, '{"b":1,"a":null}'),
        (["null", "string"], None, "null"),
        (record(("z", "int"), ("a", "int"), name="Inner"), {"z": 1, "a": 2}, '{"z":1,"a":2}'),
        (
            {"type": "long", "logicalType": "timestamp-millis"},
            datetime(2026, 11, 23, 10, 0, 0, 123_000, UTC),
            '"2026-11-23T10:00:00.123000Z"',
        ),
        (
            {"type": "long", "logicalType": "timestamp-micros"},
            datetime(2026, 11, 23, 10, 0, 0, 123_456, UTC),
            '"2026-11-23T10:00:00.123456Z"',
        ),
        (
            {"type": "long", "logicalType": "local-timestamp-millis"},
            datetime(2026, 11, 23, 10),  # noqa: DTZ001  a local time has no zone
            '"2026-11-23T10:00:00"',
        ),
        (
            {"type": "long", "logicalType": "local-timestamp-micros"},
            datetime(2026, 11, 23, 10, 0, 0, 1),  # noqa: DTZ001  a local time has no zone
            '"2026-11-23T10:00:00.000001"',
        ),
        ({"type": "long", "logicalType": "time-micros"}, time(10, 0, 0, 1), '"10:00:00.000001"'),
        ({"type": "long", "logicalType": "timestamp-nanos"}, 1_795_428_000_123_456_789, "1795428000123456789"),
        ({"type": "int", "logicalType": "date"}, date(2026, 11, 23), '"2026-11-23"'),
        ({"type": "int", "logicalType": "time-millis"}, time(10, 0, 1), '"10:00:01"'),
        ({"type": "string", "logicalType": "uuid"}, UUID(int=7), '"00000000-0000-0000-0000-000000000007"'),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 40, "scale": 2},
            Decimal("12345678901234567890123456789.50"),
            "12345678901234567890123456789.50",
        ),
        (
            {"type": "fixed", "name": "D", "size": 8, "logicalType": "decimal", "precision": 10, "scale": 4},
            Decimal("-0.0001"),
            "-0.0001",
        ),
    ],
)
def test_values(type_: Any, value: Any, text: str) -> None:
    """Numbers exact, times as ISO 8601, bytes as base64, what JSON has no number for as null, order kept."""
    assert f'{{"v":{text}}}' == text_of(record(("v", type_)), {"v": value})


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**30), max_value=10**30))
def test_any_decimal_is_exact(number: Decimal) -> None:
    """To the last digit, also where no float could hold it."""
    schema = record(("v", {"type": "bytes", "logicalType": "decimal", "precision": 60, "scale": 6}))

    assert number == json.loads(text_of(schema, {"v": number}), parse_float=Decimal, parse_int=Decimal)["v"]


DECIMAL: Final = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}


def test_a_decimal_keeps_the_digits_that_its_precision_has_no_room_for() -> None:
    """A writer that does not keep to its own schema: the number is passed on as it was written."""
    read = avro_reader([record(("v", DECIMAL))])

    assert b'{"v":1234567.89}' == read(b"\x08" + (123456789).to_bytes(4, "big"))


def test_a_decimal_of_too_many_bytes_is_not_read() -> None:
    """To make a number of 200 KB takes seconds, in which nothing else happens."""
    read = avro_reader([record(("v", DECIMAL))])

    assert 1000 < len(read(b"\xc0\x06" + b"\x7f" * DECIMAL_BYTES_MAX)) < 1020
    with pytest.raises(Unreadable, match="a decimal of 200000 bytes"):
        read(b"\x80\xb5\x18" + b"\x7f" * 200_000)


# --- the event


def test_our_schema_takes_what_segment_sends() -> None:
    """Maps two levels deep, or the text of a JSON object for whatever nests deeper."""
    event = {
        "type": "track",
        "messageId": "m1",
        "userId": 2**40,
        "event": "Order Completed",
        "properties": {"total": 27.5, "paid": True, "items": [1, "two", {"three": None}], "shop": {"tags": ["a"]}},
        "context": '{"personas":{"computation_class":"audience","deep":[[[[1]]]]},"n":123456789012345678901}',
        "timestamp": datetime(2026, 11, 23, 10, 0, 0, 123_000, UTC),
    }
    made = json.loads(text_of(OURS, event))

    assert {name: value for name, value in made.items() if value is not None} == {
        **event,
        "context": {"personas": {"computation_class": "audience", "deep": [[[[1]]]]}, "n": 123456789012345678901},
        "timestamp": "2026-11-23T10:00:00.123000Z",
    }


def test_another_version_of_our_schema_is_resolved_against_it() -> None:
    """Fields it lacks have their defaults, those we do not know are left out, an int is promoted to a long."""
    old = {**OURS, "fields": [{"name": "type", "type": "string"}, {"name": "userId", "type": "int"}, *EXTRA]}
    made = json.loads(text_of(old, {"type": "track", "userId": 7, "mood": "good"}))

    assert ("track", 7, None, False) == (made["type"], made["userId"], made["properties"], "mood" in made)


EXTRA: Final = [{"name": "mood", "type": "string"}]


def test_a_published_version_of_our_schema_stays_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a single object, by its own fingerprint, while its file stands beside that of the successor."""
    older = {**OURS, "fields": [field for field in OURS["fields"] if field["name"] != "channel"]}
    (tmp_path / "segment_event_1.avsc").write_text(json.dumps(older))
    (tmp_path / "segment_event.avsc").write_text(json.dumps(OURS))
    monkeypatch.setattr(avro, "schema_folder", lambda: tmp_path)
    readers = single_object_readers()
    event = {"type": "track", "userId": "ann", "event": "E"}
    said = [json.loads(readers[fingerprint(schema)](written(schema, event))) for schema in (older, OURS)]

    assert 2 == len(readers)
    assert said[0] == said[1]
    assert event.items() <= said[0].items()


def test_any_other_schema_is_taken_by_its_fields_names() -> None:
    """As they are written, or in snake_case for those of the envelope."""
    schema = record(
        ("type", "string"),
        ("user_id", "string"),
        ("message_id", "string"),
        ("sent_at", "long"),
        ("properties", record(("unit_price", "double"), ("user_id", "string"), name="P")),
        name="com.acme.Event",
    )
    value = {
        "type": "track",
        "user_id": "u1",
        "message_id": "m1",
        "sent_at": 5,
        "properties": {"unit_price": 1.5, "user_id": "x"},
    }

    assert {
        "type": "track",
        "properties": {"unit_price": 1.5, "user_id": "x"},
        "messageId": "m1",
        "userId": "u1",
        "sentAt": 5,
    } == json.loads(text_of(schema, value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1.50}', '{"a": 1.50}'),
        ("[]", "[]"),
        ("null", "null"),
        ("", "null"),
        (" ", "null"),
        ("7", "7"),
        ("no JSON", '"no JSON"'),
        ('{"a":', '"{\\"a\\":"'),
        ("[" * 5000, '"' + "[" * 5000 + '"'),
        (r'{"a":"\ud83d", "b":1.50, "c":1e400}', r'{"a":"\ud83d", "b":1.50, "c":1e400}'),
        (r'{"a":"\ud83d", "b":NaN}', r'"{\"a\":\"\\ud83d\", \"b\":NaN}"'),
        (r'{"a":"\ud83d"', r'"{\"a\":\"\\ud83d\""'),
    ],
)
def test_text_that_is_json(text: str, value: str) -> None:
    """In the fields that hold objects it becomes what it says, digit by digit; other text stays text."""
    assert f'{{"traits":{value}}}' == text_of(record(("traits", "string")), {"traits": text})


def test_a_batch_may_be_avro_too() -> None:
    """Its items are treated as events are."""
    item = record(("type", "string"), ("user_id", "string"), ("traits", "string"), name="I")
    schema = record(("batch", {"type": "array", "items": item}))
    value = {"batch": [{"type": "identify", "user_id": "u1", "traits": '{"a":1}'}]}

    assert '{"batch":[{"type":"identify","traits":{"a":1},"userId":"u1"}]}' == text_of(schema, value)


def test_a_type_of_a_referenced_schema() -> None:
    """Schemas may be spread over several subjects of the registry."""
    inner = record(("plan", "string"), name="com.acme.Traits")
    outer = record(("type", "string"), ("traits", "com.acme.Traits"))
    both = record(("type", "string"), ("traits", inner))
    read = avro_reader([inner, outer])

    assert b'{"type":"identify","traits":{"plan":"pro"}}' == read(
        written(both, {"type": "identify", "traits": {"plan": "pro"}})
    )


# --- single objects


def test_the_fingerprint_is_that_of_the_specification() -> None:
    """CRC-64-AVRO of the canonical form, little-endian, computed here by the specification's own few lines."""
    empty = 0xC15D213AA4D7A795
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (empty & -(value & 1))
        table.append(value)
    crc = empty
    for byte in fastavro.schema.to_parsing_canonical_form(OURS).encode():
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]

    assert crc.to_bytes(8, "little") == fingerprint(OURS)
    assert fingerprint(OURS) in single_object_readers()
    assert event_schema()["name"] == f"{OURS['namespace']}.{OURS['name']}"


# --- what its schema does not read


@pytest.mark.parametrize("cut", [b"", b"\x02", b"\x80" * 20, b"\xff" * 8])
def test_payloads_that_do_not_fit(cut: bytes) -> None:
    """Cut short, or no such lengths: an answer in words, whatever fastavro raises."""
    schema = record(("a", "string"), ("b", {"type": "array", "items": "long"}), ("c", ["null", "string"]))

    with pytest.raises(Unreadable, match="its Avro schema does not read it"):
        avro_reader([schema])(cut)


@pytest.mark.parametrize(
    ("type_", "payload"),
    [
        ("string", b"\x04\xff\xfe"),
        (["null", "string"], b"\x08"),
        ({"type": "enum", "name": "C", "symbols": ["A"]}, b"\x08"),
    ],
)
def test_values_that_are_none(type_: Any, payload: bytes) -> None:
    """Not UTF-8, no such branch or symbol."""
    with pytest.raises(Unreadable):
        avro_reader([record(("v", type_))])(payload)


LONGS = ("timestamp-millis", "timestamp-micros", "local-timestamp-millis", "local-timestamp-micros", "time-micros")
LARGEST, LARGEST_PAYLOAD = 2**63 - 1, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"


@pytest.mark.parametrize(
    ("type_", "payload", "expected"),
    [
        *(({"type": "long", "logicalType": kind}, LARGEST_PAYLOAD, LARGEST) for kind in LONGS),
        ({"type": "int", "logicalType": "date"}, b"\xff\xff\xff\xff\x0f", -(2**31)),
        ({"type": "int", "logicalType": "time-millis"}, b"\xff\xff\xff\xff\x0f", -(2**31)),
        ({"type": "string", "logicalType": "uuid"}, b"\x02x", "x"),
    ],
)
def test_moments_that_are_none_stay_what_they_are(type_: Any, payload: bytes, expected: object) -> None:
    """A time beyond the year 9999 often means "never"; the event is not lost for it."""
    assert {"v": expected} == json.loads(avro_reader([record(("v", type_))])(payload))


def test_bytes_behind_the_event() -> None:
    """A schema that reads less than there is, is not the one it was written with."""
    schema = record(("a", "int"))

    with pytest.raises(Unreadable, match="2 bytes are left behind the event"):
        avro_reader([schema])(written(schema, {"a": 1}) + b"xx")


@settings(deadline=None)
@given(payload=st.binary(max_size=60))
def test_no_payload_raises_anything_else(payload: bytes) -> None:
    """Arbitrary bytes read with our own schema: JSON, or Unreadable."""
    try:
        text = single_object_readers()[fingerprint(OURS)](payload)
    except Unreadable:
        return
    assert isinstance(json.loads(text), dict)
