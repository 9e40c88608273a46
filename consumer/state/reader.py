"""Reads the state topic: all of a partition for a new store, only its tail for a store that followed it before.

The consumer joins no group. The state's thread reads in slices, so that look-ups and writes go on meanwhile. First it
asks where each partition ends (ends.py); a partition of which the store has everything is not fetched at all.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumer.kafka.client import is_fatal, reader_config
from consumer.state.ends import Asked, Ends
from consumer.state.pause_record import is_pause_key
from consumer.state.records import StateKey, UnknownStateRecord, decode_record

if TYPE_CHECKING:
    from consumer.settings import Settings

SLICE_RECORDS_MAX: Final = 2000
SILENCE_SECONDS: Final = 5.0
"""A partition that gives neither records nor its end for this long counts as one that can't be read."""

OUT_OF_RANGE: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})


@dataclass(slots=True)
class Slice:
    """What was read of one partition."""

    changes: dict[StateKey, int | None] = field(default_factory=dict)
    """What the last record on each user says: when identified, in milliseconds since the epoch; None: forgotten."""
    next_offset: int = 0
    """The offset after the last that was read."""
    records: int = 0
    unknown: str | None = None
    """Why some of the records were skipped, if any were."""
    at_end: bool = False
    out_of_range: bool = False
    """The topic does not hold the offset that was asked for."""


@dataclass(slots=True)
class Reading:
    """A partition that is being read to its end."""

    asked: Asked
    """The question for its end."""
    offset: int | None
    """Where to begin; None: at the beginning of the topic."""
    heard_at: float
    """When something of it was last read, or the reading began, in monotonic seconds."""
    end: int | None = None
    """Where the partition ends; None: not known yet."""
    error: KafkaError | None = None
    """Why the end is not known yet."""
    is_fetched: bool = False


class StateReader:
    """Reads any number of partitions of the state topic, each to its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: Consumer | None = None
        self._ends = Ends(settings, self._on_error)
        self.reading: dict[int, Reading] = {}
        self._unassign: list[TopicPartition] = []
        self._error: KafkaError | None = None
        """A client's last error of its connections, since something was last read."""

    def start(self, partition: int, offset: int | None, now: float) -> None:
        """Read a partition from the offset on; None: from its beginning. `now`: monotonic seconds."""
        self.reading[partition] = Reading(self._ends.ask(partition), offset, now)

    def stop(self, partition: int) -> None:
        """Read no more of the partition."""
        if (reading := self.reading.pop(partition, None)) is None:
            return
        if reading.end is None:
            self._ends.forget(reading.asked)
        if reading.is_fetched:
            self._unassign.append(TopicPartition(self._settings.state_topic, partition))

    def read(self, now: float) -> tuple[dict[int, Slice], dict[int, KafkaError]]:
        """The next records of each partition, without waiting, and why other partitions have none for long.

        The client keeps trying those others.
        """
        slices: dict[int, Slice] = {}
        self._take_ends(slices)
        problems = self._fetch(slices)
        if slices:
            self._error = None
        for number, reading in self.reading.items():
            if number in slices:
                reading.heard_at = now
            elif now - reading.heard_at >= SILENCE_SECONDS:
                problems.setdefault(number, reading.error or self._error or KafkaError(KafkaError._TIMED_OUT))
        return slices, {number: error for number, error in problems.items() if number not in slices}

    def _take_ends(self, slices: dict[int, Slice]) -> None:
        fetch: list[TopicPartition] = []
        for asked, end, error in self._ends.answers():
            number = asked.partition
            reading = self.reading.get(number)
            if reading is None or reading.asked != asked:  # the partition left, and perhaps came back
                continue
            reading.end, reading.error = end, error
            if end is None:
                continue
            if reading.offset is not None and reading.offset > end:
                slices[number] = Slice(out_of_range=True)
            elif (reading.offset or 0) >= end:
                slices[number] = Slice(next_offset=end, at_end=True)
            else:
                reading.is_fetched = True
                start = OFFSET_BEGINNING if reading.offset is None else reading.offset
                fetch.append(TopicPartition(self._settings.state_topic, number, start))
        if self._unassign and self._consumer is not None:
            self._consumer.incremental_unassign(self._unassign)
        self._unassign = []
        if fetch:
            self._opened().incremental_assign(fetch)

    def _opened(self) -> Consumer:
        if self._consumer is None:
            # From leaders: a replica nearby may not have a deletion yet that is acknowledged.
            config = {**reader_config(self._settings), "client.rack": "", "error_cb": self._on_error}
            self._consumer = Consumer(config, logger=logging.getLogger("librdkafka"))
        return self._consumer

    def _fetch(self, slices: dict[int, Slice]) -> dict[int, KafkaError]:
        problems: dict[int, KafkaError] = {}
        for message in self._consumer.consume(SLICE_RECORDS_MAX, 0) if self._consumer is not None else ():
            number = message.partition()
            error = message.error()
            if error is not None and is_fatal(error):
                raise KafkaException(error)
            reading = self.reading.get(number) if number is not None else None
            if number is None or reading is None or reading.end is None:
                self._error = error or self._error
            elif error is None:
                part = slices.setdefault(number, Slice())
                take(part, message)
                part.at_end = part.next_offset >= reading.end
            elif error.code() == KafkaError._PARTITION_EOF:
                if (offset := message.offset() or 0) >= reading.end:  # compaction leaves gaps
                    part = slices.setdefault(number, Slice())
                    part.at_end, part.next_offset = True, offset
            elif error.code() in OUT_OF_RANGE:
                slices.setdefault(number, Slice()).out_of_range = True
            else:
                problems[number] = error
        return problems

    def _on_error(self, error: KafkaError) -> None:
        if is_fatal(error):
            raise KafkaException(error)
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # the error before it says why
            self._error = error

    def remaining(self, partition: int, next_offset: int) -> int | None:
        """How many offsets of a partition are still to be read; None: that is not known yet."""
        reading = self.reading.get(partition)
        return None if reading is None or reading.end is None else max(reading.end - next_offset, 0)

    def close(self) -> None:
        """Close the connections, when nothing is left to read."""
        self._ends.close()
        self._unassign.clear()
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
        self.reading.clear()


def take(part: Slice, message: Message) -> None:
    """Add a record to what was read."""
    part.records += 1
    part.next_offset = (message.offset() or 0) + 1
    try:
        key, identified = decode_record(message.key(), message.value())
    except UnknownStateRecord as error:
        if not is_pause_key(message.key()):  # pause_follower.py reads those
            part.unknown = str(error)
        return
    part.changes[key] = message.timestamp()[1] if identified else None
