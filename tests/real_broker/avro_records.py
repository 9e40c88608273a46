"""Avro records as others write them, by Confluent's serializer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from consumer.avro.schemas import schema_folder
from tests.real_broker.registry import Registry

OURS: Final = (schema_folder() / "segment_event.avsc").read_text()


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
