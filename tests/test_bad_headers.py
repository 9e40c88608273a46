"""What no Python program could have written into a record's headers, and other languages can."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from consumer.kafka_client import headers_of
from tests.raw_producer import produce_with_headers


def read(servers: str, topic: str, count: int) -> list[Message]:
    """The first records, all of one key."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "reader"})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found: list[Message] = []
    deadline = time.monotonic() + 20
    while len(found) < count and time.monotonic() < deadline:
        found += consumer.consume(count, 0.2)
    consumer.close()
    return found


def test_a_name_that_is_no_utf_8_leaves_out_the_headers_and_not_the_record() -> None:
    """The client raises SystemError for such a record, each time it is read."""
    keeper = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "", "log_level": 0})
    broker = next(iter(keeper.list_topics(timeout=10).brokers.values()))
    servers = f"{broker.host}:{broker.port}"
    for names in ([b"good", b"\xff\xfe"], ["ü".encode()], []):
        produce_with_headers(servers, "t", b"k", b"{}", names)
    messages = read(servers, "t", 3)

    assert [None, [("ü", b"v")], None] == [headers_of(message) for message in messages]
    assert [b"{}"] * 3 == [message.value() for message in messages]
