"""The log says once what is wrong, and once that it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consumer.ops.advice import DO
from consumer.ops.announcer import LINES_MAX, Announcer
from consumer.ops.causes import Cause, Finding
from consumer.ops.pseudonyms import Pseudonyms
from consumer.sequencing.events import Partition, User
from consumer.sequencing.waiting import Waiting
from tests.ops.given_snapshot import snapshot


def leaderless(number: int, text: str = "has no leader") -> Finding:
    """What is found of a partition without a leader."""
    partition = Partition("t", number)
    return Finding(Cause.LEADER_MISSING, f"{partition} {text}", partition)


def test_what_lasts_is_said_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    """Also when its text changes meanwhile, as seconds do."""
    announcer = Announcer()
    with caplog.at_level("INFO", "consumer"):
        for found in ([leaderless(1)], [leaderless(1, "has none for 5 s")], [leaderless(1), leaderless(2)], []):
            announcer.look(found)

    said = [record.getMessage() for record in caplog.records]
    assert ["t-1 has no leader", "t-2 has no leader", "over: t-1 has no leader", "over: t-2 has no leader"] == said


def test_what_to_do_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """In a field of the first line of a cause, as the runbook and the page say it; not when it is over."""
    announcer = Announcer()
    with caplog.at_level("INFO", "consumer"):
        announcer.look([leaderless(1), leaderless(2)])
        announcer.look([])

    said = [vars(record)["fields"].get("do") for record in caplog.records]
    assert [DO[Cause.LEADER_MISSING], None, None, None] == said


def test_a_thousand_partitions_are_a_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    """How many more there are is said."""
    with caplog.at_level("INFO", "consumer"):
        Announcer().look([leaderless(number) for number in range(1000)])

    assert LINES_MAX + 1 == len(caplog.records)
    assert f"and {1000 - LINES_MAX} more partitions like these" == caplog.records[-1].getMessage()


def test_what_an_edge_says_itself_is_not_said_twice(caplog: pytest.LogCaptureFixture) -> None:
    """The destination's state has lines of its own."""
    with caplog.at_level("INFO", "consumer"):
        Announcer().look([Finding(Cause.DESTINATION_STOPPED, "the destination is stopped")])

    assert [] == caplog.records


@pytest.mark.parametrize("cause", [Cause.STATE_TOPIC, Cause.DEAD_LETTERS_NOT_WRITTEN, Cause.REGISTRY])
def test_what_an_edge_says_at_each_failure_has_an_end_all_the_same(
    cause: Cause, caplog: pytest.LogCaptureFixture
) -> None:
    """That a write or an answer has worked is said by nobody else."""
    announcer = Announcer()
    with caplog.at_level("INFO", "consumer"):
        for found in ([Finding(cause, "it fails")], [Finding(cause, "it fails")], []):
            announcer.look(found)

    assert ["over: it fails"] == [record.getMessage() for record in caplog.records]


def test_a_user_who_waits_for_another_try_is_told_of_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Which offset, which attempt, the last answer, when next, when it is given up; the user by a pseudonym."""
    waiting = Waiting("retrying", Partition("t", 1), 7, User("ann"), 0.0, 4, "503", 12.0, 3.0, 900.0)
    pseudonyms = Pseudonyms("group", "destination")
    announcer = Announcer()
    with caplog.at_level("INFO", "consumer"):
        for now in (5.0, 10.0, 40.0, 69.0, 71.0):
            announcer.wait(replace(snapshot(), taken_at=now, waiting=(waiting,), pseudonyms=pseudonyms))

    said = [record.getMessage() for record in caplog.records]
    user = f"a user (pseudonym {pseudonyms.of(User('ann'))})"
    assert [
        f"{user} waits: 4 attempts in 10 s, last answer 503, next try in 2 s, given up in 890 s",
        f"{user} waits: 4 attempts in 71 s, last answer 503, next try in 0 s, given up in 829 s",
    ] == said
