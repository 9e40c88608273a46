"""Reading the state topic: whole for a new store, only its tail for one that was here before.

A consumer that joins no group. It is read in slices by the state thread, so that other partitions' look-ups go on.

Where a partition ends is asked for by ListOffsets, and not believed of a fetch: right after an election a leader's high
watermark may lie below records that are acknowledged, and a fetch shows that as the end. To the question for the end
such a leader answers OFFSET_NOT_AVAILABLE until it has caught up (KIP-207, Kafka 2.2).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumer.kafka.client import is_fatal, reader_config
from consumer.state.records import StateKey, UnknownStateRecord, decode_record

if TYPE_CHECKING:
    from consumer.settings import Settings

SLICE_RECORDS_MAX: Final = 2000
SLICE_SECONDS: Final = 0.02
"""How long a look-up of another partition may wait behind a slice that has nothing to read yet."""
SILENCE_SECONDS: Final = 5.0
"""Without a record or the end, a partition is not being read."""
FETCH_WAIT_MS: Final = 10
"""A broker answers a connection's requests one by one: so long a question for the end may wait behind a fetch."""
ASK_SECONDS: Final = 0.2
ASK_AGAIN_SECONDS: Final = 0.5

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
        self._heard_at: dict[int, float] = {}
        """When there was something to read, or the reading began."""
        self._fetched_to: dict[int, int] = {}
        """Where a fetch says that the topic ends."""
        self._ask_at: dict[int, float] = {}
        """When to ask again whether it does."""
        self._error: KafkaError | None = None
        """What the client said last of its connections, since there was something to read."""

    def start(self, partition: int, offset: int | None, now: float) -> None:
        """Read from the offset on, None: from the beginning."""
        if self._consumer is None:
            # From leaders: a follower nearby may say that the topic ends before a deletion that is acknowledged.
            config = {
                **reader_config(self._settings),
                "client.rack": "",
                "fetch.wait.max.ms": FETCH_WAIT_MS,
                "error_cb": self._on_error,
            }
            self._consumer = Consumer(config, logger=logging.getLogger("librdkafka"))
        self.reading.add(partition)
        self._heard_at[partition] = now
        start = OFFSET_BEGINNING if offset is None else offset
        self._consumer.incremental_assign([TopicPartition(self._settings.state_topic, partition, start)])

    def stop(self, partition: int) -> None:
        """Read no more of it."""
        if partition in self.reading and self._consumer is not None:
            self._forget(partition)
            self._consumer.incremental_unassign([TopicPartition(self._settings.state_topic, partition)])

    def _forget(self, partition: int) -> None:
        self.reading.discard(partition)
        self._heard_at.pop(partition, None)
        self._fetched_to.pop(partition, None)
        self._ask_at.pop(partition, None)

    def read(self, now: float) -> tuple[dict[int, Slice], dict[int, KafkaError]]:
        """The next records, and of which partitions there are none: an error that the client is working on."""
        assert self._consumer is not None, "nothing is being read"
        problems: dict[int, KafkaError] = {}
        slices: dict[int, Slice] = {}
        for message in self._consumer.consume(SLICE_RECORDS_MAX, SLICE_SECONDS):
            number = message.partition()
            error = message.error()
            if error is not None and is_fatal(error):
                raise KafkaException(error)
            if number not in self.reading:
                self._error = error or self._error
                continue
            if error is None:
                self._fetched_to.pop(number, None)
                _take(slices.setdefault(number, Slice()), message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._fetched_to[number] = message.offset() or 0
            elif error.code() in OUT_OF_RANGE:
                slices.setdefault(number, Slice()).out_of_range = True
            else:
                problems[number] = error
        for number, offset in self._fetched_to.items():
            if self._is_end(number, offset, now):
                part = slices.setdefault(number, Slice())
                part.at_end, part.next_offset = True, offset
        if slices:
            self._error = None
        self._heard_at.update(dict.fromkeys(slices, now))
        for number, heard_at in self._heard_at.items():
            if now - heard_at >= SILENCE_SECONDS:
                problems.setdefault(number, self._error or KafkaError(KafkaError._TIMED_OUT))
        return slices, {number: error for number, error in problems.items() if number not in slices}

    def _is_end(self, number: int, offset: int, now: float) -> bool:
        """Whether the topic ends where a fetch says so. A leader that knows answers in milliseconds."""
        assert self._consumer is not None, "nothing is being read"
        if now < self._ask_at.get(number, now):
            return False
        where = TopicPartition(self._settings.state_topic, number)
        try:
            bounds: tuple[int, int] | None = self._consumer.get_watermark_offsets(where, timeout=ASK_SECONDS)
        except KafkaException as error:
            bounds, self._error = None, error.args[0]
        if bounds is None:
            self._ask_at[number] = now + ASK_AGAIN_SECONDS
            return False
        return bounds[1] <= offset

    def _on_error(self, error: KafkaError) -> None:
        if is_fatal(error):
            raise KafkaException(error)
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # the one before it says why
            self._error = error

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
            for partition in list(self.reading):
                self._forget(partition)


def _take(part: Slice, message: Message) -> None:
    part.records += 1
    part.next_offset = (message.offset() or 0) + 1
    try:
        key, identified = decode_record(message.key(), message.value())
    except UnknownStateRecord as error:
        part.unknown = str(error)
        return
    part.changes[key] = message.timestamp()[1] if identified else None
