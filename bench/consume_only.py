"""How fast the Kafka client hands over events when nothing is done with them; prints its figures as JSON at the end."""

from __future__ import annotations

import json
import resource
import sys
import time

from confluent_kafka import Consumer


def main(bootstrap_servers: str, topic: str, group_id: str, events_max: int) -> None:
    """Read `events_max` events, a thousand at a time."""
    properties = {
        "bootstrap.servers": bootstrap_servers,
        "group.id": group_id,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    consumer = Consumer(properties)
    consumer.subscribe([topic])
    first = consumer.consume(1, 30)
    started, usage, done = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF), len(first)
    while done < events_max:
        done += len(consumer.consume(1_000, 0.1))
    seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF)
    cpu_seconds = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
    peak_memory_mb = after.ru_maxrss * 1024 / 1e6
    figures = {"events": done, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_memory_mb": peak_memory_mb}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
