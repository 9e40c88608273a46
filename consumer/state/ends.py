"""Asks where partitions of the state topic end, by ListOffsets, for all that are to be read at once.

The end that a fetch shows is not believed. Right after an election, a leader's high watermark may lie below records
that are acknowledged, and a fetch shows that as the end. If such a leader is asked for the end, it answers
OFFSET_NOT_AVAILABLE until it has caught up (KIP-207, Kafka 2.2).

Each leader gets a request of its own, so that a broker that does not answer delays only its own partitions. A partition
without a leader is not asked about until it has one. An answer may never come (confluent-kafka 2.16.1), so the deadline
is ours. All this happens in a thread of its own, which exists only while there is something to ask.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from consumer.kafka.client import admin_client

if TYPE_CHECKING:
    from consumer.settings import Settings

DEADLINE_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 1.0
METADATA_SECONDS: Final = 2.0
TURN_SECONDS: Final = 0.02

Item = TypeVar("Item")


class Asked(NamedTuple):
    """A question for one partition's end. Its number tells it from an earlier one, whose answer may be too low."""

    partition: int
    number: int


class End(NamedTuple):
    """Where a partition ends, or why that is not known yet; then it is asked again."""

    asked: Asked
    offset: int | None
    error: KafkaError | None


class _Question(NamedTuple):
    answers: dict[Asked, Future[Any]]
    deadline: float


class Ends:
    """Asks for the ends of partitions until each is known."""

    def __init__(self, settings: Settings, on_error: Callable[[KafkaError], None]) -> None:
        """`on_error` gets errors of the client's connections, in the thread."""
        self._settings = settings
        self._on_error = on_error
        self._numbers = count()
        self._thread: _Thread | None = None

    def ask(self, partition: int) -> Asked:
        """Ask until the partition's end is known; the answer is among `answers`."""
        if self._thread is None:
            self._thread = _Thread(self._settings, self._on_error)
            self._thread.start()
        asked = Asked(partition, next(self._numbers))
        self._thread.wanted.put(asked)
        return asked

    def forget(self, asked: Asked) -> None:
        """Stop asking, since nobody waits for it. An answer may still come."""
        if self._thread is not None:
            self._thread.unwanted.put(asked)

    def answers(self) -> Iterator[End]:
        """Yield the answers since the last call. Raises what has ended the thread, if anything has."""
        if self._thread is None:
            return
        if self._thread.failure is not None:
            raise self._thread.failure
        yield from _taken(self._thread.answers)

    def close(self) -> None:
        """Stop asking for anything. The thread ends by itself."""
        if self._thread is not None:
            self._thread.stopping = True
            self._thread = None


class _Thread(threading.Thread):
    """The questions that wait to be asked, and those that were asked and are not answered."""

    def __init__(self, settings: Settings, on_error: Callable[[KafkaError], None]) -> None:
        super().__init__(name="state-ends", daemon=True)
        self.wanted: queue.SimpleQueue[Asked] = queue.SimpleQueue()
        self.unwanted: queue.SimpleQueue[Asked] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[End] = queue.SimpleQueue()
        self.failure: BaseException | None = None
        self.stopping = False
        self._settings = settings
        self._topic = settings.state_topic
        self._on_error = on_error
        self._due: dict[Asked, float] = {}
        """When to ask each question, in monotonic seconds."""
        self._questions: list[_Question] = []

    def run(self) -> None:
        try:
            self._admin: AdminClient = admin_client(self._settings, self._on_error)
            while not self.stopping:
                self._turn()
        except BaseException as problem:  # noqa: BLE001  raised where the answers are taken
            self.failure = problem

    def _turn(self) -> None:
        time.sleep(TURN_SECONDS)  # partitions are opened one by one: wait, to ask for many at once
        now = time.monotonic()
        for asked in _taken(self.wanted):
            self._due[asked] = now
        self._admin.poll(0)  # calls `on_error`
        self._look(now)
        for asked in _taken(self.unwanted):
            self._due.pop(asked, None)
            for question in self._questions:
                question.answers.pop(asked, None)
        if due := [asked for asked, at in self._due.items() if now >= at]:
            self._ask(due)

    def _ask(self, due: list[Asked]) -> None:
        """Ask each leader one question, after a short request for which partition has which leader."""
        try:  # asks for all topics: to name one may create it, without compaction
            topic = self._admin.list_topics(timeout=METADATA_SECONDS).topics.get(self._topic)
        except KafkaException as error:
            self._again(due, error.args[0])
            return
        by_leader: dict[int, list[Asked]] = {}
        for asked in due:
            metadata = topic.partitions.get(asked.partition) if topic is not None else None
            if metadata is None:
                self._again([asked], KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
            elif metadata.leader < 0:
                self._again([asked], KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
            else:
                by_leader.setdefault(metadata.leader, []).append(asked)
        for some in by_leader.values():
            self._ask_leader(some)

    def _ask_leader(self, some: list[Asked]) -> None:
        where = {asked.partition: TopicPartition(self._topic, asked.partition) for asked in some}
        futures = self._admin.list_offsets(
            {partition: OffsetSpec.latest() for partition in where.values()},
            isolation_level=IsolationLevel.READ_COMMITTED,  # where a reader of committed records finds the end
            request_timeout=DEADLINE_SECONDS,
        )
        answers = {asked: futures[where[asked.partition]] for asked in some}
        self._questions.append(_Question(answers, time.monotonic() + DEADLINE_SECONDS))
        for asked in some:
            del self._due[asked]

    def _look(self, now: float) -> None:
        """Pass the answers on, and ask again what was not answered by the deadline."""
        for question in self._questions:
            for asked in [one for one, answer in question.answers.items() if answer.done()]:
                answer = question.answers.pop(asked)
                error = answer.exception()
                if error is None:
                    self.answers.put(End(asked, int(answer.result().offset), None))
                elif isinstance(error, KafkaException):
                    self._again([asked], error.args[0])
                else:
                    raise error
            if now >= question.deadline:
                self._again(question.answers, KafkaError(KafkaError._TIMED_OUT))
                question.answers.clear()
        self._questions = [question for question in self._questions if question.answers]

    def _again(self, some: Iterable[Asked], error: KafkaError) -> None:
        at = time.monotonic() + AGAIN_SECONDS
        for asked in some:
            self._due[asked] = at
            self.answers.put(End(asked, None, error))


def _taken(items: queue.SimpleQueue[Item]) -> Iterator[Item]:
    """Take all that is in the queue now."""
    while True:
        try:
            yield items.get_nowait()
        except queue.Empty:
            return
