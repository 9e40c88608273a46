"""What the loop asks of a partition counts for the assignment that it is about; the client is a made-up one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from consumer.kafka.commits import Commits
from consumer.kafka.source import Source
from consumer.kafka.starts import Grant
from consumer.ports.inputs import StartPoint
from consumer.sequencing.events import Partition
from tests.settings.given_settings import load

EVENTS = Partition("segment-events", 0)


class Member:
    """A source that takes no part in a group, and does what was asked when told to."""

    def __init__(self) -> None:
        self.source = Source(load(), lambda _: None)
        client = SimpleNamespace(incremental_assign=lambda _: None, pause=lambda _: None)
        self.source._consumer = cast("Any", client)
        self.source._commits = Commits(
            self.source._consumer, self.source._ids, lambda _: None, lambda *_: None, lambda _: None
        )

    def grant(self) -> Grant:
        """The group gives the partition, and its start is asked for."""
        self.source._granted[EVENTS] = Grant()
        return self.source._granted[EVENTS]

    def found(self, grant: Grant) -> None:
        """Its start is known."""
        self.source._on_starts({EVENTS: (grant, StartPoint(0, None))}, "a-cluster")

    def do(self) -> None:
        """What was asked."""
        while not self.source._commands.empty():
            self.source._commands.get()()

    @property
    def rests(self) -> bool:
        """Whether the partition is not fetched."""
        return EVENTS in self.source._resting


def test_a_resume_of_an_earlier_assignment_does_not_wake_the_next_one() -> None:
    """Its state is not read yet: whoever is identified would be introduced again."""
    member = Member()
    member.found(member.grant())
    member.do()
    member.source._forget({EVENTS})
    member.found(member.grant())
    member.source.resume(EVENTS)  # of the first one: the loop has not heard of the second
    member.do()
    rested = member.rests
    member.source.resume(EVENTS)
    member.do()

    assert rested
    assert not member.rests


def test_what_is_asked_of_a_partition_that_is_gone_does_nothing() -> None:
    """It may come back, and rests then until it is resumed."""
    member = Member()
    member.found(member.grant())
    member.do()
    member.source._forget({EVENTS})
    member.source.rest(EVENTS)
    member.source.resume(EVENTS)
    member.do()

    assert not member.rests
