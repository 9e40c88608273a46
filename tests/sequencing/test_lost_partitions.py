"""Partitions come and go: what one that is lost leaves behind, and what an answer that comes late still means."""

from __future__ import annotations

import pytest

from consumer.sequencing.events import Outcome, Partition
from consumer.sequencing.lanes import LaneStatus
from tests.sequencing.given_sequencer import ERROR, NO, OK, P0, SLOWER, U1, U2, WRONG_KEY, Bench


def test_a_partition_that_is_being_given_back_sends_nothing_more() -> None:
    """What is in flight still reports, and counts."""
    bench = Bench()
    bench.fetch(0, "track", known=True)
    bench.fetch(1, "track", user=U2, known=True)
    sent = [bench.sequencer.next_delivery(0.0)]
    bench.unanswered += [delivery for delivery in sent if delivery is not None]
    bench.sequencer.close(P0)

    assert [] == bench.sent()

    bench.answer(OK)

    assert 1 == bench.committable
    assert bench.assignment.drained


def test_a_late_outcome_of_a_lost_partition_changes_nothing_in_another_topic() -> None:
    """The partition has come back meanwhile: another assignment, with offsets of its own, of a topic made again."""
    bench = Bench()
    bench.fetch(0, "identify", "track")
    bench.sent()
    old = bench.assignment
    bench.drop()
    bench.assign(topic_id="another")
    bench.fetch(0, "identify", "track")
    bench.answer(OK)

    assert [] == bench.actions()
    assert 0 == bench.committable
    assert 2 == bench.sequencer.account.unfinished
    assert old.dropped
    assert ["identify 0"] == bench.sent()


def test_what_was_accepted_late_is_not_sent_again() -> None:
    """The partition has come back meanwhile, and the user's lane has waited for just this answer."""
    bench = Bench()
    bench.fetch(0, "track", "track", known=True)
    bench.sent()
    bench.drop()
    bench.assign()
    bench.fetch(0, "track", "track", "track", known=True)
    bench.answer(OK)
    bench.look_up(known=True)

    assert 2 == bench.committable
    assert {"delivered": 2, "handed_back": 2} == bench.ends()
    assert ["events 2"] == bench.sent()


def test_an_identify_that_was_accepted_late_counts_and_is_recorded_first() -> None:
    """It has overtaken a track, which goes next; the identify is finished when the user's state is written."""
    bench = Bench()
    bench.fetch(0, "track", "identify")

    assert ["identify 1"] == bench.sent()

    bench.drop()
    bench.assign()
    bench.fetch(0, "track", "identify", "track")
    bench.answer(OK)

    assert ["remember u1"] == bench.actions()
    assert ["events 0,2"] == bench.sent()

    bench.answer(OK)

    assert 0 == bench.committable

    bench.write_done()

    assert 3 == bench.committable


def test_an_introduction_that_was_accepted_late_counts() -> None:
    """The event behind it goes next, and was not sent before."""
    bench = Bench(hold_seconds=0.0)
    bench.fetch(0, "track")

    assert ["introduction 0"] == bench.sent()

    bench.drop()
    bench.assign()
    bench.fetch(0, "track")
    bench.answer(OK)

    assert ["remember u1"] == bench.actions()
    assert ["events 0"] == bench.sent()


def test_what_was_accepted_late_counts_not_behind_a_delete_that_has_its_turn_again() -> None:
    """The delete was not yet finished when the partition went: it would undo the identify behind it."""
    bench = Bench()
    bench.fetch(0, "delete", "identify", known=True)

    assert ["identify 1"] == bench.sent()

    bench.drop()
    bench.assign()
    bench.fetch(0, "delete", "identify", "track", known=True)
    bench.answer(OK)

    assert ["forget u1", "forget u1"] == bench.actions()
    assert ["identify 1"] == bench.sent()


@pytest.mark.parametrize("outcome", [NO, ERROR, SLOWER, WRONG_KEY])
def test_an_old_request_blocks_its_user_until_it_is_answered(outcome: Outcome) -> None:
    """Also when the partition has come back to this member: else two requests of one user would race."""
    bench = Bench()
    bench.fetch(0, "track", known=True)
    bench.fetch(1, "track", user=U2, known=True)
    bench.sent()
    bench.drop()
    bench.assign()
    bench.fetch(0, "track", "track", known=True)

    assert [] == bench.sent()
    assert LaneStatus.BLOCKED is bench.assignment.lanes[U1].status

    bench.answer(outcome)
    bench.answer(OK)
    bench.look_up(known=True)

    assert ["events 0,1"] == bench.sent(now=100.0)


def test_an_old_request_blocks_through_two_losses() -> None:
    """However often the partition comes and goes meanwhile."""
    bench = Bench()
    bench.fetch(0, "track", known=True)
    bench.sent()
    for _ in range(2):
        bench.drop()
        bench.assign()
        bench.fetch(0, "track", "track", known=True)

    assert [] == bench.sent()

    bench.answer(OK)
    bench.look_up(known=True)

    assert ["events 1"] == bench.sent()


def test_an_old_request_blocks_nobody_else() -> None:
    """Nor the same user in another partition."""
    bench = Bench()
    bench.fetch(0, "track", known=True)
    bench.sent()
    bench.drop()
    bench.assign()
    bench.fetch(1, "track", user=U2, known=True)
    bench.assign(Partition("segment", 1))
    bench.fetch(0, "track", known=True)

    assert {"events 1 of u2", "events 0"} == set(bench.sent())


def test_late_acknowledgements_of_a_lost_partition_change_nothing() -> None:
    """Of state writes and dead letters alike."""
    bench = Bench()
    bench.fetch(0, "identify")
    bench.reject(1)
    bench.sent()
    bench.answer(OK)
    bench.actions()
    bench.drop()
    bench.assign()
    bench.fetch(0, "identify")
    bench.reject(1)
    bench.write_done()
    bench.burial_done()

    assert 0 == bench.committable
    assert 2 == bench.assignment.offsets.unfinished


def test_a_lookup_that_comes_after_the_loss_is_ignored() -> None:
    """Its event was handed back with the partition."""
    bench = Bench()
    event = bench.event(0, "track")
    bench.sequencer.accept(bench.assignment, event.record, [event], 0.0)
    bench.sequencer.look_ups.question()
    bench.drop()
    bench.sequencer.looked_up({P0: {U1}}, 0.0)

    assert [] == bench.sent()
    assert {"handed_back": 1} == bench.ends()


def test_holds_and_backoffs_end_with_the_partition() -> None:
    """Nothing of it wakes up later."""
    bench = Bench(hold_seconds=5.0)
    bench.fetch(0, "track")
    bench.fetch(1, "track", user=U2, known=True)
    bench.sent()
    bench.answer(ERROR)
    bench.drop()

    assert (0, 0) == (bench.sequencer.holds.users, bench.sequencer.holds.events)
    assert bench.sequencer.next_deadline(0.0) is None
    assert [] == bench.sent(now=100.0)


def test_what_an_old_request_has_delivered_is_not_sent_again() -> None:
    """What comes behind it is looked up then, and sent."""
    bench = Bench()
    bench.fetch(0, "track", known=True)
    bench.sent()
    bench.drop()
    bench.assign()
    for offset in (0, 1):
        event = bench.event(offset, "track")
        bench.sequencer.accept(bench.assignment, event.record, [event], 0.0)
    bench.answer(OK)
    bench.look_up(known=True)

    assert ["events 1"] == bench.sent()
    assert 1 == bench.committable
