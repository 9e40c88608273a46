"""The sequencer around the rule: which lanes live, when records are finished, what a lost partition leaves behind."""

from __future__ import annotations

import pytest

from consumer.sequencing.events import HandBack, Outcome, Partition, User
from consumer.sequencing.lanes import LaneStatus
from consumer.sequencing.stops import StopCause, Stopped
from tests.sequencing.given_sequencer import ERROR, NO, OK, P0, SLOWER, U1, U2, WRONG_KEY, Bench

# ---------------------------------------------------------------------- lanes


def test_the_same_text_as_user_id_and_as_anonymous_id_is_two_users() -> None:
    """Each has a lane, and needs an identify, of its own."""
    bench = Bench()
    bench.fetch(0, "track", known=True)
    bench.fetch(1, "track", user=User("u1", anonymous=True))

    assert ["events 0", "introduction 1 of u1"] == bench.sent()


def test_a_lane_that_lives_knows_better_than_the_stored_state() -> None:
    """A look-up that was asked before the identify was accepted comes too late."""
    bench = Bench()
    bench.fetch(0, "identify")
    bench.sent()
    bench.answer(OK)
    bench.fetch(1, "track", known=False)

    assert ["events 1"] == bench.sent()


def test_a_lane_is_let_go_when_nothing_waits() -> None:
    """Millions of users pass; only those with something waiting cost memory."""
    bench = Bench()
    bench.fetch(0, "track", known=True)
    bench.sent()
    bench.answer(OK)

    assert {} == bench.assignment.lanes


def test_a_lane_stays_until_its_state_is_written() -> None:
    """A look-up in between would not find the user."""
    bench = Bench()
    bench.fetch(0, "identify")
    bench.sent()
    bench.answer(OK)

    assert [U1] == list(bench.assignment.lanes)

    bench.write_done()

    assert {} == bench.assignment.lanes


def test_a_reserved_lane_stays_until_its_event_is_here() -> None:
    """The event was fetched, and waits behind the look-up of others."""
    bench = Bench()
    bench.fetch(0, "track", known=True)
    bench.sent()
    late = bench.event(1, "track")
    bench.sequencer.accept(bench.assignment, late.record, [late])

    assert bench.sequencer.reserve(bench.assignment, U1)
    assert not bench.sequencer.reserve(bench.assignment, U2)

    bench.answer(OK)
    bench.sequencer.receive(bench.assignment, late, 0.0, reserved=True)

    assert ["events 1"] == bench.sent()


# ---------------------------------------------------------------------- when a record is finished


def test_an_identify_is_finished_when_it_is_recorded() -> None:
    """Steps 1 to 4 of endings.py: also what is delivered behind it waits for the write."""
    bench = Bench()
    bench.fetch(0, "identify", "track")
    bench.sent()
    bench.answer(OK)
    bench.sent()
    bench.answer(OK)

    assert ["remember u1"] == bench.actions()
    assert 0 == bench.committable
    assert not bench.assignment.drained

    bench.write_done()

    assert 2 == bench.committable
    assert {"delivered": 2} == bench.ends()
    assert bench.assignment.drained


def test_an_event_behind_an_introduction_is_finished_when_that_is_recorded() -> None:
    """Else a crash in between would forget that the user was introduced."""
    bench = Bench()
    bench.fetch(0, "track")
    bench.sent()
    bench.answer(OK)
    bench.sent()
    bench.answer(OK)

    assert 0 == bench.committable

    bench.write_done()

    assert 1 == bench.committable


def test_a_second_identify_is_not_recorded_again() -> None:
    """Only users that are not known are written."""
    bench = Bench()
    bench.fetch(0, "identify", known=True)
    bench.sent()
    bench.answer(OK)

    assert [] == bench.actions()
    assert 1 == bench.committable


def test_all_writes_of_a_user_must_be_acknowledged() -> None:
    """A delete right behind an identify: two writes, and what is behind them is finished after both."""
    bench = Bench()
    bench.fetch(0, "identify", "delete")
    bench.sent()
    bench.answer(OK)

    assert ["remember u1", "forget u1"] == bench.actions()

    bench.write_done()

    assert 0 == bench.committable

    bench.write_done()

    assert 2 == bench.committable
    assert {"delivered": 1, "skipped: forgotten": 1} == bench.ends()


def test_a_dead_letter_is_finished_when_it_is_acknowledged() -> None:
    """Until then it holds back its offset, and nothing else."""
    bench = Bench()
    bench.reject(0)
    bench.skip(1)

    assert ["dead_letter 0: undecodable"] == bench.actions()
    assert 0 == bench.committable
    assert not bench.assignment.drained

    bench.burial_done()

    assert 2 == bench.committable
    assert {"dead_lettered: undecodable": 1, "skipped: unsupported": 1} == bench.ends()
    assert bench.assignment.drained


def test_too_many_dead_letters_stop_the_partition() -> None:
    """Not before 200 records; then the record that is one too many stays unfinished, and nothing more is sent."""
    bench = Bench(dead_letter_ratio_max=0.5)
    bench.fetch(0, "track", known=True)
    for offset in range(1, 200):
        bench.reject(offset)

    assert bench.assignment.stopped is None
    assert 199 == len(bench.actions())

    bench.reject(200)

    assert [] == bench.actions()
    assert bench.assignment.stopped is not None
    assert "CUSTOMFIT_DEAD_LETTER_RATIO_MAX" in bench.assignment.stopped.reason
    assert not bench.assignment.open
    assert [] == bench.sent()


