"""What the thread of the consumer does while the loop has no room; the client is a made-up one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from confluent_kafka import TopicPartition

from consumer.kafka.back_pressure import STALL_BYTES_MAX, STALL_RECORDS_MAX, BackPressure
from consumer.kafka.commits import Commits
from consumer.kafka.source import Source
from consumer.kafka.topic_ids import Told
from consumer.ports.inputs import Committed, Fetched, Input
from consumer.sequencing.events import Partition
from consumer.sequencing.offsets import CommitPoint
from tests.settings.given_settings import load

EVENTS = Partition("segment-events", 0)


class Client:
    """Has a record for each poll, and the answer to a commit from its second poll on."""

    def __init__(self) -> None:
        self.polls = 0
        self.answer: Any = None

    def poll(self, _seconds: float) -> Any:
        self.polls += 1
        if self.polls == 2 and self.answer is not None:
            self.answer()
        return SimpleNamespace(
            topic=lambda: EVENTS.topic,
            partition=lambda: EVENTS.number,
            offset=lambda: self.polls,
            error=lambda: None,
            timestamp=lambda: (1, 0),
            key=lambda: None,
            value=lambda: b"{}",
            headers=lambda: None,
        )

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        assert asynchronous, offsets


class Stalled:
    """A source whose loop takes nothing; bytes are no limit."""

    def __init__(self) -> None:
        self.posted: list[Input] = []
        self.source = source = Source(load(), self.posted.append)
        source.limit_bytes = 1_000_000
        self.client = Client()
        source._consumer = cast("Any", self.client)
        ids = SimpleNamespace(ask=lambda _topics, then: then(Told({}, {})))
        source._commits = Commits(
            source._consumer, cast("Any", ids), self.posted.append, lambda *_: None, lambda run: run()
        )
        source._assigned.add(EVENTS)
        source._commits.bind({EVENTS: None})

    def turn(self, times: int) -> None:
        """Let it wait so many times for the loop."""
        for _ in range(times):
            self.source._commands.put(lambda: None)  # so that it waits for nothing
            self.source._wait_out()

    @property
    def handed_over(self) -> int:
        """Records that the loop was given."""
        return sum(len(item.records) for item in self.posted if isinstance(item, Fetched))


def test_a_loop_without_room_hears_of_its_commit() -> None:
    """It may be the commit that it waits for: with nobody polling it stood still for a second, each time."""
    stalled = Stalled()
    points = {EVENTS: CommitPoint(7, "", 0, 0)}
    stalled.source._commits.ask(points)
    answer = SimpleNamespace(topic=EVENTS.topic, partition=EVENTS.number, offset=7, error=None)
    stalled.client.answer = lambda: stalled.source._on_commit(None, [cast("Any", answer)])
    stalled.turn(5)

    assert [Committed(points, [EVENTS], None, [])] == [item for item in stalled.posted if isinstance(item, Committed)]
    assert 2 == stalled.client.polls


def test_what_comes_before_a_partition_is_to_rest_is_handed_over() -> None:
    """Dropped, it would be lost: the client has counted it as consumed, and goes on behind it."""
    stalled = Stalled()
    stalled.source._commits.ask({EVENTS: CommitPoint(7, "", 0, 0)})
    stalled.source._commands.put(lambda: stalled.source._resting.add(EVENTS))
    stalled.source._wait_out()

    assert (1, 1) == (stalled.client.polls, stalled.handed_over)
    assert {EVENTS} == stalled.source._resting


def test_a_small_buffer_is_not_made_a_large_one() -> None:
    """A quarter of it at the most, and at least one record, or no answer would ever come."""
    small, large = BackPressure(8), BackPressure(20_000)

    assert [True, False] == [small.may_poll_for_an_answer(records, 0) for records in (-1, -2)]
    assert [True, False] == [
        large.may_poll_for_an_answer(-STALL_RECORDS_MAX + 1, 1 - n) for n in (0, 1 + STALL_BYTES_MAX)
    ]


def test_without_a_commit_under_way_nobody_polls() -> None:
    """There is no room for what would come."""
    stalled = Stalled()
    stalled.turn(5)

    assert (0, 0) == (stalled.client.polls, stalled.handed_over)


def test_while_a_commit_is_not_answered_few_records_come() -> None:
    """Each poll may bring one; beyond a hundred the thread waits without polling."""
    stalled = Stalled()
    stalled.source._commits.ask({EVENTS: CommitPoint(7, "", 0, 0)})
    stalled.turn(2 * STALL_RECORDS_MAX)

    assert STALL_RECORDS_MAX == stalled.handed_over
