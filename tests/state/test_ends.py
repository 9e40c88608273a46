"""Where the state topic ends is asked for all at once, by leader, and again where no answer comes."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumer.state import ends as state_ends
from consumer.state.ends import AGAIN_SECONDS, DEADLINE_SECONDS, Asked, _Thread
from tests.settings.given_settings import load

NO_LEADER = -1


class Cluster:
    """Who leads which partition, and the questions that were asked; the test answers them."""

    def __init__(self, *leaders: int) -> None:
        self.leaders = list(leaders)
        self.questions: list[dict[int, Future[Any]]] = []

    def list_topics(self, timeout: float) -> Any:
        assert timeout > 0
        partitions = {number: SimpleNamespace(leader=leader) for number, leader in enumerate(self.leaders)}
        topic = SimpleNamespace(partitions=partitions)
        return SimpleNamespace(topics={load().state_topic: topic})

    def list_offsets(self, wanted: dict[TopicPartition, Any], **_: object) -> dict[TopicPartition, Future[Any]]:
        futures: dict[TopicPartition, Future[Any]] = {where: Future() for where in wanted}
        self.questions.append({where.partition: future for where, future in futures.items()})
        return futures

    def poll(self, _seconds: float) -> None: ...

    def answer(self, question: int, **_: object) -> None:
        """Partition n ends at 10 + n."""
        for number, future in self.questions[question].items():
            future.set_result(SimpleNamespace(offset=10 + number))


class Clock:
    """Stands until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _seconds: float) -> None: ...


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The thread's."""
    clock = Clock()
    monkeypatch.setattr(state_ends, "time", clock)
    return clock


def asking(cluster: Cluster, *partitions: int) -> _Thread:
    """These are asked for."""
    thread = _Thread(load(), lambda _: None)
    thread._admin = cast("Any", cluster)
    for number in partitions:
        thread.wanted.put(Asked(number, number))
    thread._turn()
    return thread


def told(thread: _Thread) -> dict[int, int | None]:
    """Partition → its end, or why it is not known, as the error's code."""
    said: dict[int, int | None] = {}
    while not thread.answers.empty():
        end = thread.answers.get()
        said[end.asked.partition] = end.offset if end.error is None else end.error.code()
    return said


@pytest.mark.usefixtures("clock")
def test_all_ends_are_asked_for_in_one_question_a_leader() -> None:
    """A broker that does not answer holds back its own partitions only."""
    cluster = Cluster(1, 2, 1, 2)
    thread = asking(cluster, 0, 1, 2, 3)
    cluster.answer(1)
    thread._turn()

    assert [[0, 2], [1, 3]] == [sorted(question) for question in cluster.questions]
    assert {1: 11, 3: 13} == told(thread)


def test_a_partition_without_a_leader_waits_alone(clock: Clock) -> None:
    """And is asked for when it has one again."""
    cluster = Cluster(1, NO_LEADER)
    thread = asking(cluster, 0, 1)
    cluster.answer(0)
    thread._turn()
    said = told(thread)
    cluster.leaders = [1, 1]
    clock.now += AGAIN_SECONDS
    thread._turn()
    cluster.answer(1)
    thread._turn()

    assert {0: 10, 1: KafkaError.LEADER_NOT_AVAILABLE} == said
    assert {1: 11} == told(thread)


@pytest.mark.parametrize("why", ["silence", "refused"])
def test_what_has_no_answer_is_asked_for_again(clock: Clock, why: str) -> None:
    """The client may never answer: the deadline is ours."""
    cluster = Cluster(1, 1)
    thread = asking(cluster, 0, 1)
    if why == "refused":
        error = KafkaException(KafkaError(KafkaError.OFFSET_NOT_AVAILABLE))
        cluster.questions[0][0].set_exception(error)
        cluster.questions[0][1].set_result(SimpleNamespace(offset=11))
    clock.now += DEADLINE_SECONDS
    thread._turn()
    said = told(thread)
    clock.now += AGAIN_SECONDS
    thread._turn()
    again = sorted(cluster.questions[-1])

    silent = {0: KafkaError._TIMED_OUT, 1: KafkaError._TIMED_OUT}
    assert (silent if why == "silence" else {0: KafkaError.OFFSET_NOT_AVAILABLE, 1: 11}) == said
    assert ([0, 1] if why == "silence" else [0]) == again


def test_what_is_not_wanted_any_more_is_not_asked_again(clock: Clock) -> None:
    """The partition left."""
    cluster = Cluster(1)
    thread = asking(cluster, 0)
    thread.unwanted.put(Asked(0, 0))
    thread._turn()
    clock.now += DEADLINE_SECONDS + AGAIN_SECONDS
    thread._turn()

    assert {} == told(thread)
    assert 1 == len(cluster.questions)
