"""Orders to the Kafka client."""

from __future__ import annotations

from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumer.kafka.translate import resume_now
from consumer.sequencing.events import Partition

P0, P1 = Partition("t", 0), Partition("t", 1)


class Client:
    """Notes what it is told; a leader may not answer."""

    def __init__(self, *, answers: bool) -> None:
        self.told: list[tuple[str, list[tuple[str, int]]]] = []
        self._answers = answers

    def _note(self, what: str, partitions: list[TopicPartition]) -> None:
        self.told.append((what, [(one.topic, one.partition) for one in partitions]))

    def resume(self, partitions: list[TopicPartition]) -> None:
        self._note("resume", partitions)

    def offsets_for_times(self, partitions: list[TopicPartition], timeout: float) -> None:
        assert timeout <= 1
        self._note("ask", partitions)
        if not self._answers:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


@pytest.mark.parametrize("answers", [True, False])
def test_leaders_are_asked_when_partitions_are_resumed(answers: bool) -> None:
    """Their answer makes the client fetch at once; without one it fetches when it can."""
    client = Client(answers=answers)
    resume_now(cast("Any", client), {P1, P0})

    assert [("resume", [("t", 0), ("t", 1)]), ("ask", [("t", 0), ("t", 1)])] == client.told
