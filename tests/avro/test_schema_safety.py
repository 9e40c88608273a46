"""Schemas that let a few bytes exhaust memory or CPU are not read with, and no payload may cost more than a limit."""

from __future__ import annotations

import contextlib
import json
from typing import Any, Final, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.avro.known_schemas import Unreadable
from consumer.avro.reader import avro_reader
from consumer.avro.schema_safety import COST_MAX, DEPTH_MAX, NAME_CHARACTERS_MAX, NODES_MAX, UnusableSchema, check
from tests.avro.given_schema import OURS, record, written

NULLS: Final = record(("n", "null"), ("b", "int"), name="N")
LONG_NAMES: Final = record(*((f"y{number}{'z' * 100}", ["null", "int"]) for number in range(50)), name="L")
RECURSIVE: Final = record(("next", ["null", "E"]))


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        pytest.param(RECURSIVE, "recursive", id="recursive"),
        pytest.param(record(("m", {"type": "map", "values": {"type": "array", "items": "E"}})), "recursive", id="deep"),
        pytest.param(
            record(("a", {**record(("b", "x.E"), name="F"), "namespace": "x"}), name="x.E"), "recursive", id="namespace"
        ),
        pytest.param({"type": "array", "items": "null"}, "take no bytes", id="nulls"),
        pytest.param({"type": "array", "items": record()}, "take no bytes", id="empty records"),
        pytest.param({"type": "array", "items": record(("n", "null"))}, "take no bytes", id="records of null"),
        pytest.param({"type": "array", "items": NULLS}, "take no bytes", id="a null beside what takes bytes"),
        pytest.param({"type": "map", "values": record(("n", "null"))}, "take no bytes", id="map"),
        pytest.param(
            {"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}, "take no bytes", id="fixed 0"
        ),
        pytest.param({"type": "array", "items": ["int", NULLS]}, "take no bytes", id="in a union's record"),
        pytest.param({"type": "array", "items": {"type": {"type": "null"}}}, "take no bytes", id="null in objects"),
        pytest.param(record(("a", "Missing")), "not there", id="unknown name"),
        pytest.param(record((("x" * (NAME_CHARACTERS_MAX + 1)), "int")), "a name longer", id="long field"),
        pytest.param({"type": "enum", "name": "C", "symbols": ["x" * 257]}, "a name longer", id="long symbol"),
        pytest.param(
            {"type": "bytes", "logicalType": "decimal", "precision": 10**9, "scale": 10**9}, "a decimal", id="digits"
        ),
        pytest.param(5, "not an Avro schema", id="number"),
        pytest.param(None, "not an Avro schema", id="null"),
        pytest.param({}, "not an Avro schema", id="empty object"),
        pytest.param({"type": "record", "name": "E"}, "not an Avro schema", id="no fields"),
        pytest.param({"type": "record", "name": 5, "fields": []}, "a name is missing", id="no name"),
        pytest.param({"type": "record", "name": "E", "fields": [5]}, "not an Avro schema", id="no field"),
        pytest.param({"type": "fixed", "name": "E", "size": -1}, "not an Avro schema", id="negative"),
        pytest.param(
            {"type": "array", "items": ["int", record(("n", "null"))]}, "take no bytes", id="in a union's nulls"
        ),
        pytest.param({"type": "map"}, "not an Avro schema", id="no values"),
        pytest.param({"type": "array", "items": LONG_NAMES}, "many long names", id="long names of empty fields"),
        pytest.param({"type": "map", "values": ["null", LONG_NAMES]}, "many long names", id="in a union"),
        pytest.param(
            {"type": "array", "items": {"type": "enum", "name": "C", "symbols": ["x" * 200]}},
            "many long names",
            id="long symbols",
        ),
    ],
)
def test_schemas_that_nothing_is_read_with(schema: Any, why: str) -> None:
    """Refused before a byte is read: they kill the interpreter, or make gigabytes of a few bytes."""
    with pytest.raises(UnusableSchema, match=why):
        avro_reader([schema])


def test_a_schema_nested_too_deeply() -> None:
    """Deeper than any event."""
    schema: Any = "int"
    for _ in range(DEPTH_MAX + 1):
        schema = {"type": "array", "items": schema}

    with pytest.raises(UnusableSchema, match="nested deeper"):
        avro_reader([schema])


