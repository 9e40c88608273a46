"""Finds how old a record is that was not fetched: of a partition that is stopped, restoring or paused for a while.

It has a consumer of its own, in no group, which reads records whatever became of their transaction. It reads a few a
second, and nobody waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from consumer.kafka.client import reader_config
from consumer.ports.inbox import run_edge
from consumer.ports.inputs import Post, RecordTimes
from consumer.sequencing.events import Partition

if TYPE_CHECKING:
    from consumer.settings import Settings

ROUND_SECONDS: Final = 0.5
AT_ONCE: Final = 16
"""How many partitions one round reads."""
READ_SECONDS: Final = 2.0


class Peek:
    """Posts `RecordTimes` of what is wanted."""

    def __init__(self, settings: Settings, post: Post) -> None:
        self.wanted: Mapping[Partition, int] = {}
        """Partition → the offset whose time is wanted. The loop sets another mapping each time, and changes none."""
        self._settings = settings
        self._post = post
        self._known: dict[Partition, int] = {}
        """The offsets whose time was posted last."""
        self._turn = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peek", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, without waiting for it."""
        self._stop.set()

    def _run(self) -> None:
        run_edge("peek", self._peek, self._post)

    def _peek(self) -> None:
        consumer: Consumer | None = None
        while not self._stop.wait(ROUND_SECONDS):
            missing = {p: offset for p, offset in self.wanted.items() if self._known.get(p) != offset}
            if not missing:
                continue
            consumer = consumer or self._consumer()
            found = self._read(consumer, dict(self._some_of(missing)))
            self._known |= {partition: missing[partition] for partition in found}
            if found:
                self._post(RecordTimes({p: (missing[p], timestamp_ms) for p, timestamp_ms in found.items()}))
        if consumer is not None:
            consumer.close()

    def _consumer(self) -> Consumer:
        config = reader_config(self._settings) | {
            "isolation.level": "read_uncommitted",
            "enable.partition.eof": False,
            "fetch.message.max.bytes": 16_384,  # a broker gives one batch in any case
            "queued.min.messages": 1,
        }
        return Consumer(config, logger=logging.getLogger("librdkafka"))

    def _some_of(self, missing: Mapping[Partition, int]) -> list[tuple[Partition, int]]:
        """A few of them, others in each round: one that can't be read must not hold up the rest."""
        in_order = sorted(missing.items())
        self._turn = (self._turn + AT_ONCE) % len(in_order) if len(in_order) > AT_ONCE else 0
        return (in_order[self._turn :] + in_order[: self._turn])[:AT_ONCE]

    def _read(self, consumer: Consumer, offsets: Mapping[Partition, int]) -> dict[Partition, int]:
        """Partition → the time of its first record at or above the offset, in milliseconds since the epoch."""
        found: dict[Partition, int] = {}
        try:
            consumer.assign([TopicPartition(p.topic, p.number, offset) for p, offset in offsets.items()])
            deadline = time.monotonic() + READ_SECONDS
            while len(found) < len(offsets) and time.monotonic() < deadline and not self._stop.is_set():
                for message in consumer.consume(AT_ONCE, 0.2):
                    if message.error() is None:
                        partition = Partition(message.topic() or "", message.partition() or 0)
                        found.setdefault(partition, message.timestamp()[1])
            consumer.unassign()
        except KafkaException:
            pass  # the next round asks again
        return {partition: timestamp_ms for partition, timestamp_ms in found.items() if partition in offsets}
