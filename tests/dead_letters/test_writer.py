"""How much the writer of dead letters gives to its client, and who waits for whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError

from consumer.dead_letters.writer import ON_ITS_WAY_BYTES_MAX, PARTITION_BYTES_MAX, DeadLetters
from consumer.kafka.client import letters_config, producer_config
from consumer.ports.inputs import DeadLettered, DeadLetterFailed, Input
from consumer.sequencing.actions import WriteDeadLetter
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import DeadLetterReason, Partition, Record
from consumer.sequencing.offsets import OffsetTracker
from consumer.settings import load_settings

PARTITIONS = 16
VALUE_BYTES = 100_000
LETTER_BYTES = VALUE_BYTES + 1000
SETTINGS = load_settings({"CUSTOMFIT_API_KEY": "not-a-real-key"})


class SilentClient:
    """Takes records, and acknowledges none before it is told to."""

    def __init__(self) -> None:
        self.on_their_way: list[tuple[int, int, Callable[..., None]]] = []
        """Partition, size and callback of each."""
        self.is_full = False

    def produce(self, _topic: str, *, value: bytes, partition: int, on_delivery: Callable[..., None], **_: Any) -> None:
        if self.is_full:
            raise BufferError
        self.on_their_way.append((partition, len(value), on_delivery))

    def __len__(self) -> int:
        return len(self.on_their_way)

    def acknowledge(self) -> None:
        """All of them."""
        taken, self.on_their_way = self.on_their_way, []
        for _, _, on_delivery in taken:
            on_delivery(None, None)

    def bytes_of(self, partition: int | None = None) -> int:
        """How much of a partition, or of all, is on its way."""
        return sum(size for number, size, _ in self.on_their_way if partition in (None, number))


class Letters(DeadLetters):
    """The writer without its thread."""

    def __init__(self) -> None:
        self.posted: list[Input] = []
        super().__init__(SETTINGS, self.posted.append)
        self.client = SilentClient()
        self._producer: Any = self.client
        self._partitions = PARTITIONS

    def ask(self, partition: int, count: int, value_bytes: int = VALUE_BYTES) -> None:
        """So many dead letters are to be written."""
        for offset in range(count):
            where = Partition("segment-events", partition)
            record = Record(where, offset, 0, b"u1", bytes(value_bytes))
            assignment = Assignment(where, OffsetTracker(0))
            self.dead_letter(WriteDeadLetter(assignment, record, DeadLetterReason.UNDECODABLE, "not JSON"))

    def turn(self) -> None:
        """One of the thread's."""
        if self._requests.qsize():
            self._take_requests()
        self._produce_waiting()

    @property
    def written(self) -> int:
        """How many are acknowledged."""
        return sum(isinstance(item, DeadLettered) for item in self.posted)


def test_a_partition_that_nobody_acknowledges_keeps_no_other_from_writing() -> None:
    """It has its share of what is on its way, and waits for itself."""
    letters = Letters()
    letters.ask(0, 200)
    letters.turn()
    assert PARTITION_BYTES_MAX <= letters.client.bytes_of(0) <= PARTITION_BYTES_MAX + LETTER_BYTES

    letters.ask(1, 3)
    letters.turn()
    assert 3 * VALUE_BYTES == letters.client.bytes_of(1)


def test_what_is_on_its_way_is_bounded_and_all_of_it_is_written() -> None:
    """However much waits, the client keeps 16 MB of it, and one letter for each partition that had none."""
    letters = Letters()
    for partition in range(PARTITIONS):
        letters.ask(partition, 100)
    letters.turn()
    assert PARTITIONS == len({partition for partition, _, _ in letters.client.on_their_way})

    while letters.written < PARTITIONS * 100:
        letters.turn()
        assert 0 < letters.client.bytes_of() <= ON_ITS_WAY_BYTES_MAX + PARTITIONS * LETTER_BYTES
        letters.client.acknowledge()

    assert {} == letters._waiting
    assert 0 == letters._on_its_way_bytes.total()


def test_one_that_is_larger_than_the_bound_goes_alone() -> None:
    """Nothing waits for room that will never be there."""
    letters = Letters()
    letters.ask(0, 2, 2 * ON_ITS_WAY_BYTES_MAX)
    letters.turn()
    assert 1 == len(letters.client)

    letters.client.acknowledge()
    letters.turn()
    assert (1, 1) == (letters.written, len(letters.client))


def test_a_client_that_is_full_loses_nothing() -> None:
    """What it does not take is tried again, and is no failure."""
    letters = Letters()
    letters.client.is_full = True
    letters.ask(0, 3)
    letters.turn()

    assert 3 == len(letters._again)
    assert [] == [item for item in letters.posted if isinstance(item, DeadLetterFailed)]


def test_a_letter_that_fails_gives_its_room_back() -> None:
    """Until it is its turn again."""
    letters = Letters()
    letters.ask(0, 1)
    letters.turn()
    [(_, _, on_delivery)] = letters.client.on_their_way
    on_delivery(KafkaError(KafkaError._MSG_TIMED_OUT), None)

    assert 0 == letters._on_its_way_bytes.total()
    assert 1 == len(letters._again)


@pytest.mark.parametrize("config", [producer_config, letters_config])
def test_every_producer_s_queue_is_bounded(config: Callable[..., dict[str, Any]]) -> None:
    """Librdkafka's own bound is 1 GB: of what the loop does not wait for, that much might be in memory."""
    assert config(SETTINGS)["queue.buffering.max.kbytes"] <= 128 * 1024
