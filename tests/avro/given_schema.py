"""Schemas of the tests, and values written with them."""

from __future__ import annotations

import io
import json
from typing import Any, Final

import fastavro

from consumer.avro.reader import avro_reader
from consumer.avro.schemas import schema_folder

OURS: Final = json.loads((schema_folder() / "segment_event.avsc").read_text())


def record(*fields: tuple[str, Any], name: str = "E") -> dict[str, Any]:
    """A record schema with these fields."""
    return {"type": "record", "name": name, "fields": [{"name": field, "type": type_} for field, type_ in fields]}


def written(schema: Any, value: Any) -> bytes:
    """The value, without its schema."""
    target = io.BytesIO()
    fastavro.schemaless_writer(target, fastavro.parse_schema(schema), value)
    return target.getvalue()


def text_of(schema: Any, value: Any) -> str:
    """The JSON text that is made of a value written with this schema."""
    return avro_reader([schema])(written(schema, value)).decode()
