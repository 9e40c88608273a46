"""The state topic on a real broker: what a partition knows of its users moves with it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from consumer.emulator.server import Emulator
from consumer.sequencing.events import User
from consumer.state.records import StateKey, decode_record, encode_key
from tests.real_broker.broker import Broker
from tests.real_broker.running_service import Service, wait_until

Produce = Callable[..., None]
SHORT_SESSION: Final = {
    "CUSTOMFIT_KAFKA_PROPERTIES": json.dumps({"session.timeout.ms": 3000, "heartbeat.interval.ms": 500})
}
"""A member that was killed is waited for until its session ends, and a record of the state as long as its lease."""


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    """As everywhere, and the log says how each restore went."""
    return settings | {"CUSTOMFIT_LOG_LEVEL": "debug"}


@pytest.fixture
def produce(broker: Broker, topic_name: str) -> Produce:
    """Produce events of (type, user, number) to a partition."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})

    def send(*events: tuple[str, str, int], partition: int = 0) -> None:
        for type_, user, number in events:
            body = {"type": type_, "userId": user, "messageId": f"{type_}-{user}-{number}", "event": "E"}
            producer.produce(topic_name, json.dumps(body), user, partition=partition)
        assert producer.flush(30) == 0

    return send


def sent(emulator: Emulator, user: str) -> list[str]:
    """The insert ids of the user's accepted requests, in order."""
    return [insert_id for entry in emulator.ledger.entries() if entry.user_id == user for insert_id in entry.insert_ids]


def stored_topic(broker: Broker, topic: str) -> dict[int, dict[User, bool]]:
    """What the state topic says of each user, by partition."""
    reader = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "reader", "enable.partition.eof": True}
    )
    partitions = reader.list_topics(topic, timeout=10).topics[topic].partitions
    reader.assign([TopicPartition(topic, number, 0) for number in partitions])
    found: dict[int, dict[User, bool]] = {number: {} for number in partitions}
    ended = 0
    while ended < len(partitions):
        message = reader.poll(10)
        assert message is not None
        if message.error() is not None:
            ended += 1
            continue
        (destination, user), identified = decode_record(message.key(), message.value())
        if destination.startswith("source topic "):
            continue  # which topics of the name were read
        found[message.partition() or 0][user] = identified
    reader.close()
    return found


def run_until_caught_up(folder: Path, settings: dict[str, str]) -> Service:
    """Start, do all there is to do, stop."""
    folder.mkdir(exist_ok=True)
    with Service(folder, settings).wait_ready() as service:
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()
    return service


def test_a_user_s_state_moves_with_the_partition(
    tmp_path: Path, settings: dict[str, str], broker: Broker, emulator: Emulator, produce: Produce
) -> None:
    """On a machine that has no store, a known user is not introduced again: the topic says who is identified."""
    produce(("identify", "ann", 0))
    produce(("identify", "bob", 0), partition=1)
    run_until_caught_up(tmp_path / "a", settings)
    produce(("track", "ann", 1))
    produce(("track", "bob", 1), partition=1)
    run_until_caught_up(tmp_path / "b", settings)

    assert ["identify-ann-0", "track-ann-1"] == sent(emulator, "ann")
    assert ["identify-bob-0", "track-bob-1"] == sent(emulator, "bob")
    topic = f"{settings['CUSTOMFIT_KAFKA_TOPIC']}.identified-users"
    assert {0: {User("ann"): True}, 1: {User("bob"): True}} == stored_topic(broker, topic)
    config = broker.tool(
        "kafka.admin.ConfigCommand", "--bootstrap-server", broker.bootstrap_servers, "--describe", "--topic", topic
    )
    assert "cleanup.policy=compact " in config


def test_a_delete_reaches_the_store_of_the_next_owner(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, produce: Produce
) -> None:
    """One member identifies, another handles the delete; back at the first, the user is introduced before a track."""
    produce(("identify", "ann", 0))
    run_until_caught_up(tmp_path / "a", settings)
    produce(("delete", "ann", 1))
    run_until_caught_up(tmp_path / "b", settings)
    produce(("track", "ann", 2))
    run_until_caught_up(tmp_path / "a", settings)

    assert ["identify-ann-0", "introduction-track-ann-2", "track-ann-2"] == sent(emulator, "ann")


