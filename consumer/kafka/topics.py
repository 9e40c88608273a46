"""Checks and creates the topics that have to be there, and sets a new group's start, before the group is joined."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType, TopicMetadata

from consumer.kafka.client import (
    KafkaUnavailable,
    MissingRight,
    admin_client,
    error_text,
)
from consumer.kafka.group_start import start_new_group_at_end
from consumer.kafka.rights import Right, is_denied, missing_on_topic, refusal
from consumer.log_codes import Code, fields
from consumer.settings.kafka_tools import tool

if TYPE_CHECKING:
    from consumer.settings import Settings

DEAD_LETTER_HEADROOM_BYTES: Final = 65_536
"""How much headers may add to a record."""
DEAD_LETTER_RETENTION_MS: Final = 30 * 24 * 3600 * 1000
RETRY_SECONDS: Final = 0.1
REPLICAS_DEFAULT: Final = -1
"""As many as the brokers make by default."""
REPLAY_PARTITIONS: Final = 1
"""Lanes make one fast enough. The assignor counts the partitions of all topics together. With as many as the source, it
was seen to give all of the source to one of two members, and all of the replays to the other."""
REPLAY_RETENTION_MS: Final = 2 * DEAD_LETTER_RETENTION_MS
"""A replay proves that its dead letter was sent again, so it must outlive it. Kafka removes whole segments, days
apart."""

Topics = Mapping[str, TopicMetadata]
"""All topics that this user may see, by name."""
log = logging.getLogger("consumer.kafka")


class TopicNotCreated(KafkaUnavailable):
    """A topic is not there and this user may not create it."""


class Prepared(NamedTuple):
    """What `prepare` has found."""

    partitions: int
    """How many the source topic has."""
    topics: list[str]
    """Which ones to read."""


def prepare(settings: Settings) -> Prepared:
    """Check the source topic, create the topics for dead letters, receipts and replays, set a new group's start.

    Without a dead-letter topic there is no start. Without a replay topic, there are only no replays.

    Raises KafkaUnavailable, KafkaMisconfigured.
    """
    admin = admin_client(settings)
    topics = seen_topics(settings)
    partitions = source_partitions(admin, settings, topics)
    demand(admin, settings, "kafka_topic", "Read")
    _create_dead_letter_topic(admin, settings, topics)
    demand(admin, settings, "dead_letter_topic", "Write")
    if settings.receipt_topic is not None:
        _create_receipt_topic(admin, settings, topics, settings.receipt_topic)
        demand(admin, settings, "receipt_topic", "Write")
    if settings.kafka_start == "latest":
        start_new_group_at_end(admin, settings, partitions)
    try:
        create_replay_topic(settings, topics)
        demand(admin, settings, "replay_topic", "Read")
    except (TopicNotCreated, MissingRight) as error:
        told = "only %s is read, and replays only after a restart: %s"
        log.warning(told, settings.kafka_topic, error, extra=fields(Code.REPLAY_TOPIC_MISSING))
        return Prepared(partitions, [settings.kafka_topic])
    return Prepared(partitions, [settings.kafka_topic, settings.replay_topic])


def demand(admin: AdminClient, settings: Settings, setting: str, *operations: str) -> None:
    """Check that we may do these operations on the topic that the setting names. Raises MissingRight."""
    topic = getattr(settings, setting)
    if missing := missing_on_topic(admin, topic, *operations):
        raise MissingRight(f"{topic} ({settings.origin(setting)}): {refusal(settings, *missing)}")


def replicas_of(settings: Settings, topics: Topics) -> int:
    """How many replicas the source has: what is kept of its records is to be as safe as they are."""
    source = topics.get(settings.kafka_topic)
    if source is None or not source.partitions:
        return REPLICAS_DEFAULT
    return len(source.partitions[min(source.partitions)].replicas)


def create_replay_topic(settings: Settings, topics: Topics | None = None) -> bool:
    """Create it if missing; gives whether it was. Raises TopicNotCreated, KafkaUnavailable, KafkaMisconfigured."""
    admin = admin_client(settings)
    topics = seen_topics(settings) if topics is None else topics
    return _create_topic(
        admin,
        settings,
        topics,
        f"the replay topic {settings.replay_topic!r} (CUSTOMFIT_REPLAY_TOPIC)",
        NewTopic(settings.replay_topic, REPLAY_PARTITIONS, replicas_of(settings, topics)),
        use="Read",
        # Twice: it takes any record that the dead-letter topic takes, and two headers more.
        headroom_bytes=2 * DEAD_LETTER_HEADROOM_BYTES,
        config={"retention.ms": str(REPLAY_RETENTION_MS)},
    )


def source_partitions(admin: AdminClient, settings: Settings, topics: Topics) -> int:
    """How many the source has. Raises KafkaUnavailable if it is not there, or hidden from us."""
    topic = topics.get(settings.kafka_topic)
    if topic is None or topic.error is not None or not topic.partitions:
        if missing := missing_on_topic(admin, settings.kafka_topic, "Read"):
            raise MissingRight(
                f"topic {settings.kafka_topic!r} (CUSTOMFIT_KAFKA_TOPIC) does not exist, or "
                f"{refusal(settings, *missing)}"
            )
        message = (
            f"topic {settings.kafka_topic!r} (CUSTOMFIT_KAFKA_TOPIC) does not exist at "
            f"{settings.kafka_bootstrap_servers}, or this user may not see it; create it, for example with: "
            f"{tool(settings, 'kafka-topics.sh')} --create --topic {settings.kafka_topic} --partitions 6"
        )
        raise KafkaUnavailable(message)
    return len(topic.partitions)


def partitions_text(count: int) -> str:
    """`1 partition`, `6 partitions`."""
    return "1 partition" if count == 1 else f"{count} partitions"


def seen_topics(settings: Settings) -> Topics:
    """All topics that we may see, asked by a client of its own: its errors say why there is no answer."""
    errors: list[KafkaError] = []
    admin = admin_client(settings, errors.append)
    try:
        return admin.list_topics(timeout=settings.startup_timeout_seconds).topics
    except KafkaException as error:
        admin.poll(0)  # calls `errors.append` with what went wrong
        reason = reason_of(settings, errors) or error_text(error)
        message = (
            f"no Kafka broker answered at {settings.kafka_bootstrap_servers} (CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS) "
            f"within {settings.startup_timeout_seconds:g} s (CUSTOMFIT_STARTUP_TIMEOUT_SECONDS): {reason}"
        )
        raise KafkaUnavailable(message) from None


def reason_of(settings: Settings, errors: Sequence[KafkaError]) -> str | None:
    """Why no broker answers, by a client's errors: one about a password or a certificate comes first.

    None: there are no errors.
    """
    told = {error.code(): error.str() for error in errors if error.code() != KafkaError._ALL_BROKERS_DOWN}
    for code, remedy in _SECURITY_REMEDIES.items():
        if code in told:
            return f"{told[code]}; {remedy} in {settings.origin('kafka_properties')}"
    return list(told.values())[-1] if told else None


_SECURITY_REMEDIES: Final = {
    KafkaError._AUTHENTICATION: "check sasl.mechanisms, sasl.username and sasl.password",
    KafkaError._SSL: "check security.protocol, ssl.ca.location and the other ssl.* properties",
}


def _create_dead_letter_topic(admin: AdminClient, settings: Settings, topics: Topics) -> None:
    partitions = len(topics[settings.kafka_topic].partitions)
    # By the record's own time, retention would remove an old record's letter at once. That time is in a header.
    config = {"retention.ms": str(DEAD_LETTER_RETENTION_MS), "message.timestamp.type": "LogAppendTime"}
    _create_topic(
        admin,
        settings,
        topics,
        f"the dead-letter topic {settings.dead_letter_topic!r} (CUSTOMFIT_DEAD_LETTER_TOPIC)",
        NewTopic(settings.dead_letter_topic, partitions, replicas_of(settings, topics)),
        use="Write",
        headroom_bytes=DEAD_LETTER_HEADROOM_BYTES,
        config=config,
    )


def _create_receipt_topic(admin: AdminClient, settings: Settings, topics: Topics, name: str) -> None:
    """Like the dead-letter topic: as many partitions as the source, kept as long, with the time of arrival."""
    partitions = len(topics[settings.kafka_topic].partitions)
    config = {"retention.ms": str(DEAD_LETTER_RETENTION_MS), "message.timestamp.type": "LogAppendTime"}
    _create_topic(
        admin,
        settings,
        topics,
        f"the receipt topic {name!r} (CUSTOMFIT_RECEIPT_TOPIC)",
        NewTopic(name, partitions, replicas_of(settings, topics)),
        use="Write",
        headroom_bytes=DEAD_LETTER_HEADROOM_BYTES,
        config=config,
    )


def create_rekeyed_topic(settings: Settings, topics: Topics, name: str) -> bool:
    """Create the target of `rekey` if it is missing; gives whether it was. Raises TopicNotCreated.

    It has as many partitions as the source and is kept as long, each record with its own time.
    """
    source = topics[settings.kafka_topic]
    return _create_topic(
        admin_client(settings),
        settings,
        topics,
        f"the topic of `rekey` {name!r}",
        NewTopic(name, len(source.partitions), replicas_of(settings, topics)),
        use="Write",
        headroom_bytes=DEAD_LETTER_HEADROOM_BYTES,
        config={"cleanup.policy": "delete", "message.timestamp.type": "CreateTime"},
        as_source=("retention.ms", "retention.bytes"),
    )


def _create_topic(
    admin: AdminClient,
    settings: Settings,
    topics: Topics,
    what: str,
    topic: NewTopic,
    *,
    use: str,
    headroom_bytes: int,
    config: Mapping[str, str],
    as_source: Sequence[str] = (),
) -> bool:
    """Create a topic if it is missing, for records as large as the source's and headers; gives whether it was.

    `as_source`: what else it has of the source's configuration, if that may be read. Raises TopicNotCreated.
    """
    if topic.topic in topics:
        return False
    source = ConfigResource(ResourceType.TOPIC, settings.kafka_topic)
    try:
        seconds = settings.startup_timeout_seconds
        entries: Any = admin.describe_configs([source], request_timeout=seconds)[source].result(seconds + 1)
        record_bytes_max = int(entries["max.message.bytes"].value)
        config = {**config, **{name: entries[name].value for name in as_source}}
    except (KafkaException, FutureTimeoutError, KeyError, ValueError):
        record_bytes_max = 1_048_588  # Kafka's default
    topic.config = {"max.message.bytes": str(record_bytes_max + headroom_bytes), **config}
    if not create_topic(admin, settings, what, topic, use):
        return False
    log.info("created %s with %s", what, partitions_text(topic.num_partitions), extra=fields(Code.TOPIC_CREATED))
    return True


def create_topic(
    admin: AdminClient,
    settings: Settings,
    what: str,
    topic: NewTopic,
    *uses: str,
    advice: str = "create it, or allow this user to",
    rehearse: bool = False,
) -> bool:
    """Create a topic; False: somebody else was first. `uses`: the rights on it that are needed besides `Create`.

    `rehearse`: the brokers only say whether they would. Raises TopicNotCreated.
    """
    try:
        seconds = settings.startup_timeout_seconds
        created = admin.create_topics(
            [topic], request_timeout=seconds, operation_timeout=seconds, validate_only=rehearse
        )
        created[topic.topic].result(seconds + 1)
    except (KafkaException, FutureTimeoutError) as error:
        if isinstance(error, KafkaException) and error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        if isinstance(error, KafkaException) and is_denied(error.args[0]):
            raise TopicNotCreated(_not_created(settings, what, topic.topic, "Create", *uses)) from None
        message = f"{what} does not exist and could not be created: {error_text(error)}; {advice}"
        raise TopicNotCreated(message) from None
    return True


def _not_created(settings: Settings, what: str, topic: str, *operations: str) -> str:
    """What to say if the cluster lets us neither see nor create a topic: it does not say which of the two."""
    rights = [Right(operation, "topic", topic) for operation in operations]
    return f"{what} does not exist, or is hidden from this user: {refusal(settings, *rights)}"
