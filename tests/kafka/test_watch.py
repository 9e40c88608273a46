"""What is asked about logs while a broker is silent; the cluster is a made-up one."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import OffsetSpec

from consumer.kafka.topic_ids import Told
from consumer.kafka.watch import Watch
from consumer.ports.inputs import Input, LogBounds
from consumer.sequencing.events import Partition
from tests.settings.given_settings import load

LED, SILENT = Partition("segment-events", 0), Partition("segment-events", 1)


class Cluster:
    """Knows one partition's offsets; of the other nothing comes."""

    def __init__(self) -> None:
        self.questions: list[list[TopicPartition]] = []
        self.asked_before_waiting: list[int] = []

    def list_offsets(self, wanted: dict[TopicPartition, OffsetSpec], **_: object) -> dict[TopicPartition, Future[Any]]:
        self.questions.append(list(wanted))
        return {where: self._future(where) for where in wanted}

    def _future(self, where: TopicPartition) -> Future[Any]:
        cluster = self

        class Answer(Future[Any]):
            def result(self, timeout: float | None = None) -> Any:
                cluster.asked_before_waiting.append(len(cluster.questions))
                return super().result(timeout)

        answer = Answer()
        if where.partition == LED.number:
            answer.set_result(SimpleNamespace(offset=7))
        return answer


def test_a_silent_broker_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All questions are on their way before the first answer is waited for; what the others say is posted."""
    monkeypatch.setattr("consumer.kafka.watch.LOGS_SECONDS", -1.0)  # the deadline is now
    posted: list[Input] = []
    watch = Watch(load(), posted.append)
    cluster = Cluster()
    watch._ids = cast("Any", SimpleNamespace(seen=lambda *_: Told({}, {})))
    watch._admin = cast("Any", cluster)
    watch.partitions = frozenset({LED, SILENT})
    watch._look_at_logs()

    assert [LogBounds({LED: 7}, {LED: 7}, {LED: 7})] == posted
    assert [3] * 6 == cluster.asked_before_waiting
