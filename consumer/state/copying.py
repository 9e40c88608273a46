"""Copies who is identified from another state topic into ours: reads both to their ends, then writes what is missing.

If the other state topic has as many partitions as our source topic, each user stays in the partition of the same
number. Otherwise a user goes where Java's producers put events whose key is the user's id. A wrong guess costs one
introduction.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from consumer.kafka.client import KafkaUnavailable, misconfigured, producer_config
from consumer.kafka.murmur2 import partition_of
from consumer.kafka.rights import Right, explained
from consumer.state.copied_topic_ids import TopicIdNoted, TopicIds, note
from consumer.state.copy_rule import Word, copied
from consumer.state.copy_words import Row, Said, Words
from consumer.state.pause_record import is_pause_key
from consumer.state.records import SOURCE_TOPIC, StateKey, UnknownStateRecord, decode_record, encode_key, encode_value

if TYPE_CHECKING:
    from consumer.kafka.reader import Bounds, TopicReader
    from consumer.settings import Settings

ROWS: Final = 5000
"""How many rows are put into the temporary file at once."""
OTHERS_MAX: Final = 10
"""How many other destinations are reported by name."""
POLL_SECONDS: Final = 0.1
LINGER_MS: Final = 30
POLL_RECORDS: Final = 1000


class Origin(NamedTuple):
    """A state topic, and what of it is read."""

    topic: str
    destination: str
    """Only records of users who are identified there are read."""
    side: int
    """SOURCE or TARGET."""
    events_topic: str
    """Whose earlier topics are looked for."""


class Found(NamedTuple):
    """What else the topic holds."""

    others: Counter[str]
    """How many records there are of each other destination, by name."""
    left_out: int
    """How many records were skipped, because this version does not know them as records of a state topic."""
    topic_ids: TopicIds
    """Which topics of the events' name were read."""


class PartitionCopy(NamedTuple):
    """What changes in one partition of the target, in numbers of users."""

    partition: int
    copied: int
    there: int
    """They are identified there already."""
    forgotten: int
    """They are identified there, but the other topic has forgotten them since."""


class Places:
    """Decides to which of our partitions the users of the other topic belong."""

    def __init__(self, partitions: int, source_partitions: int) -> None:
        """`partitions`: of our source topic. `source_partitions`: of the other state topic."""
        self.partitions = partitions
        self.same = partitions == source_partitions

    def of(self, user_id: str, word: Word) -> int:
        """The partition of the target to which a user's record in the other topic belongs."""
        return word.partition if self.same else partition_of(user_id.encode(), self.partitions)


def read_words(
    reader: TopicReader, origin: Origin, bounds: Mapping[int, Bounds], words: Words, advance: Callable[[int], None]
) -> Found:
    """Read the topic's committed records within `bounds` into `words`; gives what else was found.

    `advance` gets the number of records that were read since its last call. Raises KafkaUnavailable.
    """
    others: Counter[str] = Counter()
    rows: list[Row] = []
    left_out = 0
    topic_ids: TopicIds = {}
    of_events = SOURCE_TOPIC + origin.events_topic
    for record in reader.read(origin.topic, bounds):
        advance(1)
        try:
            key, identified = decode_record(record.key, record.value)
        except UnknownStateRecord:
            left_out += not is_pause_key(record.key)
            continue
        destination, user = key
        at_ms = max(record.timestamp_ms, 1)  # 0 would be written as now
        if destination == origin.destination:
            rows.append((user.id, user.anonymous, origin.side, record.partition.number, at_ms, identified))
            if len(rows) >= ROWS:
                words.add(rows)
                rows.clear()
        elif destination == of_events:
            note(topic_ids, record.partition.number, key, at_ms, stands=identified)
        elif not destination.startswith(SOURCE_TOPIC) and (destination in others or len(others) < OTHERS_MAX):
            others[destination] += 1
    words.add(rows)
    return Found(others, left_out, topic_ids)


def plan(words: Words, places: Places, check: Callable[[], None]) -> list[PartitionCopy]:
    """What would change in each partition. `check` is called now and then, and may raise."""
    new: Counter[int] = Counter()
    there: Counter[int] = Counter()
    forgotten: Counter[int] = Counter()
    for number, said in enumerate(words.of_each_user()):
        if number % POLL_RECORDS == 0:
            check()
        writes, standing = _of(said, places)
        there.update(standing)
        for word in writes:
            (new if word.identified else forgotten)[word.partition] += 1
    numbers = sorted({*range(places.partitions), *there, *forgotten})
    return [PartitionCopy(number, new[number], there[number], forgotten[number]) for number in numbers]


def _of(said: Said, places: Places) -> tuple[list[Word], list[int]]:
    writes, there = copied(said.source, said.target, partial(places.of, said.user.id))
    return list(writes), list(there)


def write_missing(
    settings: Settings,
    words: Words,
    places: Places,
    check: Callable[[], None],
    advance: Callable[[int], None],
    *,
    topic_ids: Iterable[TopicIdNoted],
) -> None:
    """Write what is missing, each record with its original's timestamp, and wait for all in-sync replicas.

    Raises KafkaUnavailable; what was written before stays.
    """
    writer = _Writer(settings)
    for number, key, at_ms in topic_ids:
        writer.write(number, encode_key(key), encode_value(key, at_ms), at_ms, check)
    for said in words.of_each_user():
        key = StateKey(settings.destination_name, said.user)
        writes, _ = _of(said, places)
        for word in writes:
            value = encode_value(key, word.at_ms) if word.identified else None
            writer.write(word.partition, encode_key(key), value, word.at_ms, check)
            advance(1)
    writer.finish(check)


class _Writer:
    """Writes records, and gives up at the first that is not acknowledged."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._error: KafkaError | None = None
        self._written = 0
        try:
            config = producer_config(settings, linger_ms=LINGER_MS)
            self._producer = Producer(config, logger=logging.getLogger("librdkafka"))
        except KafkaException as refused:
            raise misconfigured(settings, refused) from None

    def write(self, number: int, key: bytes, value: bytes | None, at_ms: int, check: Callable[[], None]) -> None:
        """Write one record to exactly this partition. `value` None: a deletion."""
        while True:
            try:
                self._producer.produce(
                    self._settings.state_topic,
                    value,
                    key,
                    partition=number,
                    timestamp=at_ms,
                    on_delivery=self._delivered,
                )
                break
            except BufferError:
                self._wait(check)
            except KafkaException as error:
                self._error = error.args[0]
                self._wait(check)
        self._written += 1
        if self._written % POLL_RECORDS == 0:
            self._producer.poll(0)
            self._look(check)

    def finish(self, check: Callable[[], None]) -> None:
        """Wait until all records are acknowledged."""
        while len(self._producer):
            self._wait(check)
        self._look(check)

    def _wait(self, check: Callable[[], None]) -> None:
        self._producer.poll(POLL_SECONDS)
        self._look(check)

    def _look(self, check: Callable[[], None]) -> None:
        check()
        if self._error is not None:
            self._producer.purge()
            topic = self._settings.state_topic
            said = explained(self._settings, self._error, Right("Write", "topic", topic))
            raise KafkaUnavailable(f"not all was written to {topic}: {said}; what was written stays: run it again")

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        self._error = self._error or error
