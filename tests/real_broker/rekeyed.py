"""`rekey` as a process, what it is given, and what is found in its target by a reader of its own."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from confluent_kafka import Consumer, IsolationLevel, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from consumer.emulator.server import Emulator
from tests.real_broker.broker import Broker
from tests.real_broker.running_service import COMMIT_SOON, Service, wait_until
from tests.real_broker.topics import Outside

APART_MS: Final = 5
"""From here on, order by the source's own times is promised."""
READ_SECONDS_MAX: Final = 60.0
PRODUCE_SECONDS_MAX: Final = 60.0
LOG_APPEND: Final = {"message.timestamp.type": "LogAppendTime"}


class Target(NamedTuple):
    """A record of the target."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    origin: tuple[str, int, int]
    item_index: int | None
    headers: Mapping[str, bytes | None]


class RekeyScene:
    """A source whose records have no key, and `rekey`."""

    def __init__(self, broker: Broker, topic: str, folder: Path, partitions: int) -> None:
        self.broker, self.topic, self.folder, self.partitions = broker, topic, folder, partitions
        self.target = f"{topic}.by-user"
        self.group = f"{topic}.rekey"
        self.outside = Outside(broker.bootstrap_servers, topic, self.group, partitions)
        self.settings: dict[str, str] = {}
        self.properties: dict[str, Any] = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
        broker.create_topic(topic, partitions, LOG_APPEND)

    def rekeyer(
        self, name: str = "rekey", *arguments: str, command: Sequence[str] = ("-m", "consumer", "rekey")
    ) -> Service:
        """Start one."""
        environ = {
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "CUSTOMFIT_KAFKA_TOPIC": self.topic,
            "CUSTOMFIT_KAFKA_GROUP_ID": self.topic,
            "CUSTOMFIT_KAFKA_PROPERTIES": json.dumps(self.properties),
            **self.settings,
        }
        return Service(self.folder, environ, name=name, command=(*command, *arguments))

    def reader(self, emulator: Emulator, topic: str, name: str) -> Service:
        """Start a `run` of the target, or of the source itself."""
        environ = {
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "CUSTOMFIT_KAFKA_TOPIC": topic,
            "CUSTOMFIT_KAFKA_GROUP_ID": self.topic if topic == self.target else f"{self.topic}.direct",
            "CUSTOMFIT_KAFKA_PROPERTIES": json.dumps(self.properties),
            "CUSTOMFIT_REKEYED": "true" if topic == self.target else "false",
            "CUSTOMFIT_API_URL": emulator.url,
            **COMMIT_SOON,
            **self.settings,
        }
        return Service(self.folder, environ, name=name)

    def make_source_again(self) -> None:
        """Delete the source, and make it as soon as the broker lets us."""
        admin = self.broker._admin
        admin.delete_topics([self.topic])[self.topic].result(60)

        def made() -> bool:
            try:
                self.broker.create_topic(self.topic, self.partitions, LOG_APPEND)
            except KafkaException:  # not quite gone yet
                return False
            return True

        wait_until(made, "the topic is made again")

    def produce(self, values: Sequence[bytes | None], first: int = 0, pace_seconds: float = 0.0) -> None:
        """Round robin, without keys."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap_servers, "linger.ms": 0, "log_level": 0})
        for number, value in enumerate(values, first):
            while True:
                try:
                    producer.produce(self.topic, value, partition=number % self.partitions)
                except BufferError:
                    producer.poll(0.1)
                else:
                    break
            if pace_seconds:
                producer.poll(pace_seconds)
        assert 0 == producer.flush(60)

    def produce_while(self, goes_on: Callable[[], bool], made: Callable[[int], bytes | None]) -> int:
        """One a millisecond, numbered from 0, as long as that is so; gives how many."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap_servers, "linger.ms": 0, "log_level": 0})
        deadline = time.monotonic() + PRODUCE_SECONDS_MAX
        number = 0
        while goes_on():
            assert time.monotonic() < deadline, "still going on"
            producer.produce(self.topic, made(number), partition=number % self.partitions)
            producer.poll(0.001)
            number += 1
        assert 0 == producer.flush(60)
        return number

    def wait_rekeyed(self, rekeyer: Service | None = None) -> None:
        """Return when the group has committed all there is."""

        def why() -> str:
            return f"all rekeyed; {self.outside.committed()} of {self.outside.ends()}\n{rekeyer and rekeyer.log}"

        wait_until(self.outside.all_committed, why, 120)

    def written(self) -> list[Target]:
        """All that a reader of committed records finds, those of a partition in order."""
        return [_target(message) for message in committed(self.broker.bootstrap_servers, self.target)]

    def source(self) -> list[Any]:
        """All messages of the source."""
        return committed(self.broker.bootstrap_servers, self.topic)


def wait_for_no_transaction(bootstrap_servers: str, topic: str) -> None:
    """Return when the broker has ended what a killed process left open: readers see nothing behind it until then."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    numbers = admin.list_topics(topic, timeout=10).topics[topic].partitions

    def ends(level: IsolationLevel) -> list[int]:
        asked = {TopicPartition(topic, number): OffsetSpec.latest() for number in numbers}
        return [one.result(10).offset for one in admin.list_offsets(asked, isolation_level=level).values()]

    wait_until(
        lambda: ends(IsolationLevel.READ_COMMITTED) == ends(IsolationLevel.READ_UNCOMMITTED),
        f"{topic} has no open transaction",
        READ_SECONDS_MAX,
    )


def committed(bootstrap_servers: str, topic: str) -> list[Any]:
    """Every committed message, up to the end of each partition."""
    wait_for_no_transaction(bootstrap_servers, topic)
    reader = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "outside",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "log_level": 0,
        }
    )
    try:
        partitions = set(reader.list_topics(topic, timeout=10).topics[topic].partitions)
        reader.assign([TopicPartition(topic, number, 0) for number in partitions])
        found: list[Any] = []
        deadline = time.monotonic() + READ_SECONDS_MAX
        while partitions:
            assert time.monotonic() < deadline, f"{topic} could not be read"
            for message in reader.consume(5000, 0.2):
                if message.error() is None:
                    found.append(message)
                else:
                    partitions.discard(cast("int", message.partition()))
        return found
    finally:
        reader.close()


def _target(message: Any) -> Target:
    headers = dict(cast("list[tuple[str, bytes | None]]", message.headers() or []))
    topic, number, offset = (headers["customfit.origin"] or b"").decode().split("/")
    index = headers.get("customfit.item_index")
    return Target(
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        (topic, int(number), int(offset)),
        None if index is None else int(index),
        headers,
    )


def twice(written: Sequence[Target]) -> list[Any]:
    """What is there more than once."""
    return [place for place, count in Counter((one.origin, one.item_index) for one in written).items() if count > 1]


def places(messages: Sequence[Any]) -> set[tuple[str, int, int]]:
    """Where the records of the source lie."""
    return {(one.topic(), one.partition(), one.offset()) for one in messages}


class Order(NamedTuple):
    """Of the events of each user, as the target has them."""

    far: int
    """Events behind one that is at least APART_MS newer."""
    near: int
    """Events behind a newer one that is closer than that."""
    events: int


def order_of(written: Sequence[Target]) -> Order:
    """By the source's times, which the target keeps."""
    newest: dict[bytes, int] = {}
    far = near = 0
    for one in written:
        if one.key is None:
            continue
        before = newest.get(one.key, one.timestamp_ms)
        far += before - one.timestamp_ms >= APART_MS
        near += 0 < before - one.timestamp_ms < APART_MS
        newest[one.key] = max(before, one.timestamp_ms)
    return Order(far, near, len(written))
