"""What may befall topics and what lies in them: gone, made again, out of range, unreadable, garbage, a transaction."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import NewPartitions, NewTopic

from tests.operations.places import Places, identified, tracks
from tests.operations.watch import Row
from tests.real_broker.avro_records import OURS, client_of, serializer
from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import Scene, event

LAG = r'customfit_lag_events\{.*"segment-events-[0-9]+x"'
SOON: Any = {"topic_metadata_refresh_interval_ms": 1000}


def _cause(name: str) -> str:
    return rf'customfit_degraded\{{cause="{name}"'


def _stopped(name: str) -> str:
    return rf'customfit_partition_stopped\{{cause="{name}"'


def _delete(scene: Scene, topic: str) -> None:
    scene.admin.delete_topics([topic])[topic].result(10)


def _make(scene: Scene, topic: str, partitions: int = 2, config: dict[str, str] | None = None) -> None:
    """As soon as the broker lets us."""
    new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=config or {})

    def made() -> bool:
        try:
            scene.admin.create_topics([new])[topic].result(10)
        except KafkaException:  # not quite gone yet
            return False
        return True

    wait_until(made, f"{topic} is made again")


def _obey(scene: Scene, service: Service) -> None:
    """Stop it, run the commands that /readyz names, start it again."""
    commands = re.findall(r"kafka-consumer-groups\.sh [^;\n]*--execute", service.readiness().reasons)
    assert commands, service.readiness()
    assert 0 == service.stop()
    for command in commands:
        _, *arguments = shlex.split(command)
        scene.broker.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", *arguments)
    service.restart()


def topic_gone(places: Places) -> Row:
    """Deleted, with events that wait."""
    watch = places.watch(
        "The source topic is deleted",
        [_cause("topic_gone")],
        "does not exist",
        [r'customfit_topic_partitions\{.*"segment-events-[0-9]+x"'],
    )
    with places.scene() as scene, scene.member("one") as one:
        identified(scene, one)
        watch.begin(one)
        _delete(scene, scene.topic)
        watch.shown(one)
        _make(scene, scene.topic)
        wait_until(
            lambda: one.sample("customfit_degraded", cause="topic_made_again") == 1, lambda: str(one.readiness())
        )
        wait_until(lambda: one.readiness().reasons.count("kafka-consumer-groups.sh") == 2, lambda: str(one.readiness()))
        watch.said(one, "over: the topic")
        _obey(scene, one)
        watch.over(one, "over: the topic", one.caught_up)
    return watch.row


def topic_made_again(places: Places) -> Row:
    """Deleted and made again at once."""
    signs = [_cause("topic_made_again"), _stopped("topic_made_again")]
    watch = places.watch("The source topic is deleted and made again", signs, "made again")
    with places.scene() as scene, scene.member("one") as one:
        identified(scene, one)
        watch.begin(one)
        _delete(scene, scene.topic)
        _make(scene, scene.topic)
        tracks(scene, rounds=5)
        watch.shown(one, lambda: one.readiness().reasons.count("kafka-consumer-groups.sh") == 2)
        _obey(scene, one)
        watch.over(one, "never", one.caught_up)
        watch.ended_by("the command that is named, and a restart")
    return watch.row


def out_of_range(places: Places) -> Row:
    """Retention has deleted what was not read."""
    signs = [_cause("partition_stopped"), _stopped("out_of_range")]
    watch = places.watch(
        "The committed offset is out of range: its records were deleted unread", signs, "is stopped", [LAG]
    )
    with places.scene() as scene:
        scene.produce(*(event("ann", number) for number in range(10)), partition=0)
        with scene.member("one") as one:
            one.wait_ready()
            scene.wait_committed()
            assert 0 == one.stop()
            scene.produce(*(event("ann", number) for number in range(10, 20)), partition=0)
            there = TopicPartition(scene.topic, 0, 15)
            scene.admin.delete_records([there])[TopicPartition(scene.topic, 0)].result(10)
            watch.begin(one)
            one.restart()
            watch.shown(one, lambda: one.readiness().status == "degraded")
            _obey(scene, one)
            watch.over(one, "never", one.caught_up)
            watch.ended_by("the command that is named, and a restart")
    return watch.row


def unreadable_batch(places: Places) -> Row:
    """A few hundred bytes that become more than the client takes."""
    signs = [_cause("partition_stopped"), _stopped("unreadable_batch")]
    watch = places.watch("A batch can't be unpacked", signs, "is stopped", [])
    with places.scene() as scene:
        packing = {"compression.type": "zstd", "message.max.bytes": 10_000_000, "log_level": 0}
        producer = Producer({"bootstrap.servers": scene.bootstrap_servers, **packing})
        producer.produce(scene.topic, b" " * 8_000_000, "ann", partition=0)
        assert 0 == producer.flush(30)
        with scene.member("one", fetch_max_bytes=2_000_000, receive_message_max_bytes=2_000_512) as one:
            watch.begin(one)
            watch.shown(one)
            assert 0 == one.stop()
        with scene.member("two") as two:
            watch.over(two.wait_ready(), "never", two.caught_up)
            watch.ended_by("a restart with a larger receive.message.max.bytes")
    return watch.row


def garbage(places: Places) -> Row:
    """More dead letters than CUSTOMFIT_DEAD_LETTER_RATIO_MAX allows."""
    signs = [_cause("partition_stopped"), _stopped("dead_letter_ratio")]
    watch = places.watch("More than half of a partition's records are garbage", signs, "is stopped")
    with places.scene() as scene:
        with scene.member("one") as one:
            identified(scene, one)
            watch.begin(one)
            scene.produce(*[("ann", b"garbage")] * 600, partition=0)
            watch.shown(one)
            assert 0 == one.stop()
        scene.settings["CUSTOMFIT_DEAD_LETTER_RATIO_MAX"] = "1"
        with scene.member("one") as again:
            watch.over(again.wait_ready(), "never", again.caught_up)
            watch.ended_by("a restart with CUSTOMFIT_DEAD_LETTER_RATIO_MAX=1, or with what reads the records")
    return watch.row


def dead_letters_gone(places: Places) -> Row:
    """The dead-letter topic is deleted, and there is something for it."""
    watch = places.watch(
        "The dead-letter topic is deleted", [_cause("dead_letters_not_written"), LAG], "dead letter can't be written"
    )
    with places.scene() as scene, scene.member("one") as one:
        identified(scene, one)
        watch.begin(one)
        _delete(scene, scene.dead_letter_topic)
        scene.produce(("ann", b"garbage"))
        watch.shown(one)
        _make(scene, scene.dead_letter_topic)
        watch.over(one, "over: dead letters", one.caught_up)
    return watch.row


def receipts_gone(places: Places) -> Row:
    """The receipt topic is deleted, and something is delivered."""
    watch = places.watch(
        "The receipt topic is deleted", [_cause("receipts_not_written"), LAG], "receipts can't be written"
    )
    with places.scene() as scene:
        topic = f"{scene.topic}.receipts"
        scene.settings["CUSTOMFIT_RECEIPT_TOPIC"] = topic
        with scene.member("one") as one:
            identified(scene, one)
            watch.begin(one)
            _delete(scene, topic)
            tracks(scene)
            watch.shown(one)
            _make(scene, topic)
            watch.over(one, "over: receipts", one.caught_up)
    return watch.row


def state_topic_gone(places: Places) -> Row:
    """The state topic is deleted, and a new user is to be recorded."""
    name = "The state topic is deleted"
    watch = places.watch(name, [_cause("state_topic"), LAG], "the state topic")
    with places.scene() as scene, scene.member("one") as one:
        identified(scene, one)
        watch.begin(one)
        _delete(scene, f"{scene.topic}.identified-users")
        scene.produce(*(event(f"new-{number}", 0) for number in range(20)))
        watch.shown(one)
        _make(scene, f"{scene.topic}.identified-users", 2, {"cleanup.policy": "compact"})
        watch.over(one, "(over: |again)", one.caught_up)
    return watch.row


def open_transaction(places: Places) -> Row:
    """A producer's transaction that hangs."""
    watch = places.watch(
        "A producer's transaction is never ended",
        [_cause("transaction_open"), "customfit_blocked_by_transaction_events"],
        "open transaction",
        [LAG + r"\{partition=\"0\""],
    )
    with places.scene() as scene, scene.member("one") as one:
        identified(scene, one)
        sender = Producer(
            {"bootstrap.servers": scene.bootstrap_servers, "transactional.id": f"{scene.topic}-open", "log_level": 0}
        )
        sender.init_transactions(30)
        watch.begin(one)
        sender.begin_transaction()
        for number in range(50):
            sender.produce(scene.topic, event("open", number)[1], "open", partition=0)
        assert 0 == sender.flush(30)
        scene.produce(*(event("behind", number) for number in range(500)), partition=0)
        watch.shown(one)
        sender.commit_transaction(30)
        watch.over(one, "over: .*open transaction", one.caught_up)
    return watch.row