def test_a_schema_that_grows_when_it_is_written_out() -> None:
    """Each record has the one before it twice: 30 of them would be a thousand million fields, of no bytes at all."""
    documents = [record(name="R0")] + [record(("a", f"R{n}"), ("b", f"R{n}"), name=f"R{n + 1}") for n in range(30)]

    with pytest.raises(UnusableSchema, match=f"more than {NODES_MAX} types"):
        avro_reader(documents)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "map", "values": "null"},
        {"type": "array", "items": ["null", "int"]},
        {"type": "array", "items": ["null", record()]},
        record(("a", "null"), ("b", record(name="Empty"))),
        record(("a", record(("x", "int"), name="T")), ("b", "T"), ("c", {"type": "array", "items": "T"})),
    ],
)
def test_schemas_that_are_safe(schema: Any) -> None:
    """Each item of them costs a byte; a named type may be used again."""
    avro_reader([schema])


schemas = st.recursive(
    st.sampled_from(["null", "boolean", "int", "long", "float", "double", "bytes", "string", "Nobody", "R"]),
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda values: {"type": "map", "values": values}, inner),
        st.lists(inner, max_size=3),
        st.builds(lambda types: record(*((f"f{n}", t) for n, t in enumerate(types)), name="R"), st.lists(inner)),
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(schema=schemas | st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists))
def test_no_schema_raises_anything_else(schema: Any) -> None:
    """Whatever it is: a reader, or UnusableSchema."""
    try:
        read = avro_reader([schema])
    except UnusableSchema:
        return
    with contextlib.suppress(Unreadable):
        json.loads(read(b"\x02\x02\x02"))


FLAGS: Final = {"type": "array", "items": record(("flag", "boolean"))}


@pytest.mark.parametrize(
    ("schema", "bytes_max"),
    [
        (FLAGS, COST_MAX // 8),
        ({"type": "array", "items": "boolean"}, COST_MAX),
        ({"type": "map", "values": "boolean"}, 2 * COST_MAX),
        ({"type": "array", "items": "double"}, 8 * COST_MAX),
        (record(("a", FLAGS), ("b", "string")), COST_MAX // 8),
        (OURS, COST_MAX // 2),
        (record(("a", "string")), 8 * COST_MAX),
        ({"type": "array", "items": ["null", record(("flag", "boolean"))]}, COST_MAX // 4),
        ({"type": "array", "items": {"type": "long", "logicalType": "timestamp-millis"}}, COST_MAX // 8),
    ],
)
def test_a_payload_is_limited_where_its_schema_makes_much_of_a_byte(schema: Any, bytes_max: int) -> None:
    """A value costs 1, a record 4 more, a time 8. Ours may fill a record of 1 MiB."""
    assert bytes_max == check([schema])


def test_a_logical_type_of_a_strange_shape_is_one_that_nobody_knows() -> None:
    """Avro has those ignored; it is no name that could be looked up."""
    assert b'{"v":1}' == avro_reader([record(("v", {"type": "long", "logicalType": []}))])(b"\x02")


def test_nullable_records_in_an_array_are_as_good_as_others() -> None:
    """A null takes a byte and has no names; a product has 24 names, and takes a byte for each of them."""
    product = record(*((f"a_longer_name_{number}", ["null", "string"]) for number in range(24)), name="Product")
    schema = record(("products", {"type": "array", "items": ["null", product]}))
    products = [None, {field["name"]: None for field in product["fields"]}] * 100

    assert {"products": products} == json.loads(avro_reader([schema])(written(schema, {"products": products})))


def test_a_payload_that_may_cost_too_much_is_not_read() -> None:
    """Nor is it looked into; one byte less is, and has as many records as that."""
    read = avro_reader(cast("list[object]", [FLAGS]))
    bytes_max = check([FLAGS])
    records = bytes_max - 5  # beside them the array has a count of four bytes, and an end
    payload = written(FLAGS, [{"flag": True}] * records)

    assert bytes_max - len(payload) in range(2)
    assert records == len(json.loads(read(payload)))
    with pytest.raises(Unreadable, match=f"{bytes_max + 1} bytes may be too many values; the limit .* {bytes_max}"):
        read(b"\0" * (bytes_max + 1))
