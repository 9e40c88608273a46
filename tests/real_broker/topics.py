"""What lies in a topic and what a group has committed, read from outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from tests.chaos.book import claimed

READ_SECONDS_MAX = 60.0


class Committed(NamedTuple):
    """What a commit says of one partition."""

    offset: int
    metadata: str

    def records(self, offset: int) -> bool:
        """Whether it says that the record at this offset is finished."""
        return offset < self.offset or offset in set(claimed(self.offset, self.metadata))


class Letter(NamedTuple):
    """A dead letter: the record that it was, and why it is here."""

    partition: int
    offset: int
    reason: str
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str]


class Outside:
    """Reads a topic and a group's commits without being a member."""

    def __init__(self, bootstrap_servers: str, topic: str, group_id: str, partitions: int) -> None:
        self._topic = topic
        self._partitions = range(partitions)
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap_servers, "group.id": group_id, "enable.auto.commit": False, "log_level": 0}
        )

    def close(self) -> None:
        """Let go."""
        self._consumer.close()

    def committed(self) -> dict[int, Committed]:
        """What the group has committed, for each partition with a commit."""
        found = self._consumer.committed([TopicPartition(self._topic, number) for number in self._partitions], 10)
        return {p.partition: Committed(p.offset, p.metadata or "") for p in found if p.offset >= 0}

    def ends(self) -> dict[int, int]:
        """Where each partition ends."""
        return {
            number: self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), 10)[1]
            for number in self._partitions
        }

    def all_committed(self) -> bool:
        """Whether every partition that holds anything is committed to its end."""
        try:
            committed = self.committed()
            return all(committed.get(number, (0,))[0] == end for number, end in self.ends().items())
        except KafkaException:  # the coordinator moves
            return False


def letters(bootstrap_servers: str, topic: str) -> list[Letter]:
    """Every dead letter there is, in order."""
    found = []
    for message in _messages(bootstrap_servers, topic):
        pairs = cast("list[tuple[str, bytes | None]]", message.headers() or [])
        headers = {name: (value or b"").decode() for name, value in pairs}
        partition, offset = int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])
        found.append(Letter(partition, offset, headers["customfit.reason"], message.key(), message.value(), headers))
    return found


def records(bootstrap_servers: str, topic: str) -> list[tuple[bytes | None, bytes | None]]:
    """Key and value of every record there is, those of a partition in order."""
    return [(message.key(), message.value()) for message in _messages(bootstrap_servers, topic)]


def times(bootstrap_servers: str, topic: str) -> list[int]:
    """The time of every record there is, in milliseconds."""
    return [message.timestamp()[1] for message in _messages(bootstrap_servers, topic)]


def _messages(bootstrap_servers: str, topic: str) -> list[Message]:
    properties = {"bootstrap.servers": bootstrap_servers, "group.id": "outside", "enable.auto.commit": False}
    reader = Consumer(properties)
    try:
        partitions = reader.list_topics(topic, timeout=60).topics[topic].partitions
        ends = {number: reader.get_watermark_offsets(TopicPartition(topic, number), 60)[1] for number in partitions}
        reader.assign([TopicPartition(topic, number, 0) for number in ends])
        found: list[Message] = []
        deadline = time.monotonic() + READ_SECONDS_MAX
        while len(found) < sum(ends.values()):
            assert time.monotonic() < deadline, f"{topic} could not be read"
            message = reader.poll(0.5)
            if message is not None and message.error() is None:
                found.append(message)
        return found
    finally:
        reader.close()


def producing(bootstrap_servers: str, topic: str) -> Callable[..., dict[tuple[int, int], bytes]]:
    """A function that produces (key, value) pairs and tells where they are: (partition, offset) → value."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "partitioner": "murmur2_random", "log_level": 0})

    def produce(*records: tuple[str | None, bytes], partition: int = -1) -> dict[tuple[int, int], bytes]:
        there: dict[tuple[int, int], bytes] = {}

        def note(error: object, message: Message) -> None:
            assert error is None
            there[(cast("int", message.partition()), cast("int", message.offset()))] = cast("bytes", message.value())

        for key, value in records:
            producer.produce(topic, value, key, partition=partition, on_delivery=note)
        assert producer.flush(30) == 0
        return there

    return produce
