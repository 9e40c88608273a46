"""Which lanes live: one for each user with something that waits, and no longer than that."""

from __future__ import annotations

from consumer.sequencing.events import User
from tests.sequencing.given_sequencer import NO, OK, P0, U1, U2, Bench


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


def test_whoever_is_asked_for_waits_and_nobody_else() -> None:
    """What comes meanwhile joins, and asks nobody again; all of it goes once the state has answered."""
    bench = Bench()
    bench.fetch(0, "track", user=U2, known=True)
    for offset in (1, 2):
        event = bench.event(offset, "track")
        bench.sequencer.accept(bench.assignment, event.record, [event], 0.0)

    assert {P0: [U1]} == bench.sequencer.look_ups.question()
    assert {} == bench.sequencer.look_ups.question()
    assert ["events 0 of u2"] == bench.sent()

    bench.sequencer.looked_up({P0: {U1}}, 0.0)

    assert ["events 1,2"] == bench.sent()


def test_nobody_is_asked_about_a_user_who_has_an_identify_to_send() -> None:
    """It is sent whatever is known of its user, who is identified then."""
    bench = Bench()
    for offset, (kind, user) in enumerate((("identify", U1), ("track", U1), ("track", U2))):
        event = bench.event(offset, kind, user)
        bench.sequencer.accept(bench.assignment, event.record, [event], 0.0)

    assert {P0: [U2]} == bench.sequencer.look_ups.question()
    assert ["identify 0"] == bench.sent()

    bench.answer(OK)

    assert {} == bench.sequencer.look_ups.question()
    assert ["events 1"] == bench.sent()


def test_if_the_identify_is_refused_the_state_is_asked() -> None:
    """The user may have been identified before: then what follows goes out in order, else it is held."""
    for known, sent in ((True, "events 1"), (False, "identify 2")):
        bench = Bench()
        for offset, kind in enumerate(("identify", "track", "identify")):
            event = bench.event(offset, kind)
            bench.sequencer.accept(bench.assignment, event.record, [event], 0.0)
        bench.sent()
        bench.answer(NO)

        assert [] == bench.sent()

        bench.look_up(known=known)

        assert [sent] == bench.sent()


def test_a_delete_is_carried_out_without_asking() -> None:
    """Whatever was known of the user is forgotten then, so what follows has to be introduced."""
    bench = Bench()
    for offset, kind in enumerate(("delete", "track")):
        event = bench.event(offset, kind)
        bench.sequencer.accept(bench.assignment, event.record, [event], 0.0)

    assert {} == bench.sequencer.look_ups.question()
    assert ["forget u1"] == bench.actions()
    assert ["introduction 1"] == bench.sent()


def test_who_was_forgotten_meanwhile_is_not_identified() -> None:
    """A delete came through in another partition: the state had answered before it was written there."""
    bench = Bench()
    event = bench.event(0, "track")
    bench.sequencer.accept(bench.assignment, event.record, [event], 0.0)
    bench.sequencer.look_ups.question()
    bench.sequencer.forgotten(U1)
    bench.sequencer.looked_up({P0: {U1}}, 0.0)

    assert ["introduction 0"] == bench.sent()
    assert U1 not in bench.assignment.known
