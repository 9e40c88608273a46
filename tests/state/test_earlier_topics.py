"""Each partition of the state topic remembers which topics of the source's name were read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition, User
from consumer.sequencing.offsets import OffsetTracker
from consumer.state.earlier_topics import EarlierTopics
from consumer.state.partition import Newer, PartitionState, TopicIdWrite
from consumer.state.records import StateKey
from consumer.state.store import Store
from tests.state.given_store import opened

P0 = Partition("segment-events", 0)
FIRST, SECOND = "P2Y6mJ4aQ9OQcWNcJUGD0A", "VgbRGHI_T0yQv0xk2xq7mQ"


class Writes:
    """Takes the place of the writes: what is to be noted."""

    def __init__(self) -> None:
        self.noted: list[TopicIdWrite] = []

    def note_topic_id(self, note: TopicIdWrite) -> None:
        self.noted.append(note)

    def acknowledge(self) -> None:
        for offset, note in enumerate(self.noted):
            note.state.noted(note.key, note.at_ms, offset)


def state(topic_id: str | None) -> PartitionState:
    """One assignment of a partition, of the topic with this id."""
    return PartitionState(Assignment(P0, OffsetTracker(0, topic_id=topic_id)), "https://x", None, Newer())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty one."""
    return opened(tmp_path)


def test_the_first_topic_is_noted_and_is_no_other(store: Store) -> None:
    """Once: what is noted already is not written again."""
    writes = Writes()
    topics, first = EarlierTopics(cast("Any", writes)), state(FIRST)

    assert not topics.had_other(first, store)
    writes.acknowledge()
    assert not topics.had_other(first, store)
    assert [StateKey("source topic segment-events", User(f"topic-id {FIRST}"))] == [note.key for note in writes.noted]


def test_a_topic_made_again_knows_that_there_was_another(store: Store) -> None:
    """Also at each later start, when both are known."""
    writes = Writes()
    topics, both = EarlierTopics(cast("Any", writes)), state(SECOND)
    first = StateKey("source topic segment-events", User(f"topic-id {FIRST}"))
    both.noted(first, 1, 0)

    assert topics.had_other(both, store)
    writes.acknowledge()
    assert topics.had_other(both, store)
    assert 1 == len(writes.noted)


def test_where_topics_have_no_id_nothing_is_noted(store: Store) -> None:
    """Brokers before 2.8, and librdkafka's imitation."""
    writes = Writes()

    assert not EarlierTopics(cast("Any", writes)).had_other(state(None), store)
    assert [] == writes.noted
