"""A source topic that is gone, or that was made again under its name, which is another topic: never a silent jump."""

from __future__ import annotations

import json
import re
import shlex
import time
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import NewTopic

from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import Scene, event

USERS = [f"user-{number}" for number in range(10)]
SOON: dict[str, Any] = {"topic_metadata_refresh_interval_ms": 1000}


def delete(scene: Scene) -> None:
    """Delete the source topic."""
    scene.admin.delete_topics([scene.topic])[scene.topic].result(60)


def make(scene: Scene) -> None:
    """Make it again, as soon as the broker lets us."""
    topic = NewTopic(scene.topic, num_partitions=2, replication_factor=1)

    def made() -> bool:
        try:
            scene.admin.create_topics([topic])[scene.topic].result(60)
        except KafkaException:  # not quite gone yet
            return False
        return True

    wait_until(made, "the topic is made again")

    def there() -> bool:
        return len(scene.admin.list_topics(scene.topic, timeout=60).topics[scene.topic].partitions) == 2

    wait_until(there, "its partitions")


def topic_id(scene: Scene) -> str:
    """The first 8 characters of the topic's id, as `kafka-topics.sh --describe` shows it."""
    out = scene.broker.tool(
        "org.apache.kafka.tools.TopicCommand",
        *("--bootstrap-server", scene.bootstrap_servers, "--describe", "--topic", scene.topic),
    )
    found = re.search(r"TopicId: (\S+)", out)
    assert found is not None
    return found[1][:8]


def reset_commands(service: Service) -> list[str]:
    """The commands that /readyz names, one for each partition or one for all, as they stand there."""
    said = wait_until(lambda: service.readiness().reasons, "reasons")
    commands = re.findall(r"kafka-consumer-groups\.sh [^;\n]*--execute", said)
    assert commands, said
    return commands


def wait_stopped(scene: Scene, service: Service) -> None:
    """Return when it says that both partitions of the topic are another topic's now, and what starts them again."""

    def stopped() -> bool:
        code, _, reasons = service.readiness()
        wanted = [*(f"{scene.topic}-{number}" for number in range(2)), "kafka-consumer-groups.sh"]
        return code == 503 and all(text in reasons for text in wanted)

    def seen() -> str:
        lag = service.total("customfit_lag_events")
        return f"the change noticed; {service.readiness()}, delivered {scene.delivered()}, lag {lag}"

    wait_until(stopped, seen)


def first_records(scene: Scene) -> None:
    """30 rounds of everybody, in both partitions."""
    for number in range(30):
        for user in USERS:
            scene.produce(event(user, number), partition=USERS.index(user) % 2)


def new_records(scene: Scene) -> None:
    """100 rounds of everybody in the new topic: more than there were in the old one, in both partitions."""
    for half in range(2):
        users = USERS[half::2]
        scene.produce(*(event(user, number) for number in range(30, 130) for user in users), partition=half)


def test_a_source_topic_made_again_while_a_member_runs_is_read_from_its_beginning_or_not_at_all(scene: Scene) -> None:
    """Its partitions stop and say why; the command that is named starts them, and nothing of the new topic is lost."""
    with scene.member("one", **SOON).wait_ready() as one:
        first_records(scene)
        scene.wait_committed()
        delete(scene)
        time.sleep(0.05)  # as a script does it
        make(scene)
        new_records(scene)
        wait_stopped(scene, one)
        stopped = [one.total(rf'customfit_partition_stopped\{{.*partition="{number}".*\}}') for number in range(2)]
        commands = reset_commands(one)
        assert all(command in one.log for command in commands)
        assert 0 == one.stop()
        for command in commands:
            _, *arguments = shlex.split(command)
            scene.broker.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", *arguments)
        before = {user: len(ids) for user, ids in scene.sent().items()}
        one.restart()
        one.wait_ready()
        scene.wait_committed()
        assert 0 == one.stop()

    assert [1, 1] == stopped
    # What was read of the new topic before it was noticed was sent, too, and is sent again in its place.
    again = {user: ids[before[user] :] for user, ids in scene.sent().items()}
    assert {user: [f"{user}-{number}" for number in range(30, 130)] for user in USERS} == again


def test_a_source_topic_made_again_after_it_was_missed_is_said_to_be_another(scene: Scene) -> None:
    """Its end lies below the committed offsets, so that they are out of range, too: that is not the reason."""
    with scene.member("one").wait_ready() as one:
        first_records(scene)
        scene.wait_committed()
        delete(scene)
        gone = 'customfit_degraded{cause="topic_gone"}'
        wait_until(lambda: one.samples()[gone] == 1, lambda: f"it is missed; {one.readiness()}")
        make(scene)
        again = 'customfit_degraded{cause="topic_made_again"}'
        wait_until(
            lambda: (one.samples()[again], one.samples()[gone]) == (1, 0),
            lambda: f"it is another topic; {one.readiness()}",
        )
        wait_stopped(scene, one)


