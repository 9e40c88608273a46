"""Avro records as others write them: by Confluent's serializer, or as single objects behind their fingerprint."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import fastavro
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from consumer.avro import event_schema, fingerprint
from consumer.avro_schemas import schema_folder
from tests.kafka.registry import Registry

OURS: Final = (schema_folder() / "segment_event.avsc").read_text()


def single_object(event: dict[str, Any]) -> bytes:
    """Behind its fingerprint."""
    target = io.BytesIO(b"\xc3\x01" + fingerprint(json.loads(OURS)))
    target.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(target, event_schema(), event)
    return target.getvalue()


@contextmanager
def client_of(registry: Registry) -> Iterator[SchemaRegistryClient]:
    """Confluent's own client."""
    with closing(SchemaRegistryClient({"url": registry.url})) as client:
        yield client


def serializer(
    client: SchemaRegistryClient, topic: str, schema: str, convert: Any = None
) -> Callable[[Any], bytes | None]:
    """Confluent's own, which registers the schema."""
    to_bytes = AvroSerializer(client, schema, convert and (lambda event, _context: convert(event)))

    def serialize(event: Any) -> bytes | None:
        made: bytes | None = to_bytes(event, SerializationContext(topic, MessageField.VALUE))
        return made

    return serialize
