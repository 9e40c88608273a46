"""Produces without end, in a process of its own, and journals what Kafka acknowledged: one JSON array a line.

[number, partition, offset, checksum of the value]; the line is written before anything more is produced.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import zlib
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tests.chaos.records import HEADER, Generator, Made

STEP_SECONDS: Final = 0.02
FLUSH_SECONDS_MAX: Final = 60.0
GROWN_SECONDS: Final = 5.0
"""After partitions were added: so long the client may not know of them."""
WAITING_MAX: Final = 20_000
"""While the broker is away: nothing more is produced above this."""


STALL_SECONDS: Final = 45.0
"""An idempotent producer of librdkafka 2.16.1 was seen to write nothing more for the last 3 of 30 minutes: with nothing
acknowledged for so long, longer than any outage of the schedule, a new one takes over."""
GIVEN_UP: Final = (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)
"""Of the one that stalled: whether they were written is for the topic to say."""


class Journal:
    """What was acknowledged."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self.failures = 0
        self.answered_at = time.monotonic()

    def acknowledged(self, made: Made, error: KafkaError | None, message: Message) -> None:
        """The broker has answered, or never will."""
        self.answered_at = time.monotonic()
        if error is not None and error.code() in GIVEN_UP:
            return
        if error is not None:
            self.failures += 1
            print(f"record {made.number} was not written: {error.str()}", file=sys.stderr, flush=True)
            return
        line = [made.number, message.partition(), message.offset(), zlib.crc32(made.value or b"")]
        self._file.write(f"{json.dumps(line)}\n")

    def flush(self) -> None:
        """Everything is in the file."""
        self._file.flush()


def main() -> int:
    """Produce until SIGTERM, then wait until all is acknowledged; 1 when it is not."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--users", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="Records a second.")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0, help="Records have numbers above this one.")
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--grown", type=Path, required=True, help="A file that says how many there are by now.")
    options = parser.parse_args()
    stopped = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.append(True))
    producer = _producer(options.bootstrap)
    generator = Generator(options.seed, options.users, options.partitions, options.first)
    journal = Journal(options.journal)
    started, produced = time.monotonic(), 0
    while not stopped:
        if options.grown.exists() and time.time() - options.grown.stat().st_mtime > GROWN_SECONDS:
            generator.partitions = int(options.grown.read_text())
        due = int((time.monotonic() - started) * options.rate)
        while produced < due and len(producer) < WAITING_MAX:
            _produce(producer, options.topic, generator.next(), journal)
            produced += 1
        # What could not be produced while the broker was away is left out, not caught up with.
        started += max(due - produced, 0) / options.rate
        producer.poll(STEP_SECONDS)
        journal.flush()
        if len(producer) and time.monotonic() - journal.answered_at > STALL_SECONDS:
            print(f"{len(producer)} records are not acknowledged: a new producer", file=sys.stderr, flush=True)
            producer.purge()
            producer.poll(1.0)
            producer, journal.answered_at = _producer(options.bootstrap), time.monotonic()
        elif not len(producer):
            journal.answered_at = time.monotonic()
    left = producer.flush(FLUSH_SECONDS_MAX)
    journal.flush()
    return 1 if left or journal.failures else 0


def _producer(bootstrap: str) -> Producer:
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "message.timeout.ms": 0,
            "linger.ms": 5,
            "topic.metadata.refresh.interval.ms": 1_000,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
        }
    )


def _produce(producer: Producer, topic: str, made: Made, journal: Journal) -> None:
    try:
        producer.produce(
            topic,
            made.value,
            made.user,
            made.partition,
            headers=[(HEADER, made.header)],
            on_delivery=lambda error, message: journal.acknowledged(made, error, message),
        )
    except KafkaException as error:
        if error.args[0].code() != KafkaError._UNKNOWN_PARTITION:  # a new one of which this client has not heard yet
            raise


if __name__ == "__main__":
    sys.exit(main())
