"""Commits beside what the cluster says meanwhile; the client and the topics' ids are made-up ones."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumer.kafka.commits import Commits
from consumer.kafka.topic_ids import Told
from consumer.ports.inputs import Committed, Input, TopicMadeAgain
from consumer.sequencing.events import Partition
from consumer.sequencing.offsets import CommitPoint

EVENTS = Partition("segment-events", 0)
TOO_LARGE = KafkaError(KafkaError.OFFSET_METADATA_TOO_LARGE)
IDS = {EVENTS.topic: "first"}


def point(offset: int, metadata: str = "m") -> CommitPoint:
    """That this is committed."""
    return CommitPoint(offset, metadata, 0, 0)


class Group:
    """A client that takes commits, of a coordinator that may be silent."""

    def __init__(self) -> None:
        self.is_silent = False
        self.metadata_max = 100
        self.waited: list[tuple[int, str]] = []
        """Offset and metadata of commits whose answer was waited for."""
        self.sent: list[int] = []
        """Offsets of the others."""

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        del timeout
        if self.is_silent:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return partitions

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[Any] | None:
        if asynchronous:
            self.sent += [one.offset for one in offsets]
            return None
        self.waited += [(one.offset, one.metadata or "") for one in offsets]
        refused = [len(one.metadata or "") > self.metadata_max for one in offsets]
        if all(refused):  # as the client does it
            raise KafkaException(TOO_LARGE)
        return [self._answer(one, TOO_LARGE if too else None) for one, too in zip(offsets, refused, strict=True)]

    def _answer(self, asked: TopicPartition, error: KafkaError | None) -> Any:
        return SimpleNamespace(topic=asked.topic, partition=asked.partition, offset=asked.offset, error=error)


class Ids:
    """The topics' ids; an answer that is not waited for comes when the test gives it."""

    def __init__(self) -> None:
        self.questions: list[Callable[[Any], None]] = []
        self.now = IDS

    def ask(self, _topics: set[str], then: Callable[[Any], None]) -> None:
        self.questions.append(then)

    def within(self, _topics: set[str], _seconds: float) -> dict[str, str]:
        return self.now


class Committing:
    """`Commits` among them, with what it posts."""

    def __init__(self) -> None:
        self.group, self.ids = Group(), Ids()
        self.posted: list[Input] = []
        self.commits = Commits(
            cast("Any", self.group), cast("Any", self.ids), self.posted.append, lambda *_: None, lambda run: run()
        )
        self.commits.bind({EVENTS: IDS[EVENTS.topic]})

    @property
    def answers(self) -> list[Committed]:
        """Of what is posted."""
        return [one for one in self.posted if isinstance(one, Committed)]


def test_a_silent_coordinator_is_not_waited_for_when_partitions_are_given_up() -> None:
    """The client's own wait has no bound. The commit is sent all the same, and counts as not accepted."""
    committing = Committing()
    committing.group.is_silent = True
    error = committing.commits.make({EVENTS: point(150)})

    assert "does not answer" in str(error)
    assert [150] == committing.group.sent
    assert [] == committing.group.waited
    assert [[]] == [list(answer.accepted) for answer in committing.answers]


def test_a_confirmation_that_comes_late_does_not_set_the_committed_offset_back() -> None:
    """A commit of 100 waits for the id; the partition is given up with 150, and comes back before the id does."""
    committing = Committing()
    late = {EVENTS: point(100)}
    committing.commits.ask(late)
    assert None is committing.commits.make({EVENTS: point(150)})
    committing.commits.forget([EVENTS])
    committing.commits.bind({EVENTS: IDS[EVENTS.topic]})
    committing.ids.questions[0](Told(IDS, {}))

    assert [(150, "m")] == committing.group.waited
    assert [] == committing.group.sent
    assert [[]] == [list(answer.accepted) for answer in committing.answers if answer.asked is late]


def test_a_topic_that_can_t_be_described_keeps_no_other_from_being_committed() -> None:
    """Its partitions count as not accepted, with the reason."""
    committing = Committing()
    other = Partition("replays", 0)
    committing.commits.bind({other: "another"})
    committing.commits.ask({EVENTS: point(100), other: point(7)})
    committing.ids.questions[0](Told(IDS, {other.topic: KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)}))
    committing.commits.answered(None, [TopicPartition(EVENTS.topic, EVENTS.number, 100)])
    [answer] = committing.answers

    assert [100] == committing.group.sent
    assert [EVENTS] == answer.accepted
    assert other.topic in str(answer.error)


def test_what_was_read_of_a_topic_is_not_committed_to_another_of_its_name() -> None:
    """Neither now and then, nor when partitions are given up: the topic's id is another one, and that is told."""
    committing = Committing()
    made_again = {EVENTS.topic: "second"}
    committing.commits.ask({EVENTS: point(100)})
    committing.ids.questions[0](Told(made_again, {}))
    committing.ids.now = made_again

    assert None is committing.commits.make({EVENTS: point(150)})
    assert ([], []) == (committing.group.sent, committing.group.waited)
    assert [TopicMadeAgain(EVENTS.topic, "second")] * 2 == [
        one for one in committing.posted if isinstance(one, TopicMadeAgain)
    ]


@pytest.mark.parametrize("others", [{}, {Partition("segment-events", 1): point(7)}])
def test_the_last_commit_goes_without_metadata_that_is_too_large(others: dict[Partition, CommitPoint]) -> None:
    """Once more, and those partitions alone: there is no later commit that could be smaller."""
    committing = Committing()
    committing.group.metadata_max = 1
    error = committing.commits.make({EVENTS: point(150, "far too large"), **others})
    refused, accepted = committing.answers

    assert None is error
    assert [(150, "far too large"), *[(7, "m")] * len(others), (150, "")] == committing.group.waited
    assert [EVENTS] == refused.too_large
    assert [*others, EVENTS] == [*refused.accepted, *accepted.accepted]
