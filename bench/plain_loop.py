"""What one writes first: poll, map, POST with httpx, commit. Runs until it is stopped."""

from __future__ import annotations

import json
import sys

import httpx
from confluent_kafka import Consumer

from bench.segment_to_customfit import request

COMMIT_EVERY = 100


def main(bootstrap_servers: str, topic: str, group_id: str, url: str) -> None:
    """Deliver events one by one."""
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
        while True:
            message = consumer.poll(1.0)
            if message is None or message.error() is not None:
                continue
            event = json.loads(message.value() or b"{}")
            client.post(url, json=request([event])).raise_for_status()
            done += 1
            if done % COMMIT_EVERY == 0:
                consumer.commit(asynchronous=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4])
