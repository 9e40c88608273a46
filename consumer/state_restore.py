"""Reading the state topic: whole for a new store, only its tail for one that was here before.

A consumer that joins no group. It is read in slices by the state thread, so that other partitions' look-ups go on.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumer.kafka_client import is_fatal, reader_config
from consumer.state_records import StateKey, UnknownStateRecord, decode_record

if TYPE_CHECKING:
    from consumer.settings import Settings

SLICE_RECORDS_MAX: Final = 2000
SLICE_SECONDS: Final = 0.02
"""How long a look-up of another partition may wait behind a slice that has nothing to read yet."""

OUT_OF_RANGE: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})


@dataclass(slots=True)
class Slice:
    """What was read of one partition."""

    changes: dict[StateKey, int | None] = field(default_factory=dict)
    """The last word on each user: when identified, in milliseconds; None: forgotten."""
    next_offset: int = 0
    records: int = 0
    unknown: str | None = None
    """Why some of the records were left out."""
    at_end: bool = False
    out_of_range: bool = False
    """The topic does not hold the offset that was asked for."""


class StateReader:
    """Reads any number of partitions of the state topic, each to its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: Consumer | None = None
        self.reading: set[int] = set()

    def start(self, partition: int, offset: int | None) -> None:
        """Read from the offset on, None: from the beginning."""
        if self._consumer is None:
            # From leaders: a follower nearby may say that the topic ends before a deletion that is acknowledged.
            config = {**reader_config(self._settings), "client.rack": ""}
            self._consumer = Consumer(config, logger=logging.getLogger("librdkafka"))
        self.reading.add(partition)
        start = OFFSET_BEGINNING if offset is None else offset
        self._consumer.incremental_assign([TopicPartition(self._settings.state_topic, partition, start)])

    def stop(self, partition: int) -> None:
        """Read no more of it."""
        if partition in self.reading and self._consumer is not None:
            self.reading.discard(partition)
            self._consumer.incremental_unassign([TopicPartition(self._settings.state_topic, partition)])

    def read(self) -> tuple[dict[int, Slice], KafkaError | None]:
        """The next records, and an error that the client is working on."""
        assert self._consumer is not None, "nothing is being read"
        trouble: KafkaError | None = None
        slices: dict[int, Slice] = {}
        for message in self._consumer.consume(SLICE_RECORDS_MAX, SLICE_SECONDS):
            number = message.partition()
            error = message.error()
            if error is not None and is_fatal(error):
                raise KafkaException(error)
            if number not in self.reading:
                trouble = error or trouble
                continue
            part = slices.setdefault(number, Slice())
            if error is None:
                _take(part, message)
            elif error.code() == KafkaError._PARTITION_EOF:
                part.at_end = True
                part.next_offset = message.offset() or 0
            elif error.code() in OUT_OF_RANGE:
                part.out_of_range = True
            else:
                trouble = error
        return {n: part for n, part in slices.items() if part.records or part.at_end or part.out_of_range}, trouble

    def remaining(self, partition: int, next_offset: int) -> int | None:
        """How many offsets are still to be read, as far as the client knows."""
        if self._consumer is None:
            return None
        where = TopicPartition(self._settings.state_topic, partition)
        _, end = self._consumer.get_watermark_offsets(where, cached=True)
        return max(end - next_offset, 0) if end >= 0 else None

    def close(self) -> None:
        """Give the connection up, when nothing is left to read."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
            self.reading.clear()


def _take(part: Slice, message: Message) -> None:
    part.records += 1
    part.next_offset = (message.offset() or 0) + 1
    try:
        key, identified = decode_record(message.key(), message.value())
    except UnknownStateRecord as error:
        part.unknown = str(error)
        return
    part.changes[key] = message.timestamp()[1] if identified else None
