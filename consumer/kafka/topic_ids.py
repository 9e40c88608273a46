"""What the cluster says of a topic: its id, its partitions, who has no leader. Asked by name, answered or timed out.

A topic deleted and made again under its name has another id. Where the cluster tells none (before Kafka 2.8, or
librdkafka's imitation), a topic that was made again can't be told from the one that was there before.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from consumer.kafka.client import admin_client
from consumer.kafka.rights import MOCK_CLUSTER
from consumer.ports.inputs import TopicSeen

if TYPE_CHECKING:
    from consumer.settings import Settings

CONFIRM_SECONDS: Final = 2.0
NO_ID: Final = "AAAAAAAAAAAAAAAAAAAAAA"
"""Sixteen bytes of zero: what a broker that knows no ids answers."""

log = logging.getLogger("consumer.kafka")


class TopicIds:
    """Asks for topics, again each time. Used by several threads; each call stands for itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._is_off: bool | None = None
        """None: not known yet."""

    def start(self) -> None:
        """Make the client."""
        self._admin = admin_client(self._settings)

    @property
    def is_off(self) -> bool:
        """Whether the cluster tells no ids."""
        return bool(self._is_off)

    def of(self, topics: Collection[str], seconds: float) -> dict[str, str | None]:
        """The ids of those that exist; None where the cluster tells no ids. Raises KafkaException."""
        return {
            topic: seen.topic_id for topic, seen in self.seen(topics, seconds).items() if seen.partitions is not None
        }

    def seen(self, topics: Collection[str], seconds: float) -> dict[str, TopicSeen]:
        """All of it. A topic without partitions does not exist. Raises KafkaException where no answer comes."""
        if self._tells_none(seconds):
            return {topic: self._from_metadata(topic, seconds) for topic in topics}
        deadline = time.monotonic() + seconds + 1
        asked = self._ask(topics, seconds)
        return {topic: _seen(future, deadline) for topic, future in asked.items()}

    def ask(self, topics: Collection[str], then: Callable[[dict[str, str] | None], None]) -> None:
        """Ask without waiting: `then` gets the ids, or None where one was not answered, from a thread of the client.

        Where the cluster tells no ids it gets none, at once.
        """
        if self._is_off or not topics:
            then({})
            return
        asked = self._ask(topics, CONFIRM_SECONDS)
        left = set(topics)

        def answered(topic: str) -> None:
            left.discard(topic)  # all are called by one thread
            if not left:
                then(_ids_of(asked))

        for topic, future in asked.items():
            future.add_done_callback(partial(lambda topic, _future: answered(topic), topic))

    def within(self, topics: Collection[str], seconds: float) -> dict[str, str]:
        """Ask and wait so long at most: those that were answered."""
        if self._is_off or not topics:
            return {}
        asked = self._ask(topics, seconds)
        deadline = time.monotonic() + seconds
        for future in asked.values():
            try:
                future.exception(max(deadline - time.monotonic(), 0))
            except FutureTimeoutError:
                return {}
        return _ids_of(asked) or {}

    def _ask(self, topics: Collection[str], seconds: float) -> dict[str, Future[Any]]:
        return self._admin.describe_topics(TopicCollection(sorted(topics)), request_timeout=seconds)

    def _tells_none(self, seconds: float) -> bool:
        if self._is_off is None:
            topic = self._settings.kafka_topic
            self._is_off = str(self._admin.list_topics(topic, timeout=seconds).cluster_id).startswith(MOCK_CLUSTER)
            if not self._is_off:
                seen = self.seen([topic], seconds)[topic]
                self._is_off = seen.partitions is not None and seen.topic_id is None
            if self._is_off:
                log.info("the cluster gives topics no id: a topic made again under its name is not noticed")
        return self._is_off

    def _from_metadata(self, topic: str, seconds: float) -> TopicSeen:
        partitions = self._admin.list_topics(topic, timeout=seconds).topics[topic].partitions
        leaderless = frozenset(number for number, partition in partitions.items() if partition.leader < 0)
        return TopicSeen(None, len(partitions) or None, leaderless)


def id_text(topic_id: object) -> str:
    """As Kafka's own tools show it; confluent-kafka (2.16.1) gives the other alphabet of base64."""
    return str(topic_id).replace("+", "-").replace("/", "_")


def _ids_of(asked: Mapping[str, Future[Any]]) -> dict[str, str] | None:
    """Of answered questions; None: one has failed."""
    if any(future.exception() is not None for future in asked.values()):
        return None
    ids = {topic: id_text(future.result().topic_id) for topic, future in asked.items()}
    return {topic: topic_id for topic, topic_id in ids.items() if topic_id != NO_ID}


def _seen(future: Future[Any], deadline: float) -> TopicSeen:
    try:
        told = future.result(max(deadline - time.monotonic(), 0))
    except FutureTimeoutError:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from None
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return TopicSeen(None, None, frozenset())
        raise
    topic_id = id_text(told.topic_id)
    leaderless = frozenset(one.id for one in told.partitions if one.leader is None or one.leader.id < 0)
    return TopicSeen(None if topic_id == NO_ID else topic_id, len(told.partitions), leaderless)
