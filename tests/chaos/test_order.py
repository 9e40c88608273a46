"""The verifier's view of order: what came before an identify, before an earlier event, or after a delete."""

from __future__ import annotations

import pytest

from tests.chaos.story import Story


def test_a_track_before_any_identify_is_found(story: Story) -> None:
    """Also when the identify was accepted and its answer lost: nobody knew of it."""
    track, other = story.produce("track"), story.produce("track", "bob")
    story.accept(track)
    story.introduce(other, answered=False)
    story.accept(other)
    story.commit(2)

    assert {"track before identify": 2} == story.wrong()


def test_a_track_after_a_delete_needs_a_new_identify(story: Story) -> None:
    """One that was accepted for an event before the delete does not count."""
    identify = story.produce("identify")
    story.produce("delete")
    track, later = story.produce("track"), story.produce("track")
    story.accept(identify)
    story.accept(track)
    story.introduce(later)
    story.accept(later)
    story.commit(4)

    assert {"track after delete": 1} == story.wrong()


def test_events_of_a_user_in_another_order_are_found(story: Story) -> None:
    """Across users there is no order, within one there is."""
    identify, one, two = story.produce("identify"), story.produce("track"), story.produce("track")
    stranger = story.produce("identify", "bob")
    story.accept(stranger)
    story.accept(identify)
    story.accept(two)
    story.accept(one)
    story.commit(4)

    assert {"reorder": 1} == story.wrong()


def test_the_first_identify_may_overtake_and_a_later_one_may_not(story: Story) -> None:
    """Whoever has sent an event of the user knows that they are identified, so sends the next identify in its turn."""
    early, first, track, second = (story.produce(what) for what in ("track", "identify", "track", "identify"))
    story.accept(first)
    story.accept(early)
    story.accept(second)
    story.accept(track)
    story.commit(4)

    assert {"reorder": 1} == story.wrong()


def test_an_identify_may_overtake_again_for_somebody_who_does_not_know(story: Story) -> None:
    """A new owner without the state takes the user for unknown."""
    first, one, two, second = (story.produce(what) for what in ("identify", "track", "track", "identify"))
    story.accept(first)
    story.accept(one)
    story.commit(2)
    story.move("m1.1")
    story.accept(second, sender="m1.1")
    story.accept(two, sender="m1.1")
    story.commit(4)

    assert {} == story.wrong()


def test_an_identify_may_overtake_again_for_the_same_member_after_a_loss(story: Story) -> None:
    """The partition was taken away before the user's state was written, and came back: it is read again."""
    first, one, two, second = (story.produce(what) for what in ("identify", "track", "track", "identify"))
    story.accept(first)
    story.accept(one)
    story.commit(2)
    story.move("")
    story.move("m0.1")
    story.accept(second)
    story.accept(two)
    story.commit(4)

    assert {} == story.wrong()


def test_an_identify_does_not_overtake_a_delete(story: Story) -> None:
    """The delete would undo it."""
    track = story.produce("track")
    story.produce("delete")
    identify = story.produce("identify")
    story.accept(identify)
    story.accept(track)
    story.commit(3)

    assert {"reorder": 1} == story.wrong()


def test_a_new_owner_that_starts_too_far_on_is_found(story: Story) -> None:
    """Its first request of a user leaves out an earlier event of that user."""
    identify, _, two = story.produce("identify"), story.produce("track"), story.produce("track")
    story.accept(identify)
    story.commit(1)
    story.move("m1.1")
    story.accept(two, sender="m1.1")

    assert 1 == story.wrong()["skip after rebalance"]


@pytest.mark.parametrize(("committed", "in_order"), [(1, True), (2, False)])
def test_what_went_with_its_topic_may_come_behind_the_next_one_s(story: Story, committed: int, in_order: bool) -> None:
    """Its request was held up on the way when the partition was given up and the topic made again.

    What was committed of the earlier topic had come before.
    """
    identify, held_up = story.produce("identify"), story.produce("track")
    story.accept(identify)
    story.commit(committed)
    story.make_again()
    story.move("m1.1")
    again, new = story.produce("identify"), story.produce("track")
    story.accept(again, sender="m1.1")
    story.accept(new, sender="m1.1")
    story.accept(held_up)
    story.commit(2)

    assert in_order is not bool({"reorder", "skip after rebalance"} & set(story.wrong()))
