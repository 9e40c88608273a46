"""How we speak to Kafka: client configurations, and what is checked and created once before the group is joined."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

if TYPE_CHECKING:
    from consumer.settings import Settings

DEAD_LETTER_HEADROOM_BYTES: Final = 65_536
"""What headers may add to a record."""
DEAD_LETTER_RETENTION_MS: Final = 30 * 24 * 3600 * 1000
REPLAY_PARTITIONS: Final = 1
"""Lanes make it fast enough. With as many as the source, the assignor, which counts partitions of all topics together,
was seen to give all of the source to one of two members and all of the replays to the other."""
REPLAY_RETENTION_MS: Final = 2 * DEAD_LETTER_RETENTION_MS
"""A replay is the receipt of its dead letter and must outlive it: Kafka removes whole segments, days apart."""
REQUEST_SECONDS: Final = 10.0
HEARTBEAT_INTERVAL_MS: Final = 1000
"""A member learns of a rebalance by its next heartbeat, and until all have learned of it the partitions that move stand
still: with librdkafka's default of 3 s a rolling restart stops partitions for 4 s (bench/rolling_restart.py)."""

log = logging.getLogger("consumer.kafka")


class KafkaUnavailable(Exception):
    """Kafka, or a topic we need, can't be had: exit 69. The message names the setting and what to do."""


class TopicNotCreated(KafkaUnavailable):
    """A topic is not there and this user may not create it."""


class KafkaMisconfigured(Exception):
    """The client can't be made from the settings: exit 78."""


# Tuning, which CUSTOMFIT_KAFKA_PROPERTIES may change.
_CONSUMER_TUNING: Final[dict[str, Any]] = {
    "queued.max.messages.kbytes": 16_384,  # the default of 64 MB is more than our whole buffer needs
    "queued.min.messages": 10_000,
    "fetch.queue.backoff.ms": 50,  # the default of 1 s leaves the queue empty after every full one
    "fetch.error.backoff.ms": 100,
    "topic.metadata.refresh.interval.ms": 30_000,  # so soon added partitions are seen
}
# What the promise rests on; CUSTOMFIT_KAFKA_PROPERTIES may not.
_CONSUMER_FIXED: Final[dict[str, Any]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "enable.partition.eof": True,  # tells a log that ends in transaction markers from one not read to its end
    "allow.auto.create.topics": False,
}


def consumer_config(settings: Settings) -> dict[str, Any]:
    """For the group member. Partitions move one by one (cooperative), so the others never stop."""
    config: dict[str, Any] = {
        **_CONSUMER_TUNING,
        **_common(settings),
        **_CONSUMER_FIXED,
        "group.id": settings.kafka_group_id,
    }
    if config.get("group.protocol", "classic") == "classic":
        config["partition.assignment.strategy"] = "cooperative-sticky"
        config.setdefault("heartbeat.interval.ms", HEARTBEAT_INTERVAL_MS)
    return config


def admin_config(settings: Settings) -> dict[str, Any]:
    """For metadata and offsets."""
    return _common(settings)


def producer_config(settings: Settings) -> dict[str, Any]:
    """For dead letters and state: acknowledged by all in-sync replicas, in order, tried again without end by us."""
    return {
        "linger.ms": 5,
        "message.timeout.ms": 30_000,
        "topic.metadata.refresh.interval.ms": 30_000,
        **_common(settings),
        "acks": "all",
        "enable.idempotence": True,
        # The topic takes more than the default of 1 MB; the broker says what it does not take.
        "message.max.bytes": 1_000_000_000,
        # A topic's max.message.bytes is for batches: a large one of small records is refused whole. As Java's.
        "batch.size": 16_384,
    }


def reader_config(settings: Settings) -> dict[str, Any]:
    """For reading a topic from given offsets to its end, in no group."""
    common = {name: value for name, value in _common(settings).items() if not name.startswith("group.")}
    return {**common, **_CONSUMER_FIXED, "group.id": settings.kafka_group_id, "fetch.wait.max.ms": 50}


def _common(settings: Settings) -> dict[str, Any]:
    return {
        "client.id": "customfit-consumer",
        "log.connection.close": False,
        **settings.kafka_properties,
        "bootstrap.servers": settings.kafka_bootstrap_servers,
    }