def test_what_waits_counts_as_good_until_it_is_answered() -> None:
    """A backlog with a quarter that can't be read goes on, though that ends before anything is delivered."""
    bench = Bench(dead_letter_ratio_max=0.5)
    for offset in range(1000):
        if offset % 4:
            bench.fetch(offset, "track", user=User(f"u{offset}"), known=True)
        else:
            bench.reject(offset)

    assert 250 == len(bench.actions())
    assert bench.assignment.stopped is None


def test_refusals_stop_the_partition_however_much_waits() -> None:
    """More than half of the last 1,000, although 2,000 more are fetched and not answered."""
    bench = Bench(in_flight_max=1, dead_letter_ratio_max=0.5)
    for offset in range(2500):
        bench.fetch(offset, "track", user=User(f"u{offset}"), known=True)
    bench.sequencer.gate.delivered(0.0, 0.0)
    refused = 0
    while bench.sent() and bench.assignment.stopped is None:
        bench.answer(NO)
        refused += bench.assignment.stopped is None

    assert 500 == refused


def test_consumed_is_finished_and_unfinished() -> None:
    """At any moment, in records and in bytes."""
    bench = Bench()
    bench.fetch(0, "track", "identify", "delete")
    bench.skip(3)
    bench.reject(4)
    account = bench.sequencer.account

    assert (5, 1, 4) == (sum(account.consumed.values()), sum(account.finished.values()), account.unfinished)
    assert 4 * 100 == account.unfinished_bytes == bench.assignment.unfinished_bytes

    bench.sent()
    bench.answer(OK)
    bench.drop()

    assert {"skipped: unsupported": 1, "handed_back": 4} == bench.ends()
    assert (0, 0) == (account.unfinished, account.unfinished_bytes)


def test_what_a_stopped_partition_holds_does_not_fill_the_buffer() -> None:
    """Nobody can finish it; and when the partition goes it is not taken off a second time."""
    bench = Bench()
    stopped = bench.assignment
    bench.fetch(0, "track", "track", known=True)
    bench.assign(Partition("segment", 1))
    bench.fetch(0, "track", user=U2, known=True)
    sequencer, buffered = bench.sequencer, [tuple(bench.sequencer.buffered)]
    stopped.stopped = Stopped(StopCause.DEAD_LETTER_RATIO, "too many")
    buffered.append(tuple(sequencer.buffered))
    sequencer.drop(P0, HandBack.LOST)
    stopped.stopped = Stopped(StopCause.TOPIC_MADE_AGAIN, "too late")
    buffered.append(tuple(sequencer.buffered))

    assert [(3, 300), (1, 100), (1, 100)] == buffered


# ---------------------------------------------------------------------- partitions come and go


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
    bench.sequencer.accept(bench.assignment, event.record, [event])
    old = bench.assignment
    bench.drop()
    bench.sequencer.receive(old, event, 0.0, reserved=False, identified=True)

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


# ---------------------------------------------------------------------- how much a crash may send again


def test_sending_stops_when_too_much_is_uncommitted() -> None:
    """Until a commit is acknowledged."""
    bench = Bench(uncommitted_events_max=2, batch_events_max=1)
    bench.fetch(0, "track", "track", "track", known=True)
    for _ in range(2):
        bench.sent()
        bench.answer(OK)

    assert [] == bench.sent()

    offsets = bench.assignment.offsets
    offsets.committed(offsets.commit_point())

    assert ["events 2"] == bench.sent()


def test_what_is_answered_behind_a_state_write_counts_as_uncommitted() -> None:
    """A crash would send it again; found by the simulation, seed 302."""
    bench = Bench(uncommitted_events_max=2, batch_events_max=1)
    bench.fetch(0, "identify", "track", "track")
    for _ in range(2):
        bench.sent()
        bench.answer(OK)

    assert [] == bench.sent()


def without_room(bench: Bench) -> None:
    """A commit that says nothing of what is finished above its offset, as when its metadata is full."""
    offsets = bench.assignment.offsets
    offsets.committed(offsets.commit_point()._replace(recorded=offsets.committable()))


def test_the_first_unfinished_event_is_sent_all_the_same_when_only_that_helps() -> None:
    """All is committed that can be, and the metadata has no room: the next commit needs that very event."""
    bench = Bench(uncommitted_events_max=2, hold_seconds=1.0)
    bench.fetch(0, "track")
    bench.fetch(1, "track", "track", user=U2, known=True)
    bench.sent()
    bench.answer(OK)
    without_room(bench)
    bench.fetch(3, "track", user=User("u3"), known=True)

    assert [] == bench.sent()
    assert ["introduction 0"] == bench.sent(now=1.0)


def test_an_identify_that_is_sent_again_is_let_through_for_the_event_it_has_overtaken() -> None:
    """The first unfinished event can only go after it; found by the simulation, seed 2997."""
    bench = Bench(uncommitted_events_max=2)
    bench.fetch(0, "track", "identify")
    bench.sent()
    bench.answer(ERROR)
    bench.fetch(2, "track", "track", user=U2, known=True)
    bench.sent()
    bench.answer(OK)
    without_room(bench)

    assert ["identify 1"] == bench.sent(now=1.0)
