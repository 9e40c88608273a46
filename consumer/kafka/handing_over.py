"""Hands the loop what one poll has brought: records and ends of partitions that are read, and errors in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from confluent_kafka import KafkaError, Message

from consumer.kafka.client import record_of
from consumer.kafka.translate import PartitionNames
from consumer.ports.inputs import Fetched, Post
from consumer.sequencing.events import Partition, Record


class HandingOver:
    """Posts `Fetched`, and counts what was handed over. `on_error` gets what is neither a record nor an end."""

    def __init__(self, post: Post, on_error: Callable[[Partition, KafkaError], None]) -> None:
        self.records = 0
        self.size_bytes = 0
        self._post = post
        self._on_error = on_error
        self._names = PartitionNames()

    def hand_over(self, messages: Iterable[Message], is_read: Callable[[Partition], bool], now: float) -> None:
        """Hand over what was fetched of partitions that are read. `now`: monotonic seconds.

        Of other partitions it is dropped: it is read again when the partition is resumed.
        """
        records: list[Record] = []
        ends: dict[Partition, int] = {}
        for message in messages:
            error = message.error()
            partition = self._names.of(message.topic() or "", message.partition() or 0)
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                self._tell(records, ends)  # first: records that came before a denial must not seem to end it
                records, ends = [], {}
                self._on_error(partition, error)
            elif not is_read(partition):
                continue
            elif error is not None:
                ends[partition] = message.offset() or 0
            else:
                record = record_of(message, partition, now)
                self.size_bytes += record.size_bytes
                records.append(record)
        self._tell(records, ends)

    def _tell(self, records: list[Record], ends: dict[Partition, int]) -> None:
        if records or ends:
            self.records += len(records)
            self._post(Fetched(records, ends))
