"""What the cluster says of the logs and topics, asked in a thread of its own: nobody waits for an answer.

Two questions. Where those logs end that others wait for, some fifty times a second at most; the answer counts from when
it was asked. And how many partitions source and target have, with which id, every two seconds.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import IsolationLevel, KafkaError, KafkaException
from confluent_kafka.admin import OffsetSpec

from consumer.kafka.client import OUTDATED_ERRORS, admin_client
from consumer.kafka.log_offsets import answered
from consumer.kafka.rights import Right, explained, is_denied
from consumer.kafka.topic_ids import TopicIds
from consumer.kafka.translate import topic_partitions_of
from consumer.ports.inputs import TopicSeen
from consumer.sequencing.events import Partition

if TYPE_CHECKING:
    from consumer.settings import Settings

PACE_SECONDS: Final = 0.02
PACE_SECONDS_A_PARTITION: Final = 0.0002
ASK_SECONDS: Final = 1.0
TOPICS_SECONDS: Final = 2.0
TOPICS_ASK_SECONDS: Final = 5.0


class Ends(NamedTuple):
    """Where logs ended."""

    asked_at: float
    ends: Mapping[Partition, int]


class Logs:
    """Asks; the loop takes the answers."""

    def __init__(self, settings: Settings, topics: Collection[str]) -> None:
        self.failure: BaseException | None = None
        """What has ended the thread."""
        self.topics: Mapping[str, TopicSeen] = {}
        """As they were seen last."""
        self.denied: str | None = None
        """The right on one of them that is missing, as the last answer says."""
        self._settings = settings
        self._names = list(topics)
        self._wanted: tuple[Partition, ...] = ()
        self._is_wanted = threading.Event()
        self._answers: queue.SimpleQueue[Ends] = queue.SimpleQueue()
        self._stopping = False
        self._topics_at = 0.0
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def want(self, partitions: Collection[Partition]) -> None:
        """Ask where these end, until others are wanted, or none."""
        self._wanted = tuple(partitions)
        if partitions:
            self._is_wanted.set()

    def answers(self) -> list[Ends]:
        """What has come since."""
        taken = []
        while True:
            try:
                taken.append(self._answers.get_nowait())
            except queue.Empty:
                return taken

    def stop(self) -> None:
        """End the thread, without waiting for it."""
        self._stopping = True
        self._is_wanted.set()

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            self._admin = admin_client(self._settings)
            self._ids = TopicIds(self._settings)
            self._ids.start()
            while not self._stopping:
                self._turn()
        except BaseException as problem:  # noqa: BLE001  raised where the answers are taken
            self.failure = problem

    def _turn(self) -> None:
        if time.monotonic() >= self._topics_at:
            self._look_at_topics()
            self._topics_at = time.monotonic() + TOPICS_SECONDS
        self._is_wanted.wait(max(min(self._topics_at - time.monotonic(), 0.5), 0.01))
        wanted = self._wanted
        if not wanted:
            self._is_wanted.clear()
            return
        began = time.monotonic()
        self._look_at_ends(wanted)
        pace = max(PACE_SECONDS, PACE_SECONDS_A_PARTITION * len(wanted))
        time.sleep(max(began + pace - time.monotonic(), 0.0))

    def _look_at_topics(self) -> None:
        try:
            told = self._ids.seen(self._names, TOPICS_ASK_SECONDS)
            self.topics = {**self.topics, **told.known}
            self.denied = next((self._refusal(*one) for one in told.errors.items() if is_denied(one[1])), None)
        except KafkaException:
            return  # that nothing is heard is seen by whoever writes

    def _refusal(self, topic: str, error: KafkaError) -> str:
        operation = "Read" if topic == self._settings.kafka_topic else "Write"
        return f"{topic}: {explained(self._settings, error, Right(operation, 'topic', topic))}"

    def _look_at_ends(self, wanted: Collection[Partition]) -> None:
        asked_at = time.monotonic()
        # One without a leader would keep the others' answers waiting.
        leaderless = {name: seen.leaderless for name, seen in self.topics.items()}
        some = [p for p in wanted if p.number not in leaderless.get(p.topic, ())]
        if not some:
            return
        futures = self._admin.list_offsets(
            dict.fromkeys(topic_partitions_of(some), OffsetSpec.latest()),
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=ASK_SECONDS,
        )
        ends: dict[Partition, int] = {}
        is_outdated = False
        for partition, told in answered(futures, asked_at + ASK_SECONDS + 1):
            if isinstance(told, int):
                ends[partition] = told
            else:
                is_outdated = is_outdated or told.code() in OUTDATED_ERRORS
        if is_outdated:
            self._admin = admin_client(self._settings)
        if ends:
            self._answers.put(Ends(asked_at, ends))