def registry_away(places: Places) -> Row:
    """A record in Avro whose schema nobody gives."""
    watch = places.watch("The schema registry does not answer", [_cause("registry")], "schema registry")
    with places.scene() as scene:
        scene.settings["CUSTOMFIT_SCHEMA_REGISTRY_URL"] = places.registry.url
        with scene.member("one") as one, client_of(places.registry) as client:
            identified(scene, one)
            ours = serializer(client, scene.topic, OURS)
            value = ours({**json.loads(event("ann", 1)[1]), "timestamp": "2026-11-28T10:00:00Z"})
            assert value is not None
            watch.begin(one)
            with places.registry.away():
                scene.produce(("ann", value))
                watch.shown(one)
            watch.over(one, "over: the schema registry", one.caught_up)
    return watch.row


def registry_not_set(places: Places) -> Row:
    """Records in Avro, and nobody has said where their schemas are."""
    watch = places.watch(
        "The topic holds Avro, and no schema registry is set", [_cause("registry_not_set")], "looks like Avro"
    )
    with places.scene() as scene, client_of(places.registry) as client:
        value = serializer(client, scene.topic, OURS)({**json.loads(event("ann", 0)[1])})
        assert value is not None
        with scene.member("one") as one:
            one.wait_ready()
            watch.begin(one)
            scene.produce(("ann", value))
            watch.shown(one)
            assert 0 == one.stop()
        scene.settings["CUSTOMFIT_SCHEMA_REGISTRY_URL"] = places.registry.url
        with scene.member("two") as two:
            watch.over(two.wait_ready(), "never", two.caught_up)
            watch.ended_by("a restart with CUSTOMFIT_SCHEMA_REGISTRY_URL, or with CUSTOMFIT_VALUE_FORMAT=json")
    return watch.row


