"""Makes and checks the state topic, which is compacted and has a partition for each of the source's, and writes to it.

The topic is the truth: an entry counts as written when all in-sync replicas have it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from consumer.kafka.client import REQUEST_SECONDS, KafkaUnavailable, admin_client, error_text, producer_config
from consumer.kafka.patience import patiently
from consumer.kafka.rights import MOCK_CLUSTER
from consumer.kafka.topic_ids import NO_ID, id_text
from consumer.kafka.topics import create_topic, demand, replicas_of
from consumer.log_codes import Code, fields
from consumer.ports.inbox import run_edge
from consumer.ports.inputs import Post
from consumer.settings.kafka_tools import tool
from consumer.state.growth import grow, growth_problem

if TYPE_CHECKING:
    from consumer.settings import Settings

TOMBSTONE_SECONDS: Final = 7 * 24 * 3600
"""How long the topic keeps deletions if we create it. A local store that was not in use for longer is not trusted."""
TOMBSTONE_SECONDS_DEFAULT: Final = 24 * 3600
"""Kafka's default of delete.retention.ms."""
POLL_SECONDS: Final = 0.2
LINGER_MS: Final = 30
"""Only commits wait for a record, so the record may wait for others. With 5 ms, requests of a few records took a sixth
of all CPU time while a million new users came."""
ASK_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 10.0
"""How often to look whether the topic is still there, while records expire."""

Note = TypeVar("Note")
log = logging.getLogger("consumer.state")


class StateTopic(NamedTuple):
    """What is known of the topic after the start."""

    name: str
    partitions: int
    identity: str
    """Which topic of which cluster, in words. A local store that follows another one is not used."""
    tombstone_seconds: float
    """How long the topic keeps deletions."""
    topic_id: str | None = None
    """The topic's id, as `TopicIds` gives it; None: the cluster gives topics no id."""


def prepare_state_topic(settings: Settings, partitions: int) -> StateTopic:
    """Create the topic, or check that it is compacted; give it as many partitions as the source has.

    Raises KafkaUnavailable.
    """
    admin = admin_client(settings)
    name = settings.state_topic
    try:
        cluster = admin.list_topics(timeout=REQUEST_SECONDS)
    except KafkaException as error:
        raise KafkaUnavailable(f"Kafka stopped answering during the start: {error_text(error)}") from None
    found = cluster.topics.get(name)
    if found is None or not found.partitions:
        _create(admin, settings, partitions, replicas=replicas_of(settings, cluster.topics))
        count, tombstone_seconds = partitions, float(TOMBSTONE_SECONDS)
    else:
        count = len(found.partitions)
        demand(admin, settings, "state_topic", "Read", "Write")
        tombstone_seconds = _checked_config(admin, settings, str(cluster.cluster_id))
    if count < partitions:
        try:
            grow(admin, name, partitions)
        except KafkaException as error:
            raise KafkaUnavailable(growth_problem(settings, count, partitions, error)) from None
        count = partitions
    topic_id = _topic_id(admin, settings, str(cluster.cluster_id))
    identity = f"topic {name}{topic_id and f' ({topic_id})'} of cluster {cluster.cluster_id}"
    told = id_text(topic_id)
    return StateTopic(name, count, identity, tombstone_seconds, None if told in ("", NO_ID) else told)


def _create(admin: AdminClient, settings: Settings, partitions: int, *, replicas: int) -> None:
    name, what = settings.state_topic, f"the state topic {settings.state_topic!r} (CUSTOMFIT_STATE_TOPIC)"
    config = {"cleanup.policy": "compact", "delete.retention.ms": str(TOMBSTONE_SECONDS * 1000)}
    advice = f"create it with {partitions} partitions and cleanup.policy=compact, or allow this user to"
    topic = NewTopic(name, partitions, replicas, config=config)
    if create_topic(admin, settings, what, topic, "Read", "Write", advice=advice):
        told = "created the state topic %s with %d partitions, compacted"
        log.info(told, name, partitions, extra=fields(Code.TOPIC_CREATED))
        demand(admin, settings, "state_topic", "Read", "Write")


def _topic_id(admin: AdminClient, settings: Settings, cluster_id: str) -> str:
    """The topic's id, which tells it from an earlier topic of the same name. Raises KafkaUnavailable.

    A topic of a thousand partitions may take the brokers long to make, and until then they know nothing of it.
    """
    name = settings.state_topic
    if cluster_id.startswith(MOCK_CLUSTER):
        return ""

    def ask(_seconds: float) -> str:
        asked = admin.describe_topics(TopicCollection([name]), request_timeout=REQUEST_SECONDS)
        return str(asked[name].result(2 * REQUEST_SECONDS).topic_id)

    try:  # the broker that answers may not have heard of a new topic yet
        return patiently(ask, settings.startup_timeout_seconds, pause_seconds=POLL_SECONDS)
    except (KafkaException, FutureTimeoutError) as error:
        raise KafkaUnavailable(
            f"the state topic {name!r} (CUSTOMFIT_STATE_TOPIC) can't be described: {error_text(error)}"
        ) from None


