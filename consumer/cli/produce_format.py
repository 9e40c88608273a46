"""`produce --format`: JSON events as Avro, in Confluent's wire format or as single objects with a fingerprint."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import fastavro
import msgspec

from consumer.avro.reader import event_schema
from consumer.avro.schemas import schema_text, single_object_header
from consumer.kafka.schema_registry import register_schema

if TYPE_CHECKING:
    from consumer.cli.formatted import Format
    from consumer.settings import Settings

Encode = Callable[[bytes], bytes | None]

_NESTING_FIELDS: Final = ("properties", "traits", "context", "integrations", "_metadata")
_TIMES: Final = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")
_MANY_DIGITS: Final = re.compile(rb"[0-9][0-9.]{15}")
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SCHEMA: Final = "segment_event"


def encoder(settings: Settings, format_: Format) -> Encode:
    """JSON text → the value of a record; None: it does not fit schemas/segment_event.avsc. That is mostly garbage.

    For `avro`, the schema is registered first: raises RegistryUnavailable.
    """
    if format_ == "single-object":
        head = single_object_header(event_schema())
    else:
        schema_id = register_schema(settings, f"{settings.kafka_topic}-value", schema_text(_SCHEMA))
        head = b"\0" + schema_id.to_bytes(4, "big")

    def encode(text: bytes) -> bytes | None:
        payload = _avro(text)
        return None if payload is None else head + payload

    return encode


def _avro(text: bytes) -> bytes | None:
    try:
        event = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    if any(isinstance(event.get(field), int | float) for field in _TIMES):
        return None  # seconds or milliseconds; the schema knows the latter only
    has_long_numbers = _MANY_DIGITS.search(text) is not None  # a map would make doubles of them
    written = None if has_long_numbers else _written(event)
    return written if written is not None else _written(event | _texts(event, text))


def _texts(event: dict[str, Any], text: bytes) -> dict[str, Any]:
    """Values that nest deeper than the schema's maps go as JSON text."""
    members = _members.decode(text)
    return {field: bytes(members[field]).decode() for field in _NESTING_FIELDS if isinstance(event.get(field), dict)}


def _written(event: dict[str, Any]) -> bytes | None:
    target = io.BytesIO()
    try:
        fastavro.schemaless_writer(target, event_schema(), event, strict_allow_default=True)
    except Exception:  # noqa: BLE001  fastavro raises whatever it stumbles over where a value does not fit
        return None
    return target.getvalue()
