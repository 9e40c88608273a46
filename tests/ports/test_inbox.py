"""What the loop takes in one turn."""

from __future__ import annotations

import asyncio

from consumer.ports.inbox import TURN_RECORDS_MAX, Inbox
from consumer.ports.inputs import Fetched, Input, Stop
from consumer.sequencing.events import Partition, Record


def fetched(number: int, records: int) -> Fetched:
    """So many records of a partition."""
    partition = Partition("segment", number)
    return Fetched([Record(partition, offset, 0, None, b"{}", None, 0.0, 2) for offset in range(records)], {})


def turns_of(*inputs: Input) -> list[list[Input]]:
    """What each turn takes, if all of it has come before the first."""

    async def take() -> list[list[Input]]:
        inbox = Inbox()
        for item in inputs:
            inbox.post(item)
        turns: list[list[Input]] = []
        while sum(map(len, turns)) < len(inputs):
            turns.append(await inbox.take(60.0))
        return turns

    return asyncio.run(take())


def test_a_backlog_is_taken_in_several_turns_in_its_order() -> None:
    """Or no answer would be heard until all of it is decoded. Nobody waits for the rest: it comes at once."""
    large, small, last = fetched(0, TURN_RECORDS_MAX), fetched(1, 1), fetched(2, TURN_RECORDS_MAX - 1)
    assert [[large], [small, last], [Stop()]] == turns_of(large, small, last, Stop())


def test_what_has_no_records_is_taken_in_one_turn() -> None:
    """Answers are cheap, and each turn costs something."""
    assert [[Stop()] * 5000] == turns_of(*[Stop()] * 5000)


def test_a_turn_that_would_take_little_pauses_for_more() -> None:
    """What comes in the pause is taken in the same turn; with enough at hand there is none."""
    pauses: list[float] = []

    async def take(few: int) -> list[Input]:
        def pause(seconds: float) -> None:
            pauses.append(seconds)
            inbox.post(Stop())

        inbox = Inbox(pause)
        inbox.post(Stop())
        return await inbox.take(60.0, few, 0.5)

    assert [Stop(), Stop()] == asyncio.run(take(2))
    assert [Stop()] == asyncio.run(take(1))
    assert [0.5] == pauses
