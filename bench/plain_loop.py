"""What one writes first: poll, map, POST with httpx, commit. The yardstick of `make bench`."""

from __future__ import annotations

import json
import sys

import httpx
from confluent_kafka import Consumer


def main(bootstrap_servers: str, topic: str, group_id: str, url: str, events_max: int) -> None:
    """Deliver `events_max` events one by one and end."""
    properties = {
        "bootstrap.servers": bootstrap_servers,
        "group.id": group_id,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    consumer = Consumer(properties)
    consumer.subscribe([topic])
    done = 0
    with httpx.Client(headers={"Authorization": "Bearer benchmark-key"}) as client:
        while done < events_max:
            message = consumer.poll(1.0)
            if message is None or message.error() is not None:
                continue
            event = json.loads(message.value() or b"{}")
            user: dict[str, object] = {"user_customer_id": event["userId"], "anonymous": False}
            fields = {"insert_id": event["messageId"], "event_timestamp": "2026-11-23 10:00:00.000Z"}
            if event["type"] == "identify":
                user["properties"] = event.get("traits", {})
                sent = {"event_type": "identify", **fields}
            elif event["type"] == "track":
                properties = event.get("properties", {})
                sent = {"event_type": "track", "event_customer_id": event["event"], "properties": properties, **fields}
            else:
                properties = event.get("properties", {})
                sent = {"event_type": f"{event['type']}view", "properties": properties, **fields}
            client.post(url, json={"user": user, "events": [sent]}).raise_for_status()
            done += 1
            if done % 100 == 0:
                consumer.commit(asynchronous=True)
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