def _checked_config(admin: AdminClient, settings: Settings, cluster_id: str) -> float:
    """How long the topic keeps deletions, in seconds. Raises KafkaUnavailable if it is not compacted."""
    if cluster_id.startswith(MOCK_CLUSTER):
        return TOMBSTONE_SECONDS_DEFAULT
    name = settings.state_topic
    resource = ConfigResource(ResourceType.TOPIC, name)
    try:
        config: dict[str, Any] = admin.describe_configs([resource])[resource].result(REQUEST_SECONDS)
    except (KafkaException, FutureTimeoutError) as error:
        log.warning(
            "the settings of the state topic %s can't be read (%s); make sure that its cleanup.policy is compact",
            name,
            error_text(error),
            extra=fields(Code.STATE_UNCHECKED),
        )
        return TOMBSTONE_SECONDS_DEFAULT
    policy = config["cleanup.policy"].value
    if policy != "compact":
        raise KafkaUnavailable(
            f"the state topic {name!r} (CUSTOMFIT_STATE_TOPIC) has cleanup.policy={policy}, so it would lose "
            f"identified users; run {tool(settings, 'kafka-configs.sh')} --alter --topic {name} --add-config "
            "cleanup.policy=compact, or name another topic"
        )
    return int(config["delete.retention.ms"].value) / 1000


class Written(NamedTuple, Generic[Note]):
    """What came of a record: its offset, or an error."""

    note: Note
    offset: int | None
    error: KafkaError | None


class StateWriter(Generic[Note]):
    """Writes records. The `note` of each comes back once, with the record's offset or an error, many at a time.

    A record that is not acknowledged when its lease ends comes back with an error, and is not sent any more.
    """

    def __init__(self, settings: Settings, written: Callable[[list[Written[Note]]], None], post: Post) -> None:
        """`written` takes what came of records. It is called in the writer's thread, and by `write` if that fails."""
        self._settings = settings
        self._post = post
        self._written = written
        self._stopping = False
        self._answers: list[Written[Note]] = []
        """The producer's answers in one call of `poll`."""
        self._is_gone = False
        self._look_at = 0.0
        self._is_outdated = False
        """The client knows fewer partitions than the topic has. By itself it would look again after 30 s."""
        self._thread = threading.Thread(target=self._run, name="state-topic", daemon=True)

    def start(self) -> None:
        """Make the producer, and start the thread."""
        timeout_seconds = self._settings.state_lease.request_timeout_seconds
        config = {
            **producer_config(self._settings, linger_ms=LINGER_MS),
            "message.timeout.ms": max(int(timeout_seconds * 1000), 1),
        }
        self._producer = Producer(config, logger=logging.getLogger("librdkafka"))
        self._thread.start()

    def stop(self) -> None:
        """End the thread. What is not acknowledged by now comes back with an error."""
        self._stopping = True
        self._thread.join()
        self._producer.purge()
        self._producer.poll(0)
        self._hand_on()

    def has_grown(self) -> None:
        """The topic was given more partitions, which are about to be written to: the client is to learn of them."""
        self._is_outdated = True

    def write_all(self, partition: int, records: Sequence[tuple[bytes, bytes, Note]]) -> None:
        """Write records (key, value and note of each) to exactly this partition, in one call, at half the cost."""
        delivered = self._delivered
        messages: list[dict[str, Any]] = [
            {"key": key, "value": value, "callback": partial(delivered, note)} for key, value, note in records
        ]
        queued = self._producer.produce_batch(self._settings.state_topic, messages, partition)
        if queued < len(messages):
            for record, message in zip(records, messages, strict=True):
                if "_error" in message:  # written alone, it comes back with the reason
                    self.write(partition, *record)

    def write(self, partition: int, key: bytes, value: bytes | None, note: Note) -> None:
        """Write one record to exactly this partition. `value` None: a deletion."""
        delivered = partial(self._delivered, note)
        try:
            self._producer.produce(self._settings.state_topic, value, key, partition=partition, on_delivery=delivered)
        except BufferError:
            self._written([Written(note, None, KafkaError(KafkaError._QUEUE_FULL))])
        except KafkaException as error:
            # The partition may be new. The thread asks a broker for it, because nobody may wait for one here.
            self._is_outdated = self._is_outdated or error.args[0].code() == KafkaError._UNKNOWN_PARTITION
            self._written([Written(note, None, error.args[0])])

    def _delivered(self, note: Note, error: KafkaError | None, message: Message) -> None:
        self._answers.append(Written(note, message.offset(), error))

    def _run(self) -> None:
        run_edge("state-topic", self._work, self._post)

    def _work(self) -> None:
        while not self._stopping:
            self._producer.poll(POLL_SECONDS)
            self._hand_on()
            if self._is_outdated:
                self._ask_for_partitions()

    def _ask_for_partitions(self) -> None:
        """Have the client learn how many partitions the topic has. Whoever was refused tries again."""
        self._is_outdated = False
        with suppress(KafkaException):
            self._producer.list_topics(timeout=ASK_SECONDS)  # asks for all: to name one may create it

    def _hand_on(self) -> None:
        if not self._answers:
            return
        answers, self._answers = self._answers, []
        if expired := [answer for answer in answers if _is_expired(answer)]:
            if others := [answer for answer in answers if not _is_expired(answer)]:
                self._written(others)  # they do not wait for _look()
            self._look()
            gone = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
            answers = [answer._replace(error=gone) for answer in expired] if self._is_gone else expired
        self._written(answers)

    def _look(self) -> None:
        """See whether the topic is still there: to the producer, a deleted topic is only a time-out."""
        if self._stopping or time.monotonic() < self._look_at:
            return
        try:  # all topics: to name one may create it, without compaction
            self._is_gone = self._settings.state_topic not in self._producer.list_topics(timeout=ASK_SECONDS).topics
        except KafkaException:
            self._is_gone = False
        self._look_at = time.monotonic() + LOOK_SECONDS


def _is_expired(answer: Written[Note]) -> bool:
    return answer.error is not None and answer.error.code() == KafkaError._MSG_TIMED_OUT
