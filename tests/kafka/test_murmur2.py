"""A user's partition is that which Kafka's own clients choose."""

from __future__ import annotations

import pytest

from consumer.kafka.murmur2 import partition_of
from tests.fakes.mock_cluster import mock_cluster


def test_java_s_own_examples() -> None:
    """As in Kafka's UtilsTest: the hash, without its sign, by the number of partitions."""
    hashes = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"abc": 479470107}
    for key, hashed in hashes.items():
        assert (hashed & 0x7FFFFFFF) % 1_000_003 == partition_of(key, 1_000_003)


@pytest.mark.parametrize("partitions", [4])
def test_it_is_the_partition_that_murmur2_random_of_librdkafka_chooses(partitions: int) -> None:
    """Keys of all lengths, of bytes of all kinds."""
    from confluent_kafka import Producer

    cluster = mock_cluster()
    keys = [bytes((number * 37 + at * 11) % 256 for at in range(number)) for number in range(1, 40)]
    chosen: dict[bytes, int | None] = {}
    producer = Producer({"bootstrap.servers": cluster.servers, "partitioner": "murmur2_random", "log_level": 0})
    for key in keys:
        producer.produce("users", b"", key, on_delivery=lambda _e, m: chosen.__setitem__(m.key() or b"", m.partition()))
    assert 0 == producer.flush(20)
    assert chosen == {key: partition_of(key, partitions) for key in keys}
