"""The state topic is given more partitions: tried again, or given up, one step at a time and without a broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.ports.inputs import PartitionFailed, StateFixed, StateOpened, StateProblem, ThreadEnded
from consumer.sequencing.events import Partition
from consumer.state import growth as state_growth
from consumer.state.growth import Growth
from tests.state.given_thread import P1, SOURCE, Steps, opened, tenure


def test_a_partition_that_left_while_the_topic_grew_can_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Growing takes long; what it was for is not opened behind the back of whoever has it by then, nor lost later."""
    may_grow = threading.Event()
    monkeypatch.setattr(state_growth, "grow", lambda *_: may_grow.wait(30))
    states = Steps(partitions=1)
    states.open(tenure(P1))
    states.step()
    states.close(P1)
    states.step()
    may_grow.set()
    states.await_work()
    away = states.step()
    states.open(tenure(P1))
    back = opened(states.step())

    assert [] == away
    assert [P1] == back


class PromptGrowth(Growth):
    """Tries without a thread."""

    def _begin(self, partitions: Collection[Partition]) -> None:
        self._try(partitions)


def growing() -> Steps:
    """A partition is ours that the topic does not have yet."""
    states = Steps(partitions=1)
    states._growth = PromptGrowth(states._settings, states._on_grown)
    states.open(tenure(P1))
    return states


class Answers:
    """What the cluster says to each try to grow the topic; nothing: done."""

    def __init__(self, *answers: Exception | None) -> None:
        self._answers = list(answers)

    def __call__(self, *_: object) -> None:
        if (answer := self._answers.pop(0)) is not None:
            raise answer


@pytest.mark.parametrize(
    "code", [KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError.NOT_CONTROLLER, KafkaError.UNKNOWN]
)
def test_growing_is_tried_again_until_it_works(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What passes by itself is told once, then the partition opens; the pauses grow up to a limit."""
    error = KafkaException(KafkaError(code))
    monkeypatch.setattr(state_growth, "grow", Answers(*[error] * 8, None))
    states = growing()
    posted, pauses = states.step(), []
    for _ in range(8):
        pauses.append(round(states._growth.next_due() - time.monotonic()))
        states._try_again(states._growth.next_due())
        posted += states.step()

    assert [StateProblem, StateOpened, StateFixed] == [type(item) for item in posted]
    assert [1, 2, 4, 8, 16, 30, 30, 30] == pauses


def test_partitions_that_wait_are_grown_for_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One try for all of them, to the highest, and not a thread each; one that comes meanwhile waits for the next."""
    wanted: list[int] = []
    monkeypatch.setattr(state_growth, "grow", lambda _admin, _name, partitions: wanted.append(partitions))
    states = growing()
    for number in (2, 5, 3):
        states.open(tenure(Partition(SOURCE, number)))
    with monkeypatch.context() as patch:
        patch.setattr(states._growth, "_begin", lambda _: None)  # it takes its time
        states.step()
        states.open(tenure(Partition(SOURCE, 7)))
        states.step()
    states._growth._try(states._growth._tried)
    posted = states.step()

    assert [6, 8] == wanted
    assert [1, 2, 3, 5, 7] == sorted(partition.number for partition in opened(posted))


def test_growing_that_is_forbidden_stops_the_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying again changes nothing: the operator is told what to do."""
    error = KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    monkeypatch.setattr(state_growth, "grow", Answers(error))
    states = growing()
    posted = states.step()

    assert [PartitionFailed] == [type(item) for item in posted]
    assert float("inf") == states._growth.next_due()


def test_a_partition_that_leaves_is_not_grown_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The problem leaves with it."""
    monkeypatch.setattr(state_growth, "grow", Answers(KafkaException(KafkaError(KafkaError._TRANSPORT))))
    states = growing()
    states.step()
    states.close(P1)
    posted = states.step()

    assert [StateFixed("not_grown")] == posted
    assert float("inf") == states._growth.next_due()


def test_a_fault_in_growing_ends_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the loop hears of it, where a partition waited for ever without a word."""
    fault = RuntimeError("a fault of this program")
    monkeypatch.setattr(state_growth, "grow", Answers(fault))
    states = growing()
    states._run()
    ended = [item for item in states.posted if isinstance(item, ThreadEnded)]

    assert [("state", fault)] == [(item.name, item.error) for item in ended]
