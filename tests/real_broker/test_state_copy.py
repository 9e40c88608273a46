"""Moving to another group or topic without identifying everybody again: on a real broker, with the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from subprocess import CompletedProcess
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import ConfigResource, ResourceType

from consumer.kafka.murmur2 import partition_of
from consumer.sequencing.events import User
from consumer.state.pause_record import pause_key
from consumer.state.records import StateKey, decode_record, encode_key, encode_value
from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import Scene, event, partitions_of
from tests.real_broker.topics import producing, records, times

USERS = [f"user{number}" for number in range(12)]
PARTITIONS = 4


@pytest.fixture
def partitions() -> int:
    """Of the topic that is moved from."""
    return PARTITIONS


@pytest.fixture
def beside(scene: Scene) -> Iterator[Service]:
    """Where commands of the group that is moved to are typed; it reads the topic from its end."""
    scene.settings |= {"CUSTOMFIT_KAFKA_GROUP_ID": f"{scene.topic}-new", "CUSTOMFIT_KAFKA_START": "latest"}
    with scene.member("beside", command=("-c", "pass")) as service:
        yield service


def old_state(scene: Scene) -> str:
    """The state topic of the group that is moved from."""
    return f"{scene.topic}.identified-users"


def new_state(scene: Scene) -> str:
    """That of the group that is moved to."""
    return f"{scene.settings['CUSTOMFIT_KAFKA_GROUP_ID']}.identified-users"


def written(scene: Scene, *entries: tuple[int, str, int | None, int]) -> None:
    """Put records into the old state topic: partition, user, identified at or None, time of the record."""
    if old_state(scene) not in scene.admin.list_topics(timeout=10).topics:
        scene.broker.create_topic(old_state(scene), PARTITIONS, {"cleanup.policy": "compact"})
    producer = Producer({"bootstrap.servers": scene.bootstrap_servers})
    for partition, user, identified_at_ms, at_ms in entries:
        key = StateKey(scene.emulator.url, User(user))
        value = None if identified_at_ms is None else encode_value(key, identified_at_ms)
        producer.produce(old_state(scene), value, encode_key(key), partition=partition, timestamp=at_ms)
    assert 0 == producer.flush(30)


def copy(service: Service, scene: Scene, *options: str, **environ: str) -> CompletedProcess[str]:
    """Run the command, without being asked."""
    return service.ask("state", "copy", "--from-topic", old_state(scene), "--yes", *options, **environ)


def copied(service: Service, scene: Scene, *options: str, **environ: str) -> Any:
    """What it prints as JSON."""
    done = copy(service, scene, "--json", *options, **environ)
    assert 0 == done.returncode, done.stdout + done.stderr
    return json.loads(done.stdout)


def counts(told: Any) -> tuple[int, int, int]:
    """Of users: copied, there already, forgotten."""
    return told["copied"], told["there"], told["forgotten"]


def users_in(scene: Scene, topic: str) -> set[str]:
    """Who is identified, as the topic says."""
    last: dict[str, bool] = {}
    for key, value in records(scene.bootstrap_servers, topic):
        (destination, user), identified = decode_record(key, value)
        if destination == scene.emulator.url:
            last[user.id] = identified
    return {user for user, identified in last.items() if identified}


def introductions(scene: Scene) -> list[str]:
    """Users whom the consumer has introduced."""
    return [entry.user_id for entry in scene.emulator.ledger.entries() if entry.identify == "introduction"]


@pytest.mark.long
@pytest.mark.parametrize("partitions_now", [PARTITIONS, 6])
def test_after_a_copy_tracks_alone_are_sent(scene: Scene, partitions_now: int) -> None:
    """To another topic and group: with as many partitions nobody is introduced; with more, whom the guess missed."""
    topic = f"{scene.topic}-new"
    scene.broker.create_topic(topic, partitions_now)
    with scene.member("old").wait_ready() as old:
        scene.produce_rounds(USERS, 0, 1)
        scene.wait_committed()
        assert 0 == old.stop()
    scene.settings |= {"CUSTOMFIT_KAFKA_TOPIC": topic, "CUSTOMFIT_KAFKA_GROUP_ID": topic}
    with scene.member("beside", command=("-c", "pass")) as beside:
        before = copied(beside, scene, "--dry-run")
        told, again = copied(beside, scene), copied(beside, scene)
    with scene.member("one") as one, scene.member("two") as two:
        shares = [one.wait_ready(), two.wait_ready()]
        wait_until(
            lambda: (
                all(shared := [len(partitions_of(service)) for service in shares]) and sum(shared) == partitions_now
            ),
            "both have partitions, and all are read",
        )
        produce = producing(scene.bootstrap_servers, topic)
        produce(*(event(user, 1) for user in USERS))
        wait_until(lambda: scene.delivered() == 2 * len(USERS), "all tracks")
        nobody = introductions(scene)
        place = partition_of(b"user0", partitions_now)
        owner = one if place in partitions_of(one) else two
        elsewhere = partitions_of(two if owner is one else one)[0]
        produce(event("user0", 2), partition=elsewhere)
        wait_until(lambda: scene.delivered() == 2 * len(USERS) + 1, "the track in another partition")
        assert [0, 0] == [one.stop(), two.stop()]

    assert [(12, 0, 0), (12, 0, 0), (0, 12, 0)] == [counts(before), counts(told), counts(again)]
    assert (partitions_now == PARTITIONS) is told["same_partitions"]
    assert [] == nobody
    assert ["user0"] == introductions(scene)
    assert 0 == scene.emulator.ledger.summary()["identifies_first_violations"]


def test_which_topics_of_the_name_were_read_is_copied_too(scene: Scene, beside: Service) -> None:
    """Else insert_ids of a source that was made again would be others than those of the old group."""
    earlier = StateKey(f"source topic {scene.topic}", User("topic-id P2Y6mJ4aQ9OQcWNcJUGD0A"))
    written(scene, (0, "ann", 10, 10))
    producer = Producer({"bootstrap.servers": scene.bootstrap_servers})
    value = encode_value(earlier, 10)
    producer.produce(old_state(scene), value, encode_key(earlier), partition=2, timestamp=10)
    assert 0 == producer.flush(30)
    told, again = copied(beside, scene), copied(beside, scene)
    known = [key for key, _ in records(scene.bootstrap_servers, new_state(scene))]

    assert [1, 0] == [one["topic_ids"] for one in (told, again)]
    assert 1 == known.count(encode_key(earlier))


def test_a_dry_run_makes_nothing(scene: Scene, beside: Service) -> None:
    """It says of each partition what would be written; the group's topic need not be there."""
    written(scene, (0, "ann", 10, 10), (0, "bob", 10, 10), (3, "cid", 10, 10), (3, "cid", None, 20))
    told = copied(beside, scene, "--dry-run")
    text = copy(beside, scene, "--dry-run").stdout

    assert [2, 0, 0, 0] == [one["copied"] for one in told["partitions"]]
    assert text.splitlines()[1].split() == ["0", "2", "0", "0"]
    assert "2 users to be copied, 0 already there, 0 to be forgotten" in text
    assert new_state(scene) not in scene.admin.list_topics(timeout=10).topics


