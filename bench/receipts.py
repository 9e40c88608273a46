"""What receipts cost: `python -m bench.receipts [ROUNDS]`. CPU seconds of a member that works off a backlog.

A real broker, a sink that answers at once, 100,000 events of 20,000 users. With receipts and without take turns, each
with a topic and a group of its own.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Final

from confluent_kafka import Producer

from bench.sink import Sink
from bench.workload import Workload
from tests.real_broker.broker import JVM_OPTIONS_IN_PRODUCTION, Broker, free_ports
from tests.real_broker.topics import Outside

PARTITIONS: Final = 6
EVENTS: Final = 100_000
USERS: Final = 20_000


def main() -> None:
    """Print each round, and the medians."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    costs: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as folder, Broker(jvm_options=JVM_OPTIONS_IN_PRODUCTION) as broker:
        for number in range(rounds):
            for is_on in (False, True) if number % 2 == 0 else (True, False):
                topic = f"events-{number}-{'on' if is_on else 'off'}"
                cpu_seconds, seconds = _drain(broker, topic, Path(folder, topic), is_on=is_on)
                costs[is_on].append(cpu_seconds / EVENTS * 1e6)
                print(f"{topic}: {cpu_seconds / EVENTS * 1e6:.1f} µs of CPU an event, {seconds:.1f} s", flush=True)
    off, on = (statistics.median(costs[is_on]) for is_on in (False, True))
    print(f"median without receipts {off:.1f}, with {on:.1f} µs of CPU an event: {on / off - 1:+.1%}")


def _drain(broker: Broker, topic: str, folder: Path, *, is_on: bool) -> tuple[float, float]:
    broker.create_topic(topic, PARTITIONS)
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "queue.buffering.max.messages": EVENTS + 1})
    for key, value in islice(Workload(events=EVENTS, users=USERS), EVENTS):
        producer.produce(topic, value, key, partition=int(key[1:]) % PARTITIONS)
    assert producer.flush(60) == 0
    [port] = free_ports(1)
    outside = Outside(broker.bootstrap_servers, topic, topic, PARTITIONS)
    with Sink(0.0, USERS) as sink:
        settings = {
            "CUSTOMFIT_API_KEY": "benchmark-key",
            "CUSTOMFIT_API_URL": sink.url,
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "CUSTOMFIT_KAFKA_TOPIC": topic,
            "CUSTOMFIT_KAFKA_GROUP_ID": topic,
            "CUSTOMFIT_STATE_DIR": str(folder),
            "CUSTOMFIT_HTTP_PORT": str(port),
        }
        if is_on:
            settings["CUSTOMFIT_RECEIPT_TOPIC"] = f"{topic}.receipts"
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "consumer", "run"],
            env={**os.environ, **settings},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not outside.all_committed():
            assert process.poll() is None
            time.sleep(0.2)
        seconds = time.monotonic() - started
        process.terminate()
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
    outside.close()
    return used.ru_utime + used.ru_stime, seconds


if __name__ == "__main__":
    main()
