"""Kafka is asked until it answers, until that can't help any more, or until the time is over."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.kafka.patience import ASK_SECONDS_MIN, patiently

NOBODY_THERE = KafkaException(KafkaError(KafkaError._TRANSPORT))


def failing(*failures: Exception) -> tuple[Callable[[float], str], list[float]]:
    """What fails with each of these, then answers; and how many seconds it was given each time."""
    left, given = list(failures), list[float]()

    def ask(seconds: float) -> str:
        given.append(seconds)
        if left:
            raise left.pop(0)
        return "answer"

    return ask, given


def test_it_is_asked_until_it_answers() -> None:
    """Each failure is told; the answer ends it."""
    ask, given = failing(NOBODY_THERE, FutureTimeoutError())
    told: list[Exception] = []

    def note(error: Exception) -> bool:
        told.append(error)
        return True

    assert "answer" == patiently(ask, 60.0, note)
    assert [NOBODY_THERE, FutureTimeoutError] == [told[0], type(told[1])]
    assert all(59.0 < seconds <= 60.0 for seconds in given)


def test_what_no_further_question_helps_is_raised_at_once() -> None:
    """Also without a limit of time."""
    ask, given = failing(NOBODY_THERE)

    with pytest.raises(KafkaException):
        patiently(ask, math.inf, lambda _error: False)
    assert [math.inf] == given


def test_when_the_time_is_over_the_failure_is_raised() -> None:
    """The one question that there was time for had enough of it to be answered."""
    ask, given = failing(NOBODY_THERE, NOBODY_THERE)

    with pytest.raises(KafkaException):
        patiently(ask, 0.0)
    assert [ASK_SECONDS_MIN] == given


def test_who_is_told_of_a_failure_may_end_it() -> None:
    """With a failure of its own: a command was interrupted, a stop was asked for."""

    def stop(_error: Exception) -> bool:
        raise KeyboardInterrupt

    ask, _ = failing(NOBODY_THERE)

    with pytest.raises(KeyboardInterrupt):
        patiently(ask, 60.0, stop)


def test_another_failure_is_nobody_s_to_wait_for() -> None:
    """A bug is raised."""
    ask, given = failing(ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        patiently(ask, 60.0)
    assert 1 == len(given)