def test_the_topic_is_made_as_a_start_makes_it_and_keeps_times(scene: Scene, beside: Service) -> None:
    """Compacted, with the source's partitions; `user` says since when somebody is identified."""
    written(scene, (1, "ann", 1_700_000_000_000, 1_700_000_000_000))
    copied(beside, scene)
    resource = ConfigResource(ResourceType.TOPIC, new_state(scene))
    config = scene.admin.describe_configs([resource])[resource].result(10)
    [(key, value)] = records(scene.bootstrap_servers, new_state(scene))

    assert "compact" == config["cleanup.policy"].value
    assert PARTITIONS == len(scene.admin.list_topics(timeout=10).topics[new_state(scene)].partitions)
    assert encode_value(StateKey(scene.emulator.url, User("ann")), 1_700_000_000_000) == value
    assert encode_key(StateKey(scene.emulator.url, User("ann"))) == key
    assert [1_700_000_000_000] == times(scene.bootstrap_servers, new_state(scene))


def test_what_is_newer_in_the_group_s_own_topic_stands(scene: Scene, beside: Service) -> None:
    """Copied, forgotten by the group, copied again; and a deletion that came later in the other group is followed."""
    written(scene, (0, "ann", 10, 10), (1, "bob", 10, 10), (2, "cid", 10, 10))
    copied(beside, scene)
    producer = Producer({"bootstrap.servers": scene.bootstrap_servers})
    producer.produce(new_state(scene), None, encode_key(StateKey(scene.emulator.url, User("ann"))), partition=0)
    assert 0 == producer.flush(30)
    written(scene, (1, "bob", None, 20), (3, "dan", 30, 30))
    told = copied(beside, scene)

    assert (1, 1, 1) == counts(told)
    assert {"cid", "dan"} == users_in(scene, new_state(scene))
    assert (0, 2, 0) == counts(copied(beside, scene))


