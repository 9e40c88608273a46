"""librdkafka's own mock of a cluster, in this process."""

from __future__ import annotations

import time
from typing import NamedTuple

from confluent_kafka import Consumer, Message, Producer, TopicPartition


class Cluster(NamedTuple):
    """Where the mock cluster listens; it lives as long as its producer."""

    servers: str
    keeper: Producer

    def records(self, count: int, topic: str) -> list[Message]:
        """The first `count` records of all partitions, within each in order."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "reader"})
        partitions = self.keeper.list_topics(topic, timeout=60).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        found: list[Message] = []
        deadline = time.monotonic() + 20
        while len(found) < count and time.monotonic() < deadline:
            found += [message for message in consumer.consume(count, 0.2) if message.error() is None]
        consumer.close()
        return found


def mock_cluster() -> Cluster:
    """A cluster of one broker, where asking for a topic makes it."""
    keeper = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "", "log_level": 0})
    [broker] = keeper.list_topics(timeout=60).brokers.values()
    return Cluster(f"{broker.host}:{broker.port}", keeper)
