"""In which format a record's value is. Pure.

Avro comes in three forms: with a schema id in front (Confluent's wire format: 0, four bytes), with the schema's id or
GUID in a header (newer clients), or as a single object (0xC3 0x01, the schema's fingerprint), which needs no registry.
None of them can be taken for JSON, so each record says by itself what it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from consumer.choices import ValueFormat
from consumer.sequencing.dead_letter_headers import holds_one_item
from consumer.sequencing.events import Record

SchemaRef = int | str | bytes
"""A schema's id or GUID in the registry, or the fingerprint of one that came with this program."""

SCHEMA_HEADER: Final = "__value_schema_id"
_ID_BYTES: Final = 4
_GUID_BYTES: Final = 16
_SINGLE_OBJECT: Final = b"\xc3\x01"
_FINGERPRINT_END: Final = 10


class Encoded(NamedTuple):
    """A value that needs a schema to be read."""

    schema: SchemaRef
    payload: bytes


class Malformed(NamedTuple):
    """A value in none of the formats."""

    detail: str


def wire_format(record: Record, accepted: ValueFormat) -> Encoded | Malformed | None:
    """What the value is; None: JSON, or nothing at all."""
    value = record.value
    if value is None or accepted == "json":
        return None
    if record.headers and value[:1] == b"{" and holds_one_item(record.headers):
        return None  # a dead letter of an item is JSON, even if the batch was Avro and its headers say so
    if record.headers and (schema := _schema_in(record.headers)) is not None:
        return schema if isinstance(schema, Malformed) else Encoded(schema, value)
    first = value[:1]
    if first == b"\x00" and len(value) > _ID_BYTES:
        return Encoded(int.from_bytes(value[1 : 1 + _ID_BYTES], "big"), value[1 + _ID_BYTES :])
    if first == b"\xc3" and value.startswith(_SINGLE_OBJECT) and len(value) >= _FINGERPRINT_END:
        return Encoded(value[2:_FINGERPRINT_END], value[_FINGERPRINT_END:])
    if accepted == "avro":
        return Malformed("not Avro: no schema id in front or in a header, and no fingerprint")
    return None


def shown(schema: SchemaRef) -> str:
    """A schema's name for people."""
    return schema.hex() if isinstance(schema, bytes) else str(schema)


def _guid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _schema_in(headers: Iterable[tuple[str, bytes | None]]) -> SchemaRef | Malformed | None:
    for name, value in headers:
        if name == SCHEMA_HEADER:
            magic, identifier = (value or b"")[:1], (value or b"")[1:]
            if magic == b"\x00" and len(identifier) == _ID_BYTES:
                return int.from_bytes(identifier, "big")
            if magic == b"\x01" and len(identifier) == _GUID_BYTES:
                return _guid(identifier.hex())
            return Malformed(f"its header {SCHEMA_HEADER} holds no schema id")
    return None
