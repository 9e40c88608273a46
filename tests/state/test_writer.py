"""What the writer of the state topic makes of a producer's answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.state.topic import StateWriter, Written
from tests.settings.given_settings import load

EXPIRED = KafkaError(KafkaError._MSG_TIMED_OUT)
GONE = KafkaError.UNKNOWN_TOPIC_OR_PART


class Producing:
    """A writer whose producer is asked for topics, and what happens, in its order."""

    def __init__(self, *topics: str, answers: bool = True) -> None:
        self.happened: list[Any] = []
        self.writer: StateWriter[str] = StateWriter(load(), self._written, self.happened.append)
        self._topics, self._answers = topics, answers
        self.writer._producer = cast("Any", SimpleNamespace(list_topics=self._list_topics))

    def _written(self, answers: list[Written[str]]) -> None:
        self.happened.append([(one.note, one.error.code() if one.error else None) for one in answers])

    def _list_topics(self, timeout: float) -> Any:
        del timeout
        self.happened.append("asked")
        if not self._answers:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(topics=dict.fromkeys(self._topics))

    def answer(self, **errors: KafkaError | None) -> None:
        """The producer's answers of one poll."""
        self.writer._answers = [Written(note, None, error) for note, error in errors.items()]
        self.writer._hand_on()


def test_what_is_written_does_not_wait_for_a_look_at_the_topic() -> None:
    """That may take seconds, and is only for those that have expired."""
    producing = Producing("another")
    producing.answer(a=EXPIRED, b=None, c=EXPIRED)

    assert [[("b", None)], "asked", [("a", GONE), ("c", GONE)]] == producing.happened


@pytest.mark.parametrize(
    "producing", [Producing("customfit-consumer.identified-users"), Producing("another", answers=False)]
)
def test_a_topic_that_is_there_or_can_t_be_asked_for_is_not_gone(producing: Producing) -> None:
    """Then it is a time-out like any other."""
    producing.answer(a=EXPIRED)

    assert ["asked", [("a", KafkaError._MSG_TIMED_OUT)]] == producing.happened


def test_it_is_asked_once_in_a_while() -> None:
    """Records expire by the hundred."""
    producing = Producing("another")
    producing.answer(a=EXPIRED)
    producing.answer(b=EXPIRED)
    producing.answer(c=None)

    assert ["asked", [("a", GONE)], [("b", GONE)], [("c", None)]] == producing.happened


def test_a_thread_that_fails_is_heard_of() -> None:
    """It would be a member that records nobody, and says nothing of it."""
    producing = Producing()

    def poll(_seconds: float) -> None:
        raise MemoryError

    producing.writer._producer = cast("Any", SimpleNamespace(poll=poll))
    producing.writer._run()
    [ended] = producing.happened

    assert ("state-topic", MemoryError) == (ended.name, type(ended.error))


def test_what_finds_no_room_in_the_producer_comes_back_at_once() -> None:
    """Of many that are written together, too."""
    settings = load(kafka_bootstrap_servers="127.0.0.1:1", kafka_properties='{"queue.buffering.max.messages": "1"}')
    refused: list[Written[str]] = []
    writer: StateWriter[str] = StateWriter(settings, refused.extend, lambda _: None)
    writer.start()
    writer.write_all(0, [(b"a", b"1", "a"), (b"b", b"1", "b"), (b"c", b"1", "c")])
    notes = [(one.note, one.error.code() if one.error else None) for one in refused]
    writer.stop()

    assert [("b", KafkaError._QUEUE_FULL), ("c", KafkaError._QUEUE_FULL)] == notes