def test_a_warm_restart_reads_only_what_is_new(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, produce: Produce
) -> None:
    """The store remembers how far it has followed the topic, also after kill -9."""
    produce(*(("identify", f"u{n}", 0) for n in range(50)))
    with Service(tmp_path, settings | SHORT_SESSION).wait_ready() as service:
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()
        produce(("identify", "ann", 0))
        service.restart()
        wait_until(lambda: sent(emulator, "ann"), "ann")
        wait_until(service.caught_up, "caught up")
        service.kill()
        service.restart()
        wait_until(lambda: service.log.count("-0 is ready") == 3, "three restores")
        service.stop()

    lines = [line for line in service.log.splitlines() if "-0 is ready" in line]
    assert ["50 identified users; 0 records", "51 identified users; 0 records"] == [
        line.partition("is ready: ")[2].partition(" were read")[0] for line in lines[1:]
    ]


@pytest.mark.parametrize("what", ["ahead", "corrupt", "foreign"])
def test_a_store_that_cannot_be_trusted_is_set_aside_and_read_again(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, produce: Produce, what: str
) -> None:
    """Ahead of its topic, damaged, or another's: left out or renamed, counted, rebuilt; nobody is introduced for it."""
    produce(("identify", "ann", 0))
    run_until_caught_up(tmp_path, settings)
    topic = settings["CUSTOMFIT_KAFKA_TOPIC"]
    path = tmp_path / "state" / topic / "identified-users-1.sqlite"
    if what == "corrupt":
        path.write_bytes(b"garbage" * 1000)
    else:
        ahead = "UPDATE followed SET next_offset = 1000 WHERE partition = 0"
        change = ahead if what == "ahead" else "UPDATE state_topic SET identity = 'x'"
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(change)
    produce(("track", "ann", 1))
    with Service(tmp_path, settings).wait_ready() as service:
        wait_until(service.caught_up, "caught up")
        samples = service.samples()
        assert 0 == service.stop()

    assert ["identify-ann-0", "track-ann-1"] == sent(emulator, "ann")
    assert 1 == samples['customfit_errors_total{kind="set_aside",stage="state"}']
    assert (0 if what == "ahead" else 1) == len(list(path.parent.glob("*.unusable-*")))


def test_a_state_topic_that_forgets_is_refused(tmp_path: Path, settings: dict[str, str], broker: Broker) -> None:
    """A topic with a retention would lose users: exit 69, and what to do."""
    topic = f"{settings['CUSTOMFIT_KAFKA_TOPIC']}.identified-users"
    broker.create_topic(topic, 2, {"cleanup.policy": "delete"})
    with Service(tmp_path, settings) as service:
        assert 69 == service.ended(60)

    assert "CUSTOMFIT_STATE_TOPIC" in service.log
    assert "cleanup.policy=delete" in service.log


def test_added_partitions_get_their_state(
    tmp_path: Path, settings: dict[str, str], broker: Broker, emulator: Emulator, produce: Produce
) -> None:
    """The source grows while the service runs: the state topic grows along, and the new partition is read."""
    topic = settings["CUSTOMFIT_KAFKA_TOPIC"]
    soon = {"CUSTOMFIT_KAFKA_PROPERTIES": json.dumps({"topic.metadata.refresh.interval.ms": 500})}
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    with Service(tmp_path, settings | soon).wait_ready() as service:
        admin.create_partitions([NewPartitions(topic, 4)])[topic].result(30)
        wait_until(lambda: len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 4, "four partitions")
        produce(("identify", "ann", 0), ("track", "ann", 1), partition=3)
        wait_until(lambda: len(sent(emulator, "ann")) == 2, "ann's events")
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()

    assert {User("ann"): True} == stored_topic(broker, f"{topic}.identified-users")[3]


