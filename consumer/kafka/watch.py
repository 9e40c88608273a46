"""Asks the cluster about our topics and logs, again and again, in a thread of its own.

It asks where logs end and begin, how many partitions the topics have and which have no leader, which id a topic has,
and how long records are kept. Nobody waits for an answer: one that does not come is missing in what is posted, and is
asked for again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from confluent_kafka import IsolationLevel, KafkaException
from confluent_kafka.admin import ConfigResource, OffsetSpec, ResourceType

from consumer.kafka.client import OUTDATED_ERRORS, admin_client
from consumer.kafka.log_offsets import answered
from consumer.kafka.topic_ids import TopicIds
from consumer.kafka.translate import topic_partitions_of
from consumer.ports.inbox import run_edge
from consumer.ports.inputs import LogBounds, Post, Retention, TopicsSeen
from consumer.sequencing.events import Partition

if TYPE_CHECKING:
    from consumer.settings import Settings

ENDS_SECONDS: Final = 1.0
ENDS_SECONDS_A_PARTITION: Final = 0.005
"""An answer costs the interpreter some 30 us a partition, so a thousand partitions are asked for every 5 s."""
TOPICS_SECONDS: Final = 2.0
BEGINNINGS_SECONDS: Final = 15.0
RETENTION_SECONDS: Final = 60.0
ASK_SECONDS: Final = 5.0
LOGS_SECONDS: Final = 2.0
"""For all questions about logs together; the client has 1 s more to hand over what it has, since it waits for the last
broker. A silent broker must not keep us from looking at the topics."""


class _Question(NamedTuple):
    """A question about each log."""

    spec: OffsetSpec
    level: IsolationLevel


_HIGHS: Final = _Question(OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
_STABLE: Final = _Question(OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
_BEGINNINGS: Final = _Question(OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED)


class Watch:
    """Posts `LogBounds`, `TopicsSeen` and `Retention`."""

    def __init__(self, settings: Settings, post: Post) -> None:
        self.partitions: frozenset[Partition] = frozenset()
        """Whose logs to look at; set by the thread that owns the consumer."""
        self._settings = settings
        self._post = post
        self._stop = threading.Event()
        self._due = dict.fromkeys(("ends", "topics", "beginnings", "retention"), 0.0)
        self._beginnings: dict[Partition, int] = {}
        self._leaderless: dict[str, frozenset[int]] = {}
        self._thread = threading.Thread(
            target=lambda: run_edge("watch", self._watch, self._post), name="watch", daemon=True
        )

    def start(self, topics: Collection[str], ids: TopicIds) -> None:
        """Start the thread. `topics`: those that are read; the state topic is looked at as well."""
        self._topics = list(topics)
        self._ids = ids
        self._admin = admin_client(self._settings)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, without waiting for it."""
        self._stop.set()

    # ------------------------------------------------------------------ the thread

    def _watch(self) -> None:
        while not self._stop.is_set():
            self._look_at_topics()
            if self._is_due("ends", max(ENDS_SECONDS, ENDS_SECONDS_A_PARTITION * len(self.partitions))):
                self._look_at_logs()
                self._look_at_topics()
            if self._is_due("retention", RETENTION_SECONDS):
                self._look_at_retention()
            self._stop.wait(max(min(self._due.values()) - time.monotonic(), 0.05))

    def _is_due(self, what: str, every_seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due[what]:
            return False
        self._due[what] = now + every_seconds
        return True

    def _look_at_topics(self) -> None:
        """Look at the topics, if it is time. Called between all that may take long."""
        if not self._is_due("topics", TOPICS_SECONDS):
            return
        try:
            told = self._ids.seen([*self._topics, self._settings.state_topic], ASK_SECONDS)
        except KafkaException:
            return  # the loop sees that nothing is heard
        self._leaderless |= {topic: one.leaderless for topic, one in told.known.items()}
        if told.is_heard:
            self._post(TopicsSeen(told.known))

    def _look_at_logs(self) -> None:
        # A partition without a leader would hold up the others' answers.
        asked = [p for p in self.partitions if p.number not in self._leaderless.get(p.topic, ())]
        if not asked:
            return
        wanted = {"highs": _HIGHS, "stable": _STABLE}
        if self._is_due("beginnings", BEGINNINGS_SECONDS):
            wanted["beginnings"] = _BEGINNINGS
        found = self._offsets(asked, wanted)
        self._beginnings = found.get("beginnings", self._beginnings)
        if found["highs"]:
            self._post(LogBounds(found["highs"], found["stable"], self._beginnings))

    def _offsets(self, partitions: list[Partition], wanted: Mapping[str, _Question]) -> dict[str, dict[Partition, int]]:
        """Question → partition → offset: all questions are asked at once, with one deadline."""
        where = topic_partitions_of(partitions)
        asked = {
            name: self._admin.list_offsets(
                dict.fromkeys(where, question.spec), isolation_level=question.level, request_timeout=LOGS_SECONDS
            )
            for name, question in wanted.items()
        }
        deadline = time.monotonic() + LOGS_SECONDS + 1
        found: dict[str, dict[Partition, int]] = {name: {} for name in wanted}
        is_outdated = False
        for name, futures in asked.items():
            for partition, told in answered(futures, deadline):
                if isinstance(told, int):
                    found[name][partition] = told
                else:
                    is_outdated = is_outdated or told.code() in OUTDATED_ERRORS
        if is_outdated:
            self._admin = admin_client(self._settings)
        return found

    def _look_at_retention(self) -> None:
        """Look how long records are kept, of topics whose configuration we may see."""
        if self._ids.is_off:
            return  # librdkafka's mock cluster leaves the question unanswered
        resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in self._topics]
        deadline = time.monotonic() + ASK_SECONDS + 1
        kept: dict[str, float | None] = {}
        for resource, future in self._admin.describe_configs(resources, request_timeout=ASK_SECONDS).items():
            try:
                kept[resource.name] = _retention_seconds(future.result(max(deadline - time.monotonic(), 0)))
            except (KafkaException, FutureTimeoutError, KeyError, ValueError):
                continue
        if kept:
            self._post(Retention(kept))


def _retention_seconds(entries: dict[str, Any]) -> float | None:
    """How long records are kept, in seconds; None: time does not limit it."""
    milliseconds = int(entries["retention.ms"].value)
    if milliseconds < 0 or "delete" not in entries["cleanup.policy"].value:
        return None
    return milliseconds / 1000