def state_not_grown(places: Places) -> Row:
    """The source gets a partition more, and we may not give the state topic one."""
    signs = [_cause("partition_stopped"), _stopped("state_not_grown")]
    watch = places.watch(
        "The source has more partitions than the state topic, which we may not alter", signs, "is stopped"
    )
    with places.scene(places.secured.broker) as scene:
        _behind_access_lists(places, scene)
        with scene.member("one", **SOON) as one:
            identified(scene, one)
            watch.begin(one)
            scene.admin.create_partitions([NewPartitions(scene.topic, 3)])[scene.topic].result(10)
            watch.shown(one)
            state = f"{scene.topic}.identified-users"
            scene.admin.create_partitions([NewPartitions(state, 3)])[state].result(10)
            assert 0 == one.stop()
            one.restart()
            watch.over(one, "never", one.caught_up)
            watch.ended_by("a partition more for the state topic (the command is named), and a restart")
    return watch.row


def _taken_away(
    places: Places, scene: Scene, *, what: str, right: tuple[str, str, str], log: str, cause: str = "access_denied"
) -> Row:
    watch = places.watch(what, [_cause(cause)], log)
    _behind_access_lists(places, scene)
    with scene.member("one", **SOON) as one:
        identified(scene, one)
        watch.begin(one)
        places.secured.deny(right)
        try:
            scene.produce(*(event(f"new-{number}", 0) for number in range(20)))
            watch.shown(one)
        finally:
            places.secured.allow(right)
        watch.over(one, "(the access to .* is there again|over: )", one.caught_up)
    return watch.row


def _behind_access_lists(places: Places, scene: Scene) -> None:
    """The rights that docs/security.md lists, for a user with a password."""
    dead_letters, state, replays = (
        f"{scene.topic}.{name}" for name in ("customfit-dlq", "identified-users", "customfit-replay")
    )
    places.secured.allow(
        ("Read", "topic", scene.topic),
        ("Read", "group", scene.topic),
        *((right, "topic", dead_letters) for right in ("Create", "Write")),
        *((right, "topic", state) for right in ("Create", "Read", "Write")),
        *((right, "topic", replays) for right in ("Create", "Read")),
    )
    scene.properties |= places.secured.scram
    scene.settings["CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS"] = places.secured.broker.address("SASL")


def source_not_readable(places: Places) -> Row:
    """The right to read the source is taken away."""
    what = "The right to read the source topic is taken away"
    with places.scene(places.secured.broker) as scene:
        return _taken_away(places, scene, what=what, right=("Read", "topic", scene.topic), log="Read on topic")


def group_not_allowed(places: Places) -> Row:
    """The right to be in the group is taken away."""
    what = "The right to be in the group is taken away"
    with places.scene(places.secured.broker) as scene:
        return _taken_away(places, scene, what=what, right=("Read", "group", scene.topic), log="Read on group")


def state_not_writable(places: Places) -> Row:
    """The right to write the state topic is taken away."""
    what = "The right to write the state topic is taken away"
    with places.scene(places.secured.broker) as scene:
        right = ("Write", "topic", f"{scene.topic}.identified-users")
        return _taken_away(places, scene, what=what, right=right, log="Write on topic", cause="state_topic")
