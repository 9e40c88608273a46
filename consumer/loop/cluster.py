"""What is known of the cluster's topics, and when anything was last heard from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from consumer.ops.growth_note import Grown
from consumer.ports.inputs import TopicSeen

if TYPE_CHECKING:
    from consumer.sequencing.events import Partition
    from consumer.settings import Settings


class Cluster:
    """What the watch (kafka/watch.py) has told of the cluster."""

    def __init__(self, settings: Settings, now: float) -> None:
        self.last_problem: str | None = None
        """The client's last problem, which it is working on by itself."""
        self._heard_at = now
        self._settings = settings
        self._topics: dict[str, TopicSeen] = {}
        self._retention: dict[str, float | None] = {}
        self._grown: tuple[int, int] | None = None
        self._grown_at = 0.0

    def heard(self, now: float) -> None:
        """Something came from a broker."""
        self._heard_at = now
        self.last_problem = None

    def silent_seconds(self, now: float) -> float:
        """For how long nothing has come from any broker."""
        return now - self._heard_at

    def topics_seen(self, topics: Mapping[str, TopicSeen], now: float) -> dict[str, tuple[int, int]]:
        """How the topics are now; of those that are read, which have got more partitions: how many before and now."""
        grown = {}
        for topic, seen in topics.items():
            before = self._topics.get(topic, seen)
            has_more = 0 < (before.partitions or 0) < (seen.partitions or 0)
            if has_more and before.topic_id == seen.topic_id and topic != self._settings.state_topic:
                grown[topic] = before.partitions or 0, seen.partitions or 0
        self._topics |= topics
        source = self._settings.kafka_topic
        if source in grown:
            self._grown, self._grown_at = grown[source], now
        return grown

    def grown(self, now: float) -> Grown | None:
        """How the source topic has grown last; None: it has not since the start."""
        return None if self._grown is None else Grown(self._settings.kafka_topic, *self._grown, now - self._grown_at)

    def retention(self, seconds: Mapping[str, float | None]) -> None:
        """This is how long topics keep their records."""
        self._retention |= seconds

    def retention_seconds(self, topic: str) -> float | None:
        """For how long the topic keeps its records; None: not limited by time, or not known."""
        return self._retention.get(topic)

    def is_gone(self, topic: str) -> bool:
        """Whether the topic does not exist."""
        seen = self._topics.get(topic)
        return seen is not None and seen.partitions is None

    def partitions(self) -> dict[str, int | None]:
        """How many partitions the topics have that are read; None: the topic does not exist."""
        state = self._settings.state_topic
        return {topic: seen.partitions for topic, seen in self._topics.items() if topic != state}

    def leads(self, partition: Partition) -> bool:
        """Whether the partition has a leader, as far as is known."""
        seen = self._topics.get(partition.topic)
        return seen is None or partition.number not in seen.leaderless

    def leads_state(self, partition: Partition) -> bool:
        """Whether its partition of the state topic has a leader."""
        seen = self._topics.get(self._settings.state_topic)
        return seen is None or partition.topic != self._settings.kafka_topic or partition.number not in seen.leaderless
