"""Asks the cluster about topics, by name: a topic's id, its partitions, and which of them have no leader.

Each topic has an answer of its own, so that one that may not be described keeps no other waiting.

A topic that was deleted and made again under its name has another id. If the cluster gives no ids (before Kafka 2.8, or
librdkafka's mock cluster), it can't be told from the topic that was there before.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import TopicMetadata

from consumer.kafka.client import admin_client
from consumer.kafka.rights import MOCK_CLUSTER
from consumer.log_codes import Code, fields
from consumer.ports.inputs import TopicSeen

if TYPE_CHECKING:
    from consumer.settings import Settings

CONFIRM_SECONDS: Final = 2.0
NO_ID: Final = "AAAAAAAAAAAAAAAAAAAAAA"
"""Sixteen zero bytes in base64: the answer of a broker that knows no ids."""
NOT_THERE: Final = TopicSeen(None, None, frozenset())

T = TypeVar("T")
log = logging.getLogger("consumer.kafka")


class Told(NamedTuple, Generic[T]):
    """What was answered, topic by topic."""

    known: dict[str, T]
    errors: dict[str, KafkaError]
    """Why nothing is known of the others."""

    @property
    def is_heard(self) -> bool:
        """Whether a broker has answered at all, even with a refusal. The client's own errors have lower codes."""
        return bool(self.known) or any(error.code() >= KafkaError.UNKNOWN for error in self.errors.values())


class TopicIds:
    """Asks about topics, and remembers none of the answers. Several threads may use it at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._is_off: bool | None = None
        """None: not known yet."""

    def start(self) -> None:
        """Make the client."""
        self._admin = admin_client(self._settings)

    @property
    def is_off(self) -> bool:
        """Whether the cluster gives topics no id."""
        return bool(self._is_off)

    def seen(self, topics: Collection[str], seconds: float) -> Told[TopicSeen]:
        """What the cluster says of these topics, within `seconds`. A topic without partitions does not exist.

        Raises KafkaException if the cluster does not answer at all.
        """
        if self._is_imitation(seconds) or self._is_off:
            return Told(self._from_metadata(topics, seconds), {})
        deadline = time.monotonic() + seconds + 1
        told = _told(self._ask(topics, seconds), lambda future: _seen(future, deadline))
        self._look_for_ids(told.known.values())
        return told

    def ask(self, topics: Collection[str], then: Callable[[Told[str]], None]) -> None:
        """Ask without waiting: `then` gets the topics' ids, in a thread of the client.

        If the cluster gives no ids, `then` gets none, at once.
        """
        if self._is_off or not topics:
            then(Told({}, {}))
            return
        asked = self._ask(topics, CONFIRM_SECONDS)
        left = set(topics)

        def answered(topic: str) -> None:
            left.discard(topic)  # all are called by one thread
            if not left:
                then(_ids_of(asked, 0))

        for topic, future in asked.items():
            future.add_done_callback(partial(lambda topic, _future: answered(topic), topic))

    def within(self, topics: Collection[str], seconds: float) -> dict[str, str]:
        """Topic → id, of those that were answered within `seconds`."""
        if self._is_off or not topics:
            return {}
        return _ids_of(self._ask(topics, seconds), seconds).known

    def _ask(self, topics: Collection[str], seconds: float) -> dict[str, Future[Any]]:
        return self._admin.describe_topics(TopicCollection(sorted(topics)), request_timeout=seconds)

    def _is_imitation(self, seconds: float) -> bool:
        if self._is_off is None:
            self._set_off(str(self._admin.list_topics(timeout=seconds).cluster_id).startswith(MOCK_CLUSTER) or None)
        return self.is_off

    def _look_for_ids(self, topics: Collection[TopicSeen]) -> None:
        ids = [seen.topic_id for seen in topics if seen.partitions is not None]
        if self._is_off is None and ids:
            self._set_off(None in ids)

    def _set_off(self, is_off: bool | None) -> None:
        self._is_off = is_off
        if is_off:
            told = "the cluster gives topics no id: a topic made again under its name is not noticed"
            log.info(told, extra=fields(Code.NO_TOPIC_IDS))

    def _from_metadata(self, topics: Collection[str], seconds: float) -> dict[str, TopicSeen]:
        known = self._admin.list_topics(timeout=seconds).topics  # asks for all: to name one may create it
        return {topic: _seen_in(known[topic]) if topic in known else NOT_THERE for topic in topics}


def id_text(topic_id: object) -> str:
    """A topic's id, as Kafka's own tools show it; confluent-kafka (2.16.1) uses the other alphabet of base64."""
    return str(topic_id).replace("+", "-").replace("/", "_")


def _seen_in(topic: TopicMetadata) -> TopicSeen:
    leaderless = frozenset(number for number, partition in topic.partitions.items() if partition.leader < 0)
    return TopicSeen(None, len(topic.partitions) or None, leaderless)


def _told(asked: Mapping[str, Future[Any]], take: Callable[[Future[Any]], T]) -> Told[T]:
    told: Told[T] = Told({}, {})
    for topic, future in asked.items():
        try:
            told.known[topic] = take(future)
        except KafkaException as error:
            told.errors[topic] = error.args[0]
        except FutureTimeoutError:
            told.errors[topic] = KafkaError(KafkaError._TIMED_OUT)
    return told


def _ids_of(asked: Mapping[str, Future[Any]], seconds: float) -> Told[str]:
    """Topic → id, of those that are answered within `seconds`. A topic without an id is left out."""
    deadline = time.monotonic() + seconds
    told = _told(asked, lambda future: id_text(future.result(max(deadline - time.monotonic(), 0)).topic_id))
    return Told({topic: topic_id for topic, topic_id in told.known.items() if topic_id != NO_ID}, told.errors)


def _seen(future: Future[Any], deadline: float) -> TopicSeen:
    try:
        told = future.result(max(deadline - time.monotonic(), 0))
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return NOT_THERE
        raise
    topic_id = id_text(told.topic_id)
    leaderless = frozenset(one.id for one in told.partitions if one.leader is None or one.leader.id < 0)
    return TopicSeen(None if topic_id == NO_ID else topic_id, len(told.partitions), leaderless)
