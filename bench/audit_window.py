"""How long `audit` takes for a window: `python -m bench.audit_window [RECORDS] [--ledger]`.

A real broker, a topic that is committed to its end, and (with --ledger) a ledger that holds all but one event. One
process judges; the broker shares the machine with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.real_broker.broker import JVM_OPTIONS_IN_PRODUCTION, Broker

PARTITIONS: Final = 6
USERS: Final = 20_000
DROPPED: Final = 4242


def main() -> None:
    """Fill a topic, commit, judge."""
    numbers = [argument for argument in sys.argv[1:] if argument.isdigit()]
    records = int(numbers[0]) if numbers else 1_000_000
    with tempfile.TemporaryDirectory() as folder, Broker(jvm_options=JVM_OPTIONS_IN_PRODUCTION) as broker:
        for topic, partitions in (("events", PARTITIONS), ("events.customfit-dlq", PARTITIONS)):
            broker.create_topic(topic, partitions)
        _fill(broker, records)
        _commit(broker)
        ledger = Path(folder, "ledger.jsonl")
        options = ["--ledger", str(ledger)] if "--ledger" in sys.argv else []
        _write_ledger(ledger, records)
        settings = {
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "CUSTOMFIT_KAFKA_TOPIC": "events",
            "CUSTOMFIT_KAFKA_GROUP_ID": "group",
        }
        command = [sys.executable, "-m", "consumer", "audit", "--from", "-1d", "--to", "now", *options]
        started = time.monotonic()
        process = subprocess.Popen(command, env={**os.environ, **settings})
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - started
    cpu_seconds = used.ru_utime + used.ru_stime
    print(f"{records} records in {seconds:.1f} s ({cpu_seconds:.1f} s of CPU), exit code {process.returncode}")
    print(f"at most {used.ru_maxrss // 1024} MiB of memory")


def _fill(broker: Broker, records: int) -> None:
    producer = Producer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "queue.buffering.max.messages": 200_000,
            "linger.ms": 50,
        }
    )
    for number in range(records):
        event = {
            "type": "track",
            "userId": f"user-{number % USERS}",
            "messageId": f"message-{number:012}",
            "event": "Order Completed",
            "timestamp": "2026-11-23T10:00:00.123Z",
            "properties": {"total": 27.5, "currency": "USD", "order": number, "products": [1, 2, 3]},
            "context": {"library": {"name": "analytics.js", "version": "2.11.1"}},
        }
        while True:
            try:
                producer.produce("events", json.dumps(event).encode(), partition=number % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(120) == 0


def _commit(broker: Broker) -> None:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "group"})
    ends = [consumer.get_watermark_offsets(TopicPartition("events", number))[1] for number in range(PARTITIONS)]
    consumer.commit(
        offsets=[TopicPartition("events", number, end) for number, end in enumerate(ends)], asynchronous=False
    )
    consumer.close()


def _write_ledger(ledger: Path, records: int) -> None:
    with ledger.open("w", encoding="utf-8") as lines:
        for number in range(0, records, 2):
            ids = [f"message-{one:012}" for one in (number, number + 1) if one != DROPPED]
            lines.write(json.dumps({"sequence": number // 2 + 1, "accepted_at": 0.0, "insert_ids": ids}) + "\n")


if __name__ == "__main__":
    main()
