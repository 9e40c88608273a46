"""Groups of every kind, and topics that are not as they should be, against a real broker."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import ResourceType

from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import Scene, event, partitions_of, problem_of

USERS = [f"user-{number}" for number in range(40)]


@pytest.fixture
def partitions() -> int:
    """Of the topic."""
    return 4


def work(scene: Scene, more: int) -> None:
    """Return when so many more events were delivered."""
    already = scene.delivered()
    wait_until(lambda: scene.delivered() >= already + more, f"{more} more events after {already}")


def owns(service: Service, count: int) -> None:
    """Return when a member has so many partitions."""
    wait_until(lambda: len(partitions_of(service)) == count, f"{count} partitions")


def test_a_group_of_the_new_protocol_shares_leaves_and_takes_over(scene: Scene) -> None:
    """With group.protocol=consumer: joined and left under load nothing comes twice; killed, nothing is lost."""
    scene.properties = {"group.protocol": "consumer"}
    scene.settings = {"CUSTOMFIT_BATCH_EVENTS_MAX": "2", "CUSTOMFIT_IN_FLIGHT_MAX": "8"}
    timing = {"consumer.session.timeout.ms": "6000", "consumer.heartbeat.interval.ms": "300"}
    scene.configure(ResourceType.GROUP, scene.topic, timing)
    scene.produce_rounds(USERS, 0, 60)
    with scene.member("one").wait_ready() as one:
        work(scene, 100)
        with scene.member("two").wait_ready() as two:
            wait_until(lambda: partitions_of(two), "a share; the replays may be one of its two")
            scene.produce_rounds(USERS, 60, 90)
            work(scene, 400)
            assert 0 == one.stop()
            owns(two, 4)
            scene.produce_rounds(USERS, 90, 100)
            work(scene, 100)
            assert [] == scene.twice()
            with scene.member("three").wait_ready() as three:
                wait_until(lambda: partitions_of(three), "a share")
                scene.produce_rounds(USERS, 100, 120)
                work(scene, 100)
                two.kill()
                owns(three, 4)
                scene.wait_committed()
                assert 0 == three.stop()

    scene.check(USERS, 120)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_member_without_a_partition_is_ready(scene: Scene, protocol: str) -> None:
    """There is nothing for it to do, and whoever rolls out waits for it; one that finds no coordinator is not."""
    scene.properties = {"group.protocol": protocol}
    with scene.member("one").wait_ready() as one:
        owns(one, 4)
        members = [scene.member(f"spare-{number}") for number in range(5)]
        try:
            for member in members:
                member.wait_ready()
            shares = sorted(len(member.json("/status")["partitions"]) for member in (one, *members))
        finally:
            for member in members:
                member.kill()

    assert 0 == shares[0]


def test_a_static_member_that_restarts_moves_nothing(scene: Scene) -> None:
    """With group.instance.id a restart within the session timeout is no rebalance, and nothing is sent twice."""
    scene.properties["session.timeout.ms"] = 30_000
    scene.produce_rounds(USERS, 0, 30)
    with (
        scene.member("one", group_instance_id="one").wait_ready() as one,
        scene.member("two", group_instance_id="two").wait_ready() as two,
    ):
        owns(two, 2)
        owns(one, 2)
        before, rebalances = (partitions_of(one), partitions_of(two)), one.total("customfit_rebalances_total")
        assert 0 == two.stop()
        scene.produce_rounds(USERS, 30, 40)
        two.restart()
        two.wait_ready()
        owns(two, 2)
        scene.wait_committed()

        assert before == (partitions_of(one), partitions_of(two))
        assert rebalances == one.total("customfit_rebalances_total")
        assert 0 == two.stop()
        assert 0 == one.stop()

    scene.check(USERS, 40)
    assert [] == scene.twice()


def delete_what_is_not_read(scene: Scene) -> int:
    """Retention takes records of partition 0 that the group has not read; gives where the log begins now."""
    scene.produce(*(event("ann", number) for number in range(10, 20)), partition=0)
    scene.admin.delete_records([TopicPartition(scene.topic, 0, 15)])[TopicPartition(scene.topic, 0)].result(60)
    return 15


def commit_beyond_the_end(scene: Scene) -> int:
    """Somebody has reset partition 0 to where nothing is, as after a topic was made again; it begins where it did."""
    scene.produce(*(event("ann", number) for number in range(10, 20)), partition=0)
    properties = {"bootstrap.servers": scene.broker.bootstrap_servers, "group.id": scene.topic}
    somebody = Consumer(properties)
    somebody.commit(offsets=[TopicPartition(scene.topic, 0, 1_000)], asynchronous=False)
    somebody.close()
    return 0


@pytest.mark.sampled(1)
@pytest.mark.parametrize("lose", [delete_what_is_not_read, commit_beyond_the_end])
def test_an_offset_out_of_range_stops_its_partition_and_says_what_fixes_it(
    scene: Scene, lose: Callable[[Scene], int]
) -> None:
    """The others flow, /status and the log print a command, and that command fixes it."""
    scene.produce(*(event("ann", number) for number in range(10)), partition=0)
    with scene.member("one").wait_ready() as one:
        scene.wait_committed()
        assert 0 == one.stop()
        begins = lose(scene)
        scene.produce(event("bob", 0), partition=1)
        one.restart()
        one.wait_ready()
        wait_until(lambda: "bob" in scene.sent(), "the other partition")
        wait_until(lambda: "out of range" in one.log, "the log")
        problem = wait_until(lambda: problem_of(one, scene.topic, 0), "/status says so too")
        command = problem.partition("; ")[2]
        assert command in one.log
        assert [f"ann-{number}" for number in range(10)] == scene.sent()["ann"]
        assert 0 == one.stop()
        name, *arguments = shlex.split(command)
        assert "kafka-consumer-groups.sh" == name
        scene.broker.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", *arguments)
        one.restart()
        one.wait_ready()
        scene.wait_committed()
        assert 0 == one.stop()

    again = [f"ann-{number}" for number in range(begins, 20)]
    assert [f"ann-{number}" for number in range(10)] + again == scene.sent()["ann"]


def make_the_topic_again(scene: Scene, _member: Service) -> None:
    """Somebody makes it again, with fewer partitions."""
    scene.broker.create_topic(scene.dead_letter_topic, 2)


def kill_and_start_again(_scene: Scene, member: Service) -> None:
    """The member makes it when it starts."""
    member.kill()
    member.restart()
    member.wait_ready()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("fix", [make_the_topic_again, kill_and_start_again])
def test_a_dead_letter_topic_that_is_gone_blocks_the_commit(
    scene: Scene, fix: Callable[[Scene, Service], None]
) -> None:
    """No dead letter is dropped: its offset waits, health says why; fixed, everything is there."""
    scene.properties["session.timeout.ms"] = 3_000  # of the one that is killed
    with scene.member("one").wait_ready() as one:
        scene.admin.delete_topics([scene.dead_letter_topic])[scene.dead_letter_topic].result(60)
        scene.produce(event("ann", 0), ("ann", b"garbage 1"), event("ann", 1), ("ann", b"garbage 2"), partition=3)
        wait_until(lambda: scene.sent().get("ann") == ["ann-0", "ann-1"], "the events between")
        wait_until(lambda: "dead letters can't be written" in str(one.json("/readyz")["reasons"]), "health")
        wait_until(lambda: scene.outside.committed().get(3, (0,))[0] == 1, "the commit below the first dead letter")
        wait_until(lambda: scene.outside.committed()[3].records(2), "the event between, in its metadata")
        assert one.ready()
        fix(scene, one)
        scene.wait_committed()
        wait_until(lambda: one.json("/readyz")["status"] == "ready", "ready")
        assert 0 == one.stop()

    assert [(1, b"garbage 1"), (3, b"garbage 2")] == sorted((letter.offset, letter.value) for letter in scene.letters())
    assert [] == scene.twice()


def test_a_value_too_large_for_the_dead_letter_topic_blocks_nobody(scene: Scene) -> None:
    """Such dead letters go without their value and say how large that was; the others keep theirs."""
    scene.broker.create_topic(scene.dead_letter_topic, 4, {"max.message.bytes": "2000"})
    with scene.member("one").wait_ready() as one:
        large = [("ann", b"x" * size) for size in (5_000, 6_000, 7_000)]
        small = [("ann", b"y" * 900) for _ in range(4)]  # too large together, as one batch
        scene.produce(*large, *small, event("ann", 0), partition=0)
        scene.wait_committed()
        assert 0 == one.stop()

    found = [
        (letter.value, letter.key, letter.headers.get("customfit.value_omitted"))
        for letter in sorted(scene.letters(), key=lambda letter: letter.offset)
    ]
    assert [(None, b"ann", "5000"), (None, b"ann", "6000"), (None, b"ann", "7000")] == found[:3]
    assert [(b"y" * 900, b"ann", None)] * 4 == found[3:]
    assert ["ann-0"] == scene.sent()["ann"]