def test_garbage_is_left_out_and_counted(scene: Scene, beside: Service) -> None:
    """Keys and values of others, and orders to pause the other group, which are not for this one."""
    written(scene, (0, "ann", 10, 10))
    producer = Producer({"bootstrap.servers": scene.bootstrap_servers})
    ann = encode_key(StateKey(scene.emulator.url, User("ann")))
    for key, value in ((b"\xff", b"x"), (b"[1]", b""), (ann, b"of another schema")):
        producer.produce(old_state(scene), value, key, partition=0)
    producer.produce(old_state(scene), b'{"paused":true}', pause_key(scene.topic), partition=0)
    assert 0 == producer.flush(30)
    told = copied(beside, scene)

    assert (1, 0, 0) == counts(told)
    assert 3 == told["left_out"]
    assert [ann] == [key for key, _ in records(scene.bootstrap_servers, new_state(scene))]


def test_another_destination_has_to_be_named(scene: Scene, beside: Service) -> None:
    """Nobody counts who was accepted elsewhere; the message says which there are. Also within one topic."""
    written(scene, (0, "ann", 10, 10))
    other = {"CUSTOMFIT_DESTINATION_NAME": "another"}
    refused = copy(beside, scene, **other)
    named = copied(beside, scene, "--from-destination", scene.emulator.url, **other)
    within = copied(
        beside, scene, "--from-destination", scene.emulator.url, CUSTOMFIT_STATE_TOPIC=old_state(scene), **other
    )
    itself = copy(beside, scene, CUSTOMFIT_STATE_TOPIC=old_state(scene))

    assert (1, 2) == (refused.returncode, itself.returncode)
    assert (
        f"name one of those that it has with --from-destination: '{scene.emulator.url}' (1 records)" in refused.stderr
    )
    assert "the group's own state topic" in itself.stderr
    assert [(1, 0, 0), (1, 0, 0)] == [counts(named), counts(within)]


def test_a_copy_that_breaks_off_is_made_again(scene: Scene, beside: Service) -> None:
    """The topic takes nothing for a while: 69, and the next one writes what is missing."""
    scene.broker.create_topic(new_state(scene), PARTITIONS, {"cleanup.policy": "compact", "max.message.bytes": "1"})
    written(scene, *((number % PARTITIONS, user, 10, 10) for number, user in enumerate(USERS)))
    refused = copy(beside, scene)
    scene.configure(ResourceType.TOPIC, new_state(scene), {"max.message.bytes": "1000000"})
    wait_until(lambda: copy(beside, scene).returncode == 0, "the topic takes it again")

    assert 69 == refused.returncode
    assert "what was written stays: run it again" in refused.stderr
    assert set(USERS) == users_in(scene, new_state(scene))
    assert (0, len(USERS), 0) == counts(copied(beside, scene))


def test_what_is_no_state_topic_is_refused(scene: Scene, beside: Service) -> None:
    """One that is not there: 69. One of events: 1, and a question."""
    missing = copy(beside, scene)
    scene.produce_rounds(USERS, 0, 1)
    events = beside.ask("state", "copy", "--from-topic", scene.topic, "--yes")

    assert (69, 1) == (missing.returncode, events.returncode)
    assert f"there is no topic '{old_state(scene)}' (--from-topic)" in missing.stderr
    assert "none of the 12 records" in events.stderr
    assert new_state(scene) not in scene.admin.list_topics(timeout=10).topics


def test_while_the_group_has_members_nothing_is_copied(scene: Scene, beside: Service) -> None:
    """They are named, and the exit code is 75; nobody is asked where nobody could answer."""
    written(scene, (0, "ann", 10, 10))
    nobody_asked = beside.ask("state", "copy", "--from-topic", old_state(scene))
    with scene.member("one").wait_ready() as one:
        wait_until(lambda: len(partitions_of(one)) == PARTITIONS, "it has all")
        busy = copy(beside, scene)
        told = copied(beside, scene, "--dry-run")
        assert 0 == one.stop()

    assert (2, 75) == (nobody_asked.returncode, busy.returncode)
    assert "has 1 members: customfit-consumer at 127.0.0.1; stop them first" in busy.stderr
    assert ["customfit-consumer"] == [member["client_id"] for member in told["members"]]
    assert set() == users_in(scene, new_state(scene))
    assert (1, 0, 0) == counts(copied(beside, scene))
