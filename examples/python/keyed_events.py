"""Produces an identify and two tracks of each user, keyed by the user's id.

The key decides the partition, and Kafka keeps order within a partition only: so the key is what keeps the events of one
user in order.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

TOPIC = os.environ.get("KAFKA_TOPIC", "segment-events")
producer = Producer(
    {
        "bootstrap.servers": os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
        "enable.idempotence": True,  # a retry neither repeats an event nor overtakes another
        "partitioner": "murmur2_random",  # as Java's producers: all of a user's events meet in one partition
    }
)
failed: list[KafkaError] = []


def send(user_id: str, **event: Any) -> None:
    """Queue one event of this user. Kafka's answer comes later, in `producer.poll` or `flush`."""
    event |= {
        "userId": user_id,
        "messageId": str(uuid.uuid4()),  # becomes insert_id: by it CustomFit knows an event that it gets again
        "timestamp": datetime.now(UTC).isoformat(),
    }
    producer.produce(TOPIC, json.dumps(event).encode(), user_id.encode(), on_delivery=answered)
    producer.poll(0)


def answered(error: KafkaError | None, _message: Message) -> None:
    """Keep why an event did not arrive; your program may store it and send it later."""
    if error is not None:
        failed.append(error)


for user in ("ann", "bob"):
    send(user, type="identify", traits={"plan": "pro"})
    send(user, type="track", event="Signed Up")
    send(user, type="track", event="Order Completed", properties={"total": 27.5})
producer.flush()
if failed:
    sys.exit(f"{len(failed)} events were not taken: {failed[0]}")
print(f"sent 6 events to {TOPIC}")
