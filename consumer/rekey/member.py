"""The consumer of the source, a member of the group of `rekey`. One thread owns it, that of the transactions.

Callbacks of a rebalance run inside poll, and no transaction is open then: each begins and ends between two polls. So
partitions are simply forgotten when they are taken away; what of them was read and not committed is read again by
their next owner.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumer.kafka.client import (
    PASSING_ERRORS,
    KafkaUnavailable,
    consumer_config,
    is_fatal,
    is_in_group,
    misconfigured,
    partition_failure,
    record_of,
)
from consumer.kafka.leaving import close, leave_group
from consumer.kafka.rights import Right, explained, fatal_refusal, group_right, is_denied
from consumer.kafka.translate import PartitionNames, partitions_of, resume_now, topic_partitions_of
from consumer.sequencing.events import Partition, Record

if TYPE_CHECKING:
    from consumer.settings import Settings

FETCH_RECORDS_MAX: Final = 1000
ASK_SECONDS: Final = 2.0
ASK_AGAIN_SECONDS: Final = 0.5
FETCH_BYTES: Final = (16_384, 1_048_576)
"""Of one partition at once, at least and at most: all of them must fit into the buffer together."""
EVENT_BYTES: Final = 600

log = logging.getLogger("consumer.rekey")


class Fetch(NamedTuple):
    """What a poll has brought."""

    records: list[Record]
    read_to: dict[Partition, int]
    """Logs that were read to their end."""


class Started(NamedTuple):
    """A partition that is read from now on."""

    offset: int
    metadata: str | None


class Member:
    """Joins when it is made."""

    def __init__(self, settings: Settings, partitions: int, gone: Callable[[Collection[Partition]], None]) -> None:
        """`settings`: with the group of `rekey`. `gone` hears of partitions that are no longer ours."""
        self.joined = False
        self.problem: str | None = None
        """What the client is working on, until it brings something."""
        self._settings = settings
        self._gone = gone
        self._names = PartitionNames()
        self._granted: set[Partition] = set()
        """Ours, and not read yet: their starts are to be asked for."""
        self._assigned: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._ask_at = 0.0
        config: dict[str, Any] = {
            "max.partition.fetch.bytes": _fetch_bytes(settings, partitions),
            **consumer_config(settings),
            "error_cb": self._on_error,
            "stats_cb": self._on_statistics,
        }
        try:
            self._consumer = Consumer(config, logger=logging.getLogger("librdkafka"))
        except KafkaException as error:
            raise misconfigured(settings, error) from None
        self._consumer.subscribe(
            [settings.kafka_topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def fetch(self, seconds: float) -> Fetch:
        """Give what has come, after `seconds` at most. Raises KafkaUnavailable, KafkaException."""
        found = Fetch([], {})
        first = self._consumer.poll(seconds)
        if first is None:
            return found
        now = time.monotonic()
        for message in (first, *self._consumer.consume(FETCH_RECORDS_MAX - 1, 0)):
            self._take(message, found, now)
        return found

    def start_granted(self, now: float) -> dict[Partition, Started]:
        """Have the client read what was granted, from where the group has committed it; asked for again until known."""
        if not self._granted or now < self._ask_at:
            return {}
        self._ask_at = now + ASK_AGAIN_SECONDS
        started: dict[Partition, Started] = {}
        try:
            for known in self._consumer.committed(topic_partitions_of(self._granted), timeout=ASK_SECONDS):
                if known.error is not None:
                    self._report(known.error)
                    continue
                partition, offset = self._names.of(known.topic, known.partition), known.offset
                if offset == OFFSET_INVALID:
                    offset, _ = self._consumer.get_watermark_offsets(known, timeout=ASK_SECONDS)
                started[partition] = Started(offset, known.metadata)
        except KafkaException as error:
            self._report(error.args[0])
        if not started:
            return {}
        try:
            self._consumer.incremental_assign([TopicPartition(*p, one.offset) for p, one in sorted(started.items())])
        except KafkaException as error:  # a rebalance has begun meanwhile
            self._report(error.args[0])
            return {}
        self._granted -= started.keys()
        self._assigned |= started.keys()
        return started

    def pause(self, partitions: Collection[Partition]) -> None:
        """Fetch nothing of these for a while."""
        some = {partition for partition in partitions if partition in self._assigned} - self._paused
        if some:
            self._consumer.pause(topic_partitions_of(some))
            self._paused |= some

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Fetch these again."""
        some = self._paused.intersection(partitions)
        if some:
            resume_now(self._consumer, some)
            self._paused -= some

    @property
    def paused(self) -> frozenset[Partition]:
        """Those of which nothing is fetched."""
        return frozenset(self._paused)

    def behind(self, partition: Partition, position: int) -> int:
        """How many offsets of it are not read, as the client knows from its last fetch."""
        try:
            _, high = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
        except KafkaException:
            return 0
        return max(high - position, 0)

    def group(self) -> object:
        """What a transaction needs to know of the group."""
        return self._consumer.consumer_group_metadata()

    def leave(self) -> None:
        """Give back all partitions, and leave the group."""
        leave_group(self._consumer, self._settings.kafka_properties, lambda: self.joined)
        close(self._consumer)

    # ------------------------------------------------------------------

    def _take(self, message: Message, found: Fetch, now: float) -> None:
        error = message.error()
        partition = self._names.of(message.topic() or "", message.partition() or 0)
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            if (failure := partition_failure(self._settings, partition, error)) is not None:
                raise KafkaUnavailable(f"{partition}: {failure.reason}; {failure.remedy}")
            self._report(error, partition.topic)
        elif partition not in self._assigned:
            return
        elif error is not None:
            found.read_to[partition] = message.offset() or 0
        else:
            self.problem = None
            found.records.append(record_of(message, partition, now))

    def _report(self, error: KafkaError, topic: str = "") -> None:
        if is_fatal(error):
            denied = fatal_refusal(self._settings, error)
            raise KafkaUnavailable(denied or f"the Kafka client has ended: {error.str()}")
        if is_denied(error):
            right = Right("Read", "topic", topic) if topic else group_right(self._settings)
            self.problem = explained(self._settings, error, right)
            if not self.joined:
                raise KafkaUnavailable(self.problem)
        elif error.code() not in PASSING_ERRORS or error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.problem = error.str()

    def _on_error(self, error: KafkaError) -> None:
        if is_fatal(error):
            self._report(error)
        self.problem = error.str()

    def _on_statistics(self, statistics: str) -> None:
        self.joined = self.joined or is_in_group(statistics)

    # ------------------------------------------------------------------ rebalances: run inside poll

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.joined = True
        consumer.incremental_assign([])  # from where they start, when that is known
        self._granted |= {self._names.of(*partition) for partition in partitions_of(partitions)}
        self._ask_at = 0.0

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Also where they are lost."""
        given = partitions_of(partitions)
        ours = given & self._assigned
        self._granted -= given
        self._assigned -= given
        self._paused -= given
        self._gone(ours)
        consumer.incremental_unassign(topic_partitions_of(ours))


def _fetch_bytes(settings: Settings, partitions: int) -> int:
    """So much of a partition at once that all of them fit into the buffer, with room to spare."""
    bytes_max = min(settings.buffer_bytes_max, settings.buffer_events_max * EVENT_BYTES)
    low, high = FETCH_BYTES
    return max(low, min(high, bytes_max // (2 * max(partitions, 1))))
