"""The verifier's view of how members end: when asked, as documented, and out of the group."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.schedule import Fault
from tests.chaos.story import Story


@pytest.mark.parametrize(("steps", "wrong"), [(("term", "fixed"), {}), (("fixed", "term"), {"died": 1})])
def test_what_was_asked_to_leave_with_a_problem_may_leave_unfinished(
    story: Story, steps: tuple[str, ...], wrong: dict[str, int]
) -> None:
    """75 after the mending is a breach only for who was asked after it: a drain of 12 s may outlast the problem."""
    for what in steps:
        story.happen(what, **({"member": "m0.1"} if what == "term" else {}))
    story.pass_time(1)
    story.happen("exit", member="m0.1", code=75, asked=True)

    assert wrong == story.wrong()


@pytest.mark.parametrize(
    ("exit_", "wrong"),
    [
        ({"code": 0, "asked": True}, {}),
        ({"code": 75, "asked": True}, {}),
        ({"code": 0, "asked": False}, {"died": 1}),
        ({"code": 1, "asked": True}, {"died": 1}),
        ({"code": -6, "asked": False}, {"died": 1}),
        ({"code": 69, "asked": False}, {"died": 1}),
    ],
    ids=str,
)
def test_a_member_may_end_only_when_asked_and_as_documented(
    story: Story, exit_: dict[str, Any], wrong: dict[str, int]
) -> None:
    """Exit codes 0 and 75 after SIGTERM; 69 only while Kafka was not to be reached at the start."""
    story.happen("term", member="m0.1")
    story.pass_time(1)
    story.happen("exit", member="m0.1", **exit_)

    assert wrong == story.wrong()


def test_a_member_that_starts_without_kafka_may_end_with_69(story: Story) -> None:
    """Somebody starts it again."""
    story.fault(Fault.BROKER_KILL, 0, 1)
    story.happen("exit", member="m0.1", code=69, asked=False)

    assert {} == story.wrong()


def test_a_member_that_ended_cleanly_and_is_still_in_the_group_is_found(story: Story) -> None:
    """Its session's time-out is waited for by everybody, with partitions of its own or without."""
    story.idle = frozenset({"m1.1"})
    story.happen("term", member="m1.1")
    story.pass_time(1)
    story.happen("exit", member="m1.1", code=0, asked=True)
    story.pass_time(6)

    assert {"left behind": 1} == story.wrong()


def test_a_member_that_joins_while_a_dead_one_is_waited_for_may_stay_in_the_group(story: Story) -> None:
    """The broker answers the requests of a connection in turn, and to join it waits for the dead one's session."""
    story.idle = frozenset({"m1.1"})
    story.happen("kill", member="m2.1")
    story.pass_time(1)
    story.happen("term", member="m1.1")
    story.pass_time(1)
    story.happen("exit", member="m1.1", code=0, asked=True)
    story.pass_time(6)

    assert {} == story.wrong()


def test_a_member_that_had_left_and_that_a_coordinator_brings_back_is_no_breach(story: Story) -> None:
    """The broker that takes over has read the group's log up to a moment before."""
    story.happen("term", member="m1.1")
    story.pass_time(1)
    story.happen("exit", member="m1.1", code=0, asked=True)
    story.pass_time(1)
    story.idle = frozenset({"m1.1"})
    story.pass_time(5)

    assert {} == story.wrong()


def test_a_member_whose_last_words_did_not_get_through_may_stay_in_the_group(story: Story) -> None:
    """Nor one that was killed: neither can say good-bye."""
    story.idle = frozenset({"m1.1"})
    story.happen("begin", fault=Fault.KAFKA_CUT.value, target=1)
    story.happen("term", member="m1.1")
    story.pass_time(1)
    story.happen("exit", member="m1.1", code=0, asked=True)
    story.pass_time(1)
    story.happen("end", fault=Fault.KAFKA_CUT.value, target=1)
    story.pass_time(5)

    assert {} == story.wrong()


def test_stuck_and_hanging_are_found(story: Story) -> None:
    """What the harness itself has seen."""
    story.happen("stuck", lag=3, seconds=120.0)
    story.happen("hang", member="m0.1", seconds=60.0)

    assert {"stuck": 1, "died": 1} == story.wrong()
