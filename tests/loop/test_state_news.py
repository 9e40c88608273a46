"""What the loop makes of news of the stored state."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from consumer.loop.pipeline import Pipeline
from consumer.ports.inputs import (
    Assigned,
    Fetched,
    Input,
    LookedUp,
    Lost,
    StartPoint,
    StateFixed,
    StateOpened,
    StateProblem,
)
from consumer.sequencing.events import Partition, Record, User
from consumer.sequencing.offsets import CommitPoint
from tests.loop.given_pipeline import pipeline_with
from tests.segment.given_events import segment

P0 = Partition("segment-events", 0)
ASSIGNED = Assigned({P0: StartPoint(0, None)}, "c")


class Source:
    """Notes what is resumed; takes all else."""

    def __init__(self) -> None:
        self.resumed: list[Partition] = []

    def resume(self, partition: Partition) -> None:
        self.resumed.append(partition)

    def commit(self, points: Mapping[Partition, CommitPoint]) -> None:
        """It is never answered."""


def test_a_state_that_is_read_again_resumes_nothing() -> None:
    """A damaged file is rebuilt while the partition is ours: it may rest, for a schema or for good."""
    source = Source()
    pipeline = pipeline_with(source=source)
    pipeline.turn([ASSIGNED], 0.0)
    tenure = pipeline._sequencer.assignments[P0]
    pipeline.turn([StateOpened(tenure, 1), StateOpened(tenure, 2)], 1.0)

    assert [P0] == source.resumed
    assert 2 == pipeline._partitions._facts[P0].identified_users


def test_the_state_of_an_earlier_tenure_resumes_nothing() -> None:
    """It was ready when the partition was lost, which comes back at once: its state is being read again."""
    source = Source()
    pipeline = pipeline_with(source=source)
    pipeline.turn([ASSIGNED], 0.0)
    earlier = pipeline._sequencer.assignments[P0]
    pipeline.turn([Lost([P0]), ASSIGNED, StateOpened(earlier, 1)], 1.0)
    resumed, notes = list(source.resumed), pipeline._partitions._facts[P0]
    was_restoring, users = notes.restoring, notes.identified_users
    pipeline.turn([StateOpened(pipeline._sequencer.assignments[P0], 2)], 2.0)

    assert ([], True, 0) == (resumed, was_restoring, users)
    assert ([P0], False, 2) == (source.resumed, notes.restoring, notes.identified_users)


def test_each_problem_with_the_state_topic_lasts_until_it_is_fixed() -> None:
    """One that ends says nothing of another."""
    pipeline = pipeline_with()
    problems: list[str | None] = []
    news: list[Input] = [
        StateProblem("not_stored", "disk full"),
        StateProblem("not_read", "s: no broker"),
        StateProblem("not_grown", "s: too small"),
        StateFixed("not_read"),
        StateFixed("not_grown"),
        StateProblem("standby_not_read", "s: no broker"),  # following others is best effort, and no cause
        StateProblem("standby_not_stored", "disk full"),
    ]
    for now, item in enumerate(news):
        pipeline.turn([item], float(now))
        Pipeline._publish(pipeline, float(now))
        problems.append(pipeline.snapshot.state_problem)

    assert [None, "s: no broker", "s: no broker; s: too small", "s: too small", None, None, None] == problems


@pytest.mark.parametrize("is_same_turn", [False, True])
def test_a_delete_outruns_what_another_partition_was_told(is_same_turn: bool) -> None:
    """The user was looked up for one: the answer comes after the delete of the other, or right behind it."""
    pipeline = pipeline_with()
    other = Partition("segment-events", 1)
    pipeline.turn([Assigned(dict.fromkeys((P0, other), StartPoint(0, None)), "c")], 0.0)
    delete, track = segment(type="delete", userId="u1"), segment(userId="u1", event="e")
    first, second = (
        Record(partition, 0, 0, b"k", value, None, 0.0, len(value))
        for partition, value in ((P0, delete), (other, track))
    )
    pipeline.turn([Fetched([second], {})], 1.0)
    deleted, answered = Fetched([first], {}), LookedUp({other: {User("u1")}})
    turns: list[list[Input]] = [[deleted, answered]] if is_same_turn else [[deleted], [answered]]
    for now, news in enumerate(turns):
        pipeline.turn(news, 2.0 + now)
    assignment = pipeline._sequencer.assignments[other]

    assert [False] == [lane.identified for lane in assignment.lanes.values()]
    assert User("u1") not in assignment.known
