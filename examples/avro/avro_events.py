"""Produces events in Avro's single-object encoding, which needs no schema registry.

Each value says by a fingerprint which schema it has, and the consumer knows this one: schemas/segment_event.avsc.
"""

from __future__ import annotations

import io
import os
import sys
import uuid
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Producer
from fastavro.schema import fingerprint, load_schema, to_parsing_canonical_form

TOPIC = os.environ.get("KAFKA_TOPIC", "segment-events")
SCHEMA = load_schema(str(Path(__file__).parents[2] / "schemas" / "segment_event.avsc"))
HEAD = b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(SCHEMA), "CRC-64-AVRO"))


def single_object(event: dict[str, Any]) -> bytes:
    """The event's bytes; ValueError where it does not fit the schema. A field that is not given is null."""
    body = io.BytesIO()
    fastavro.schemaless_writer(body, SCHEMA, event, strict_allow_default=True)
    return HEAD + body.getvalue()


producer = Producer(
    {
        "bootstrap.servers": os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
    }
)
events: list[dict[str, Any]] = [
    {"type": "identify", "userId": "cem", "traits": {"plan": "pro", "seats": 3}},
    {"type": "track", "userId": "cem", "event": "Order Completed", "properties": {"items": ["a", "b"], "total": 27.5}},
]
for event in events:
    value = single_object({"messageId": str(uuid.uuid4()), **event})
    producer.produce(TOPIC, value, event["userId"].encode())
if left := producer.flush(10):
    sys.exit(f"{left} events were not taken")
print(f"sent {len(events)} events to {TOPIC}")
