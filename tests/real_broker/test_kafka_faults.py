"""What may befall the topic, the group and the broker while the service runs."""

from __future__ import annotations

from confluent_kafka import Producer
from confluent_kafka.admin import NewPartitions

from tests.real_broker.running_service import wait_until
from tests.real_broker.scene import Scene, event, partitions_of, problem_of

USERS = [f"user-{number}" for number in range(40)]


def test_a_partition_that_is_added_is_read_from_its_beginning(scene: Scene) -> None:
    """What lies in it before the group knows of it arrives too, also with CUSTOMFIT_KAFKA_START=latest."""
    scene.settings = {"CUSTOMFIT_KAFKA_START": "latest"}
    with scene.member("one", topic_metadata_refresh_interval_ms=1000).wait_ready() as one:
        scene.produce(event("ann", 0), partition=0)
        wait_until(lambda: "ann" in scene.sent(), "the first event")
        scene.admin.create_partitions([NewPartitions(scene.topic, 3)])[scene.topic].result(10)
        added = Producer({"bootstrap.servers": scene.broker.bootstrap_servers})
        for number in range(5):
            added.produce(scene.topic, event("bob", number)[1], "bob", partition=2)
        assert 0 == added.flush(30)
        wait_until(lambda: partitions_of(one) == [0, 1, 2], "the new partition")
        wait_until(lambda: len(scene.sent().get("bob", ())) == 5, "its events")
        scene.wait_committed()
        assert 0 == one.stop()

    assert {"ann": ["ann-0"], "bob": [f"bob-{number}" for number in range(5)]} == scene.sent()


def test_every_compression_is_read(scene: Scene) -> None:
    """Each has a user of its own, who would be missed. Records larger than a whole fetch are read too."""
    codecs = ["gzip", "snappy", "lz4", "zstd"]
    for codec in codecs:
        producer = Producer({"bootstrap.servers": scene.broker.bootstrap_servers, "compression.type": codec})
        for number in range(20):
            _, value = event(codec, number, properties={"text": "a" * 20_000})
            producer.produce(scene.topic, value, codec, partition=0)
        assert 0 == producer.flush(30)
    with scene.member("one", fetch_message_max_bytes=1000).wait_ready() as one:
        scene.wait_committed()
        assert 0 == one.stop()

    scene.check(codecs, 20)
    assert [] == scene.twice()


def test_a_batch_that_cannot_be_unpacked_stops_its_partition_and_says_what_fixes_it(scene: Scene) -> None:
    """A few hundred bytes of zstd that become more than the client takes: the others flow, and a larger limit fixes it.

    The same limit as by default would need 100 MB.
    """
    packing = {"compression.type": "zstd", "message.max.bytes": 10_000_000}
    producer = Producer({"bootstrap.servers": scene.broker.bootstrap_servers, **packing})
    scene.produce(event("ann", 0), partition=0)
    producer.produce(scene.topic, b" " * 8_000_000, "ann", partition=0)
    assert 0 == producer.flush(30)
    scene.produce(event("ann", 1), partition=0)
    scene.produce(event("bob", 0), partition=1)
    with scene.member("one", fetch_max_bytes=2_000_000, receive_message_max_bytes=2_000_512).wait_ready() as one:
        wait_until(lambda: {"ann", "bob"} == scene.sent().keys(), "what can be read")
        wait_until(lambda: "can't be unpacked" in one.log, "the log")
        scene.produce(event("bob", 1), partition=1)
        wait_until(lambda: len(scene.sent()["bob"]) == 2, "the other partition goes on")
        problem = wait_until(lambda: problem_of(one, scene.topic, 0), "/status says so too")
        assert ["ann-0"] == scene.sent()["ann"]
        assert 0 == one.stop()
    with scene.member("two").wait_ready() as two:
        scene.wait_committed()
        assert 0 == two.stop()

    assert "receive.message.max.bytes in CUSTOMFIT_KAFKA_PROPERTIES" in problem
    scene.check(["ann", "bob"], 2)
    assert ["too_large"] == [letter.reason for letter in scene.letters()]


def test_offsets_that_have_expired_repeat_and_lose_nothing(scene: Scene) -> None:
    """A group whose commits are gone starts at the beginning: everything comes again, and what is new as well."""
    scene.produce_rounds(USERS, 0, 2)
    with scene.member("one").wait_ready() as one:
        scene.wait_committed()
        assert 0 == one.stop()
        scene.admin.delete_consumer_groups([scene.topic])[scene.topic].result(10)
        scene.produce_rounds(USERS, 2, 4)
        one.restart()
        one.wait_ready()
        scene.wait_committed()
        assert 0 == one.stop()

    scene.check(USERS, 4)
    assert 2 * len(USERS) == len(scene.twice())


def test_the_same_static_member_twice_ends_the_older(scene: Scene) -> None:
    """Two processes with one group.instance.id: the broker fences the first, which says so and ends."""
    same = {"group_instance_id": "same"}
    scene.produce_rounds(USERS, 0, 20)
    with scene.member("one", **same).wait_ready() as one, scene.member("two", **same) as two:
        assert 1 == one.ended(30)
        scene.wait_committed()
        assert 0 == two.stop()

    assert "fenced" in one.log.lower()
    scene.check(USERS, 20)


def test_a_broker_that_restarts_is_waited_for(scene: Scene) -> None:
    """Commits and dead letters wait while it is away; then all is there, in order, and the service has not ended."""
    scene.produce_rounds(USERS, 0, 30)
    scene.produce(*((user, b"garbage") for user in USERS[:5]))
    with scene.member("one").wait_ready() as one:
        wait_until(lambda: scene.delivered() > 100, "work")
        scene.broker.restart()
        scene.produce_rounds(USERS, 30, 40)
        scene.produce(*((user, b"garbage") for user in USERS[:5]))
        scene.wait_committed()
        assert 0 == one.stop()

    scene.check(USERS, 40)
    assert 10 == len({(letter.partition, letter.offset) for letter in scene.letters()})
