"""How long a partition's state takes to be ready: from the state topic alone, and with the local store of before.

    python -m bench.restore [--users 1000000]

A real broker on this machine; the state thread of the service, alone. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import queue
import tempfile
import time
from pathlib import Path

from confluent_kafka import Producer

from consumer.ports.inputs import Input, StateOpened, ThreadEnded
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition, User
from consumer.sequencing.offsets import OffsetTracker
from consumer.settings import Settings, load_settings
from consumer.state.records import StateKey, encode_key, encode_value
from consumer.state.thread import UserStates
from consumer.state.topic import prepare_state_topic
from tests.real_broker.broker import JVM_OPTIONS_IN_PRODUCTION, Broker

TOPIC = "segment-events"
PATIENCE_SECONDS = 300.0


def main() -> None:
    """Measure twice: cold, then warm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000)
    users: int = parser.parse_args().users
    with Broker(jvm_options=JVM_OPTIONS_IN_PRODUCTION) as broker, tempfile.TemporaryDirectory() as folder:
        broker.create_topic(TOPIC, 1)
        settings = load_settings(
            {
                "CUSTOMFIT_API_KEY": "not-needed-here",
                "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
                "CUSTOMFIT_STATE_DIR": folder,
            }
        )
        prepare_state_topic(settings, 1)
        _fill(settings, users)
        cold_seconds, found = _open(settings)
        warm_seconds, again = _open(settings)
        assert users == found == again, (users, found, again)
        size_bytes = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    print(
        json.dumps(
            {
                "users": users,
                "cold_seconds": round(cold_seconds, 2),
                "warm_seconds": round(warm_seconds, 2),
                "store_megabytes": round(size_bytes / 1e6, 1),
            }
        )
    )


def _fill(settings: Settings, users: int) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers, "linger.ms": 50})
    for number in range(users):
        key = StateKey(settings.destination_name, User(f"user-{number:012d}"))
        while True:
            try:
                producer.produce(
                    settings.state_topic, encode_value(key, 1_700_000_000_000), encode_key(key), partition=0
                )
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(60) == 0


def _open(settings: Settings) -> tuple[float, int]:
    """Seconds until the partition is ready, and how many users it knows."""
    inputs: queue.SimpleQueue[Input] = queue.SimpleQueue()
    states = UserStates(settings, inputs.put)
    topic = prepare_state_topic(settings, 1)
    started = time.monotonic()
    states.start(topic)
    states.open(Assignment(Partition(TOPIC, 0), OffsetTracker(0)))
    while True:
        match inputs.get(timeout=PATIENCE_SECONDS):
            case StateOpened(_, users):
                seconds = time.monotonic() - started
                states.stop()
                return seconds, users
            case ThreadEnded(_, error) if error is not None:
                raise error


if __name__ == "__main__":
    main()