def test_a_source_topic_made_again_while_nobody_reads_is_noticed_by_its_commits(scene: Scene) -> None:
    """The broker forgets a deleted topic's commits; whoever restores them, with their metadata, restores the old id."""
    with scene.member("one", **SOON).wait_ready() as one:
        first_records(scene)
        scene.wait_committed()
        assert 0 == one.stop()
        before = scene.outside.committed()
        delete(scene)
        make(scene)
        new_records(scene)
        delivered = scene.delivered()
        somebody = Consumer({"bootstrap.servers": scene.bootstrap_servers, "group.id": scene.topic})
        restored = [TopicPartition(scene.topic, n, c.offset, c.metadata) for n, c in before.items()]
        somebody.commit(offsets=restored, asynchronous=False)
        somebody.close()
        one.restart()
        wait_stopped(scene, one)
        assert delivered == scene.delivered()
        assert before == scene.outside.committed()


def test_what_was_read_of_a_topic_made_again_is_not_committed(scene: Scene) -> None:
    """Records that wait for the destination when the change is noticed end later: their offsets are the new topic's."""
    with scene.member("one", **SOON).wait_ready() as one:
        first_records(scene)
        scene.wait_committed()
        before = scene.outside.committed()
        scene.emulator.faults.change({"hang": True})
        delete(scene)
        make(scene)
        new_records(scene)
        wait_stopped(scene, one)
        scene.emulator.faults.change({"hang": False})
        wait_until(lambda: one.total("customfit_requests_in_flight") == 0, "no request waits any longer")
        one.stop()
        assert scene.outside.committed() in ({}, before)  # the broker forgets those of a deleted topic, in its time


def test_insert_ids_of_a_topic_made_again_are_new_ones(scene: Scene) -> None:
    """Where events have no messageId: or the destination would take them for those of the old topic and drop them.

    Until it is noticed what lies behind the old position is read as the old topic's, and is sent again afterwards.
    """
    nameless = json.dumps({"type": "track", "userId": "ann", "event": "E"}).encode()
    with scene.member("one", **SOON).wait_ready() as one:
        scene.produce(("ann", nameless), ("ann", nameless), partition=0)
        scene.wait_committed()
        delete(scene)
        make(scene)
        scene.produce(*[("ann", nameless)] * 3, partition=0)
        wait_stopped(scene, one)
        commands = reset_commands(one)
        assert 0 == one.stop()
        for command in commands:
            _, *arguments = shlex.split(command)
            scene.broker.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", *arguments)
        one.restart()
        one.wait_ready()
        scene.wait_committed()
        assert 0 == one.stop()

    old = [f"{scene.topic}-0-{offset}" for offset in range(2)]
    new = [f"{scene.topic}-0-{offset}@{topic_id(scene)}" for offset in range(3)]
    before_it_was_noticed = f"{scene.topic}-0-2"
    assert old + new == [sent for sent in scene.sent()["ann"] if sent != before_it_was_noticed]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_source_topic_that_is_gone_is_not_ready_and_its_lag_stays(scene: Scene, protocol: str) -> None:
    """What was behind when it went is behind for ever: an alert on it must not resolve itself."""
    if protocol == "consumer":
        scene.properties = {"group.protocol": "consumer"}
    with scene.member("one", **SOON).wait_ready() as one:
        first_records(scene)
        scene.wait_committed()
        scene.emulator.faults.change({"hang": True})
        for number in range(2):
            scene.produce(*(event(USERS[number], later) for later in range(30, 40)), partition=number)
        behind = dict.fromkeys(range(2), 10.0)

        def lag() -> dict[int, float | None]:
            return {n: one.sample("customfit_lag_events", topic=scene.topic, partition=n) for n in range(2)}

        wait_until(lambda: lag() == behind, lambda: f"the lag is {lag()}")
        delete(scene)
        wait_until(
            lambda: one.readiness().status_code == 503 and scene.topic in one.readiness().reasons,
            lambda: f"not ready without its topic; {one.readiness()}, lag {lag()}",
        )
        assert behind == lag()
        assert all(
            one.sample("customfit_lag_seconds", topic=scene.topic, partition=number) is not None for number in range(2)
        )
        assert 0.0 == one.sample("customfit_ready")