def is_fatal(error: KafkaError) -> bool:
    """Whether the client will never work again. `fatal()` alone says no of what arrives as the code _FATAL (2.16.1)."""
    return bool(error.fatal()) or error.code() == KafkaError._FATAL


class Prepared(NamedTuple):
    """What the start found."""

    partitions: int
    """Of the source topic."""
    topics: list[str]
    """To be read."""


def prepare(settings: Settings) -> Prepared:
    """Check that the topic is there, create dead-letter and replay topic, set a new group's start.

    Without dead-letter topic there is no start; without replay topic there are only no replays.

    Raises KafkaUnavailable, KafkaMisconfigured.
    """
    admin = admin_client(settings)
    partitions = _partition_count(admin, settings)
    _create_dead_letter_topic(admin, settings, partitions)
    if settings.kafka_start == "latest":
        _start_new_group_at_end(settings, partitions)
    try:
        create_replay_topic(settings)
    except TopicNotCreated as error:
        log.warning("%s, and restart; until then only %s is read", error, settings.kafka_topic)
        return Prepared(partitions, [settings.kafka_topic])
    return Prepared(partitions, [settings.kafka_topic, settings.replay_topic])


def create_replay_topic(settings: Settings) -> bool:
    """Make sure that it exists; True when it did not. Raises TopicNotCreated, KafkaUnavailable, KafkaMisconfigured."""
    admin = admin_client(settings)
    return _create_topic(
        admin,
        settings,
        f"the replay topic {settings.replay_topic!r} (CUSTOMFIT_REPLAY_TOPIC)",
        NewTopic(settings.replay_topic, REPLAY_PARTITIONS),
        # Twice: it takes any record that the dead-letter topic takes, and two headers more.
        headroom_bytes=2 * DEAD_LETTER_HEADROOM_BYTES,
        retention_ms=REPLAY_RETENTION_MS,
    )


class Inspection(NamedTuple):
    """What `check --connect` finds; changes nothing."""

    partitions: int
    dead_letter_partitions: int
    committed: dict[int, int]
    """Partition → committed offset of the group, where there is one."""


def inspect(settings: Settings) -> Inspection:
    """Look at the topics and the group. Raises KafkaUnavailable, KafkaMisconfigured."""
    admin = admin_client(settings)
    partitions = _partition_count(admin, settings)
    dead_letters = admin.list_topics(timeout=REQUEST_SECONDS).topics.get(settings.dead_letter_topic)
    try:
        with _outside_the_group(settings) as consumer:
            known = _committed(consumer, settings, partitions)
    except KafkaException as error:
        group_id = settings.kafka_group_id
        raise KafkaUnavailable(f"group {group_id!r} (CUSTOMFIT_KAFKA_GROUP_ID): {error_text(error)}") from None
    return Inspection(partitions, len(dead_letters.partitions) if dead_letters else 0, known)


def admin_client(settings: Settings) -> AdminClient:
    """Make a client for metadata and topics. Raises KafkaMisconfigured."""
    try:
        return AdminClient(admin_config(settings), logger=logging.getLogger("librdkafka"))
    except KafkaException as error:
        raise KafkaMisconfigured(
            f"{settings.origin('kafka_properties')}: librdkafka refuses it: {error_text(error)}"
        ) from None


@contextmanager
def _outside_the_group(settings: Settings) -> Iterator[Consumer]:
    """A consumer that knows the group and never joins it.

    Not AdminClient.list_consumer_group_offsets: with librdkafka 2.16 that ends the process (SIGSEGV) while the group's
    coordinator is moving or not there yet.
    """
    consumer = Consumer(consumer_config(settings), logger=logging.getLogger("librdkafka"))
    try:
        yield consumer
    finally:
        consumer.close()


def _committed(consumer: Consumer, settings: Settings, partitions: int) -> dict[int, int]:
    where = [TopicPartition(settings.kafka_topic, number) for number in range(partitions)]
    known = consumer.committed(where, timeout=settings.startup_timeout_seconds)
    for partition in known:
        if partition.error is not None:
            raise KafkaException(partition.error)
    return {partition.partition: partition.offset for partition in known if partition.offset >= 0}


