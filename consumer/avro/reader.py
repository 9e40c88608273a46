"""Avro → the JSON text of an event, from where on there is one rule for all formats.

The writer's schema comes with a record, so it is as hostile as the record can be: a recursive one kills the
interpreter from a payload of 5 KB (fastavro 1.13, SIGSEGV), an array of nulls makes ten million items of 5 bytes. Such
schemas are refused before anything is read with them. A decimal of 200 KB takes fastavro 4 s: decimals are read here.
What is left costs about as much as its payload is long, which is limited where the schema makes much of a byte.

Longs and decimals stay exact (a decimal becomes a number with its digits), times become ISO 8601, bytes become
base64, NaN and the infinities become null.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal
from typing import Any, Final, NoReturn, cast

import fastavro
import msgspec
from fastavro.read import LOGICAL_READERS

from consumer.avro.known_schemas import Read, Unreadable
from consumer.avro.schema_safety import UnusableSchema, check
from consumer.avro.schemas import avro_schema, schema_folder, single_object_header

EVENT_SCHEMAS: Final = "segment_event*.avsc"
"""The schemas of single-object records. One that was ever published stays beside its successors."""
_SEGMENT_NAMES: Final = {
    "message_id": "messageId",
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "original_timestamp": "originalTimestamp",
    "sent_at": "sentAt",
    "received_at": "receivedAt",
}
_JSON_FIELDS: Final = ("properties", "traits", "context", "integrations")
DECIMAL_BYTES_MAX: Final = 416
"""These hold 1,000 digits."""
_ALL_DIGITS: Final = Context(prec=3 * DECIMAL_BYTES_MAX)
_encode = msgspec.json.Encoder(decimal_format="number").encode
_json = msgspec.json.Decoder(msgspec.Raw)


def json_reader(payload: bytes) -> bytes:
    """Read what a JSON Schema serializer wrote: it is JSON already."""
    return payload


def avro_reader(documents: Sequence[object]) -> Read:
    """A reader for values written with the last of these schemas. It refers to those before it.

    A schema with the name of ours is resolved against ours (aliases, defaults, promotions). From any other schema,
    fields are taken by their names. Raises UnusableSchema.
    """
    check(documents)
    try:
        named: dict[str, Any] = {}
        parsed = [fastavro.parse_schema(cast("Any", document), named) for document in documents]
    except Exception as error:  # noqa: BLE001  many kinds, and the schema is foreign
        raise UnusableSchema(f"not an Avro schema: {_short(error)}") from None
    bytes_max = check(parsed)  # once more, with every name written out as fastavro understands it
    writer: Any = parsed[-1]
    ours = event_schema() if _is_another_version(writer) else None
    if ours is not None:
        bytes_max //= 2  # resolving takes twice as long

    def read(payload: bytes) -> bytes:
        if len(payload) > bytes_max:
            raise Unreadable(f"{len(payload)} bytes may be too many values; the limit with its schema is {bytes_max}")
        source = io.BytesIO(payload)
        try:
            value = fastavro.schemaless_reader(source, writer, ours)
            text = _encode(_as_segment_writes(value) if isinstance(value, dict) else value)
        except Exception as error:  # noqa: BLE001  fastavro raises what it stumbles over: EOFError, IndexError ...
            raise Unreadable(f"its Avro schema does not read it: {_short(error)}") from None
        if source.tell() != len(payload):
            raise Unreadable(f"{len(payload) - source.tell()} bytes are left behind the event")
        return text

    return read


def _is_another_version(writer: object) -> bool:
    """Whether it has to be resolved against ours. That takes twice as long as reading does."""
    ours = event_schema()
    return isinstance(writer, dict) and writer.get("name") == ours["name"] and fingerprint(writer) != fingerprint(ours)


def event_schema() -> dict[str, Any]:
    """schemas/segment_event.avsc, parsed."""
    parsed = avro_schema("segment_event")
    assert isinstance(parsed, dict)
    return parsed


def single_object_readers() -> Mapping[bytes, Read]:
    """By the fingerprint that stands in a record: CRC-64-AVRO of the schema's canonical form, little-endian."""
    documents = [msgspec.json.decode(file.read_bytes()) for file in sorted(schema_folder().glob(EVENT_SCHEMAS))]
    return {fingerprint(document): avro_reader([document]) for document in documents}


def fingerprint(document: Any) -> bytes:
    """Eight bytes, as they stand in a single-object record."""
    return single_object_header(document)[2:]


def _decimal(data: bytes, writer: Mapping[str, Any] | None = None, reader: Mapping[str, Any] | None = None) -> Decimal:
    """All of its digits, whereas fastavro rounds to the precision. fastavro calls it, and names the parameters."""
    if len(data) > DECIMAL_BYTES_MAX:
        raise ValueError(f"a decimal of {len(data)} bytes; the limit is {DECIMAL_BYTES_MAX}")
    scale = (reader or writer or {}).get("scale", 0)
    return Decimal(int.from_bytes(data, "big", signed=True)).scaleb(-scale, _ALL_DIGITS)


def _or_as_it_is(reader: Callable[..., Any]) -> Callable[..., Any]:
    """A number that is no such moment stays a number, as it would in JSON."""

    def read(data: Any, writer: Any = None, reader_schema: Any = None) -> Any:
        try:
            return reader(data, writer, reader_schema)
        except (ValueError, OverflowError):
            return data

    return read


del LOGICAL_READERS["string-uuid"]  # it is text already; a million that are no UUIDs took 4 s
LOGICAL_READERS.update({kind: _or_as_it_is(reader) for kind, reader in LOGICAL_READERS.items()})
LOGICAL_READERS["bytes-decimal"] = LOGICAL_READERS["fixed-decimal"] = _decimal


def _as_segment_writes(event: dict[str, Any]) -> dict[str, Any]:
    """With Segment's names for fields in snake_case, and objects for fields that hold an object's text."""
    for theirs, segments in _SEGMENT_NAMES.items():
        if theirs in event and event.get(segments) is None:
            event[segments] = event.pop(theirs)
    for field in _JSON_FIELDS:
        text = event.get(field)
        if isinstance(text, str):
            try:
                event[field] = _json.decode(text) if text.strip() else None
            except (msgspec.DecodeError, RecursionError):
                if _is_json_with_halves(text):
                    event[field] = msgspec.Raw(text)  # decoding knows what to do with it
                # otherwise it is not an object, and decoding says so
    items = event.get("batch")
    if isinstance(items, list):
        event["batch"] = [_as_segment_writes(item) if isinstance(item, dict) else item for item in items]
    return event


def _is_json_with_halves(text: str) -> bool:
    """Whether it is JSON except for halves of surrogate pairs, which Python's own parser accepts."""
    if "\\u" not in text:
        return False
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return False
    return True


def _no_json(constant: str) -> NoReturn:
    raise ValueError(constant)


def _short(error: Exception) -> str:
    return f"{type(error).__name__} {error}"[:200]