def test_an_event_waits_for_its_record_in_the_state_topic(
    tmp_path: Path, settings: dict[str, str], broker: Broker, emulator: Emulator, produce: Produce
) -> None:
    """While the state topic takes nothing, no offset moves past an introduction; then all goes on, nothing twice."""
    state_topic = f"{settings['CUSTOMFIT_KAFKA_TOPIC']}.identified-users"
    broker.create_topic(state_topic, 2, {"cleanup.policy": "compact", "max.message.bytes": "1"})
    produce(("track", "ann", 0))
    with Service(tmp_path, settings).wait_ready() as service:
        wait_until(lambda: len(sent(emulator, "ann")) == 2, "ann's events")
        wait_until(lambda: "state topic can't be written" in service.log, "the log says so")
        wait_until(lambda: service.samples()["customfit_events_unfinished"] == 1, "the track is unfinished")
        broker.tool(
            "kafka.admin.ConfigCommand", "--bootstrap-server", broker.bootstrap_servers, "--alter",
            "--topic", state_topic, "--add-config", "max.message.bytes=1000000",
        )  # fmt: skip
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()

    assert ["introduction-track-ann-0", "track-ann-0"] == sent(emulator, "ann")
    assert {User("ann"): True} == stored_topic(broker, state_topic)[0]


def test_a_folder_that_cannot_be_made_costs_nothing(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, produce: Produce
) -> None:
    """The state folder can't be written: work goes on, and the topic remembers."""
    (tmp_path / "state").write_text("no folder")
    produce(("identify", "ann", 0))
    run_until_caught_up(tmp_path, settings)
    produce(("track", "ann", 1))
    run_until_caught_up(tmp_path, settings)

    assert ["identify-ann-0", "track-ann-1"] == sent(emulator, "ann")


def test_a_store_does_not_follow_a_topic_that_was_made_again(
    tmp_path: Path, settings: dict[str, str], broker: Broker, emulator: Emulator, produce: Produce
) -> None:
    """Deleted, created again and longer than the store has followed the old one: the offsets say nothing any more."""
    produce(("identify", "ann", 0))
    run_until_caught_up(tmp_path, settings)
    topic = settings["CUSTOMFIT_KAFKA_TOPIC"]
    state_topic = f"{topic}.identified-users"
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.delete_topics([state_topic])[state_topic].result(30)
    wait_until(lambda: state_topic not in admin.list_topics(timeout=10).topics, "the topic is gone")
    broker.create_topic(state_topic, 2, {"cleanup.policy": "compact"})
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for user in ("ann", "bob", "cid"):
        producer.produce(state_topic, None, encode_key(StateKey(emulator.url, User(user))), partition=0)
    assert producer.flush(30) == 0
    produce(("track", "ann", 1))
    run_until_caught_up(tmp_path, settings)

    assert ["identify-ann-0", "introduction-track-ann-1", "track-ann-1"] == sent(emulator, "ann")
    assert 1 == len(list((tmp_path / "state" / topic).glob("*.unusable-*")))


def test_a_state_topic_that_was_deleted_is_named_and_made_again_by_the_next_start(
    tmp_path: Path, settings: dict[str, str], broker: Broker, emulator: Emulator, produce: Produce
) -> None:
    """To the producer it is a time-out; the operator is told what it means, and nothing is lost or sent too early."""
    settings |= SHORT_SESSION
    produce(("identify", "u1", 1), ("track", "u1", 1))
    with Service(tmp_path, settings).wait_ready() as service:
        wait_until(service.caught_up, "caught up")
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
        topic = f"{settings['CUSTOMFIT_KAFKA_TOPIC']}.identified-users"
        admin.delete_topics([topic])[topic].result(30)
        produce(("identify", "u2", 1), ("track", "u2", 1))
        wait_until(lambda: "if it was deleted, start all members again" in service.log, "told", 60)
        service.kill()
    run_until_caught_up(tmp_path, settings)

    assert ["identify-u2-1", "track-u2-1"] == list(dict.fromkeys(sent(emulator, "u2")))
