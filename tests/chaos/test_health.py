"""The health oracle of the chaos harness: what members say, against what is known without them."""

from __future__ import annotations

import pytest

from tests.chaos.schedule import Fault
from tests.chaos.story import Story


@pytest.fixture
def story() -> Story:
    """A run in which one partition has been in good hands for a while."""
    story = Story()
    story.pass_time(40)
    return story


def let_stand_still(story: Story) -> None:
    """An event waits, and nothing else happens."""
    story.produce("identify")
    story.pass_time(40)


@pytest.mark.parametrize(
    ("word", "reason", "wrong"),
    [
        ("ready", "", {"health": 1}),
        ("degraded", "the destination is unavailable: 503", {"health": 1}),
        ("degraded", "segment-events-10: no leader", {"health": 1}),
        ("ready", "segment-events-0: no leader", {"health": 1}),
        ("degraded", "segment-events-0: the destination is unavailable: 503", {}),
        ("stalled", "segment-events-0 has made no progress for 36 s", {}),
    ],
)
def test_who_has_a_partition_that_stands_still_says_so_and_names_it(
    story: Story, word: str, reason: str, wrong: dict[str, int]
) -> None:
    """Whatever the cause; another partition's name is not enough."""
    let_stand_still(story)
    story.say(word, reason)

    assert {"stuck": 1} | wrong == story.wrong()
    assert {"stalled": 1} == story.verdict().health


def test_a_spell_of_wrong_words_counts_once(story: Story) -> None:
    """However often the member was asked."""
    let_stand_still(story)
    for _ in range(10):
        story.say("ready")
        story.pass_time(1)

    assert {"stuck": 1, "health": 1} == story.wrong()
    assert {"stalled": 10} == story.verdict().health


def test_a_partition_that_makes_progress_may_be_called_ready(story: Story) -> None:
    """One event that ends, or a commit that moves, is progress, however much waits."""
    let_stand_still(story)
    story.accept(story.evidence.produced[0])
    story.produce("track")
    story.pass_time(20)
    story.say("ready")

    assert {"stuck": 2} == story.wrong()


@pytest.mark.parametrize(("word", "wrong"), [("ready", {}), ("degraded", {"health": 1}), ("stopped", {"health": 1})])
def test_who_has_had_all_flow_says_that_it_is_ready(story: Story, word: str, wrong: dict[str, int]) -> None:
    """A problem that is over is not told for ever."""
    story.say(word, "the destination is throttled: it answered 429")

    assert wrong == story.wrong()
    assert {"flowing": 1} == story.verdict().health


def test_nobody_has_to_be_ready_soon_after_a_fault(story: Story) -> None:
    """Of the network, the brokers, the destination or the member itself."""
    story.fault(Fault.API_FAIL, -1, 2)
    story.pass_time(20)
    story.say("degraded", "the destination is unavailable: 503")

    assert {} == story.wrong()
    assert {} == story.verdict().health


def test_one_user_who_fails_alone_is_no_cause_and_is_counted(story: Story) -> None:
    """Their partition has nothing else to do; others are served."""
    identify = story.produce("identify")
    for _ in range(10):
        story.fail(identify, status=503)
        story.pass_time(4)
    story.say("ready", retrying=1.0)

    assert {"stuck": 1} == story.wrong()
    assert {"stalled by one user": 1, "users that failed alone": 1, "flowing": 1} == story.verdict().health


@pytest.mark.parametrize("retrying", [None, 0.0], ids=["no metric", "0"])
def test_a_user_who_fails_alone_and_is_not_counted_is_found(story: Story, retrying: float | None) -> None:
    """By customfit_users_retrying."""
    identify = story.produce("identify")
    story.fail(identify, status=401)
    story.pass_time(4)
    story.say("ready", retrying=retrying)

    assert {"stuck": 1, "health": 1} == story.wrong()


def test_a_user_who_fails_alone_is_no_reason_for_anything_but_ready(story: Story) -> None:
    """Everything else has flowed."""
    identify = story.produce("identify")
    for _ in range(10):
        story.fail(identify, status=503)
        story.pass_time(4)
    story.say("stopped", "the destination is stopped: it answered 401", retrying=1.0)

    assert {"stuck": 1, "health": 1} == story.wrong()


def test_another_event_that_waits_behind_a_user_who_fails_alone_is_a_cause(story: Story) -> None:
    """Then it is more than one user."""
    identify = story.produce("identify")
    story.produce("identify", "bob")
    for _ in range(10):
        story.fail(identify, status=503)
        story.pass_time(4)
    story.say("ready", retrying=1.0)

    assert {"stuck": 2, "health": 1} == story.wrong()


def test_what_went_with_a_deleted_topic_waits_for_nothing(story: Story) -> None:
    """Only what is in the topic that there is."""
    let_stand_still(story)
    story.make_again()
    story.pass_time(40)
    story.say("ready")

    assert {} == story.wrong()


def test_a_member_that_has_just_got_the_partition_is_given_its_time(story: Story) -> None:
    """Nor is it asked about those of others."""
    let_stand_still(story)
    story.move("m1.1")
    story.say("ready", member="m1.1")
    story.say("ready", member="m0.1")

    assert {"stuck": 1} == story.wrong()


def test_a_member_that_the_group_keeps_waiting_for_a_dead_one_is_starting(story: Story) -> None:
    """Nobody has a partition until the dead one's session is over; later, or with partitions, it is no excuse."""
    story.owner = ""
    story.pass_time(40)
    story.say("starting", "the consumer group has not answered yet")

    assert {"health": 1} == story.wrong()

    story.happen("kill", member="m1.1")
    story.pass_time(1)
    story.say("starting", "the consumer group has not answered yet")

    assert {"health": 1} == story.wrong()
    assert {"flowing": 1, "waiting for the group": 1} == story.verdict().health
