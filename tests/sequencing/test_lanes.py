"""Which lanes live: one for each user with something that waits, and no longer than that."""

from __future__ import annotations

from consumer.sequencing.events import User
from tests.sequencing.given_sequencer import OK, U1, U2, Bench


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
