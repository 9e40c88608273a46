"""How the Kafka thread ends when the group gives it partitions while it leaves; the client is a made-up one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumer.kafka.commits import Commits
from consumer.kafka.leaving import leave_group
from consumer.kafka.source import Source
from consumer.kafka.starts import Grant
from consumer.ports.inputs import Input, Revoking, ThreadEnded
from consumer.sequencing.events import Partition
from consumer.sequencing.offsets import CommitPoint
from tests.settings.given_settings import load

Rebalance = Callable[[Any, list[TopicPartition]], None]
WHERE = TopicPartition("segment-events", 0)
OURS = Partition("segment-events", 1)


class Coordinator:
    """A client whose coordinator is silent, and which has an assignment in its queue for `during`."""

    def __init__(self, during: str) -> None:
        self.assigned: list[TopicPartition] = []
        self.closed = self.left = False
        self._during = during

    def subscribe(self, _topics: list[str], *, on_assign: Rebalance, **_others: Rebalance) -> None:
        self._on_assign = on_assign

    def poll(self, _seconds: float) -> None:
        self._serve("poll")

    def commit(self, **_offsets: object) -> None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    def committed(self, *_partitions: object, **_timeout: float) -> None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned += partitions

    def unsubscribe(self) -> None:
        self.left = True

    def memberid(self) -> str:
        return "" if self.left else "one"

    def close(self) -> None:
        self._serve("close")
        self.closed = True

    def _serve(self, moment: str) -> None:
        if moment == self._during:
            self._during = ""
            self._on_assign(self, [WHERE])


@pytest.mark.parametrize("during", ["poll", "close"])
def test_an_assignment_that_comes_while_leaving_ends_nothing(during: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last commit's polling and close() may serve one: they are the next owner's, and the thread ends."""
    monkeypatch.setattr("consumer.kafka.source.LEAVE_COMMIT_SECONDS", 0.01)
    posted: list[Input] = []

    def post(item: Input) -> None:
        posted.append(item)
        if isinstance(item, Revoking):
            item.drained.set_result({item.partitions[0]: CommitPoint(5, "", 5, 5)})

    source = Source(load(), post)
    client = Coordinator(during)
    source._consumer = cast("Consumer", client)
    source._topics = [OURS.topic]
    source._commits = Commits(source._consumer, source._ids, post, lambda *_: None, source._commands.put)
    source._ids._is_off = True  # no cluster to ask
    source._granted[OURS] = Grant()
    source._assigned.add(OURS)
    source.stop()
    source._run()

    assert [ThreadEnded] == [type(item) for item in posted[-1:]]
    assert None is cast("ThreadEnded", posted[-1]).error
    assert client.closed
    assert [] == client.assigned
    assert OURS not in source._assigned


@pytest.mark.parametrize(
    ("properties", "polls_before"),
    [({}, 0), ({"group.protocol": "consumer"}, 3), ({"group.instance.id": "one"}, None)],
    ids=str,
)
def test_with_the_new_protocol_a_member_leaves_what_it_has_joined(
    properties: dict[str, str], polls_before: int | None
) -> None:
    """Before its first answer has come, the client forgets the group, not the group the member. A static one stays."""
    client = Coordinator("never")
    polls: list[bool] = []
    client.poll = lambda _seconds: polls.append(client.left)  # type: ignore[method-assign]
    leave_group(cast("Consumer", client), properties, lambda: len(polls) >= 3)

    assert polls_before == (polls.index(True) if True in polls else None)