def _partition_count(admin: AdminClient, settings: Settings) -> int:
    try:
        topics = admin.list_topics(timeout=settings.startup_timeout_seconds).topics
    except KafkaException as error:
        message = (
            f"no Kafka broker answered at {settings.kafka_bootstrap_servers} (CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS) "
            f"within {settings.startup_timeout_seconds:g} s (CUSTOMFIT_STARTUP_TIMEOUT_SECONDS): {error_text(error)}"
        )
        raise KafkaUnavailable(message) from None
    topic = topics.get(settings.kafka_topic)
    if topic is None or topic.error is not None or not topic.partitions:
        message = (
            f"topic {settings.kafka_topic!r} (CUSTOMFIT_KAFKA_TOPIC) does not exist at "
            f"{settings.kafka_bootstrap_servers}, or this user may not see it; create it, for example with: "
            "kafka-topics.sh --bootstrap-server "
            f"{settings.kafka_bootstrap_servers} --create --topic {settings.kafka_topic} --partitions 6"
        )
        raise KafkaUnavailable(message)
    return len(topic.partitions)


def _create_dead_letter_topic(admin: AdminClient, settings: Settings, partitions: int) -> None:
    _create_topic(
        admin,
        settings,
        f"the dead-letter topic {settings.dead_letter_topic!r} (CUSTOMFIT_DEAD_LETTER_TOPIC)",
        NewTopic(settings.dead_letter_topic, partitions),
        headroom_bytes=DEAD_LETTER_HEADROOM_BYTES,
        retention_ms=DEAD_LETTER_RETENTION_MS,
    )


def _create_topic(
    admin: AdminClient, settings: Settings, what: str, topic: NewTopic, *, headroom_bytes: int, retention_ms: int
) -> bool:
    """Create it if it is not there, for records as large as the source's and headers; whether it was created."""
    name = topic.topic
    try:
        if name in admin.list_topics(timeout=REQUEST_SECONDS).topics:
            return False
    except KafkaException as error:
        raise KafkaUnavailable(f"Kafka stopped answering during the start: {error_text(error)}") from None
    source = ConfigResource(ResourceType.TOPIC, settings.kafka_topic)
    try:
        entries = _wait(admin.describe_configs([source])[source])
        record_bytes_max = int(entries["max.message.bytes"].value)
    except (KafkaException, FutureTimeoutError, KeyError, ValueError):
        record_bytes_max = 1_048_588  # Kafka's default
    topic.config = {"max.message.bytes": str(record_bytes_max + headroom_bytes), "retention.ms": str(retention_ms)}
    try:
        _wait(admin.create_topics([topic])[name])
    except (KafkaException, FutureTimeoutError) as error:
        if isinstance(error, KafkaException) and error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        message = (
            f"{what} does not exist and could not be created: {error_text(error)}; create it, or allow this user to"
        )
        raise TopicNotCreated(message) from None
    log.info("created %s with %d partitions", what, topic.num_partitions)
    return True


def _start_new_group_at_end(settings: Settings, partitions: int) -> None:
    """CUSTOMFIT_KAFKA_START=latest: commit the end of every partition, once, for a group that has no commit at all.

    Committed before anybody joins, so that a crash before the first event does not skip what came in between, and
    partitions added later are read from their beginning.
    """
    try:
        with _outside_the_group(settings) as consumer:
            if _committed(consumer, settings, partitions):
                return
            at_end = []
            for number in range(partitions):
                where = TopicPartition(settings.kafka_topic, number)
                _, end = consumer.get_watermark_offsets(where, timeout=REQUEST_SECONDS)
                at_end.append(TopicPartition(settings.kafka_topic, number, end))
            consumer.commit(offsets=at_end, asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() in (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.NON_EMPTY_GROUP):
            return  # another member is there already and did this
        group_id = settings.kafka_group_id
        message = f"could not set the start of group {group_id!r} (CUSTOMFIT_KAFKA_START=latest): {error_text(error)}"
        raise KafkaUnavailable(message) from None
    log.info("group %s is new: it starts at the end of %s", settings.kafka_group_id, settings.kafka_topic)


def _wait(future: Any) -> Any:
    return future.result(REQUEST_SECONDS)


def error_text(error: Exception) -> str:
    """What went wrong, for people."""
    problem = error.args[0] if error.args else "no answer in time"
    return problem.str() if isinstance(problem, KafkaError) else str(problem)
