"""Giving up: an event that keeps failing while others succeed is dead-lettered, and in an outage nothing is.

A failed request waits 1, 2, 4 ... seconds here, so what begins at 0 fails at 0, 1, 3, 7, 15 ...
"""

from __future__ import annotations

from consumer.sequencing.events import Outcome, User
from tests.sequencing.given_sequencer import ERROR, OK, SLOWER, U2, Bench


def fail(bench: Bench, now: float, outcome: Outcome = ERROR) -> list[str]:
    """What goes out now fails."""
    sent = bench.sent(now)
    for _ in sent:
        bench.answer(outcome, now)
    return sent


def succeed(bench: Bench, now: float) -> None:
    """Somebody else's event is accepted."""
    bench.fetch(bench.assignment.offsets.position, "track", user=U2, known=True, now=now)
    bench.sent(now)
    bench.answer(OK, now)


def fail_while_others_succeed(bench: Bench, now: float, outcome: Outcome = ERROR) -> list[str]:
    """What goes out now fails; a little later somebody else's event is accepted."""
    sent = fail(bench, now, outcome)
    succeed(bench, now + 0.5)
    return sent


def test_an_event_that_fails_while_others_succeed_is_given_up() -> None:
    """When the time since its first failure is over, and the lane goes on."""
    bench = Bench(give_up_seconds=5.0, batch_events_max=1)
    bench.fetch(0, "track", "track", known=True)
    for now in (0.0, 1.0, 3.0):
        assert ["events 0"] == fail_while_others_succeed(bench, now)

    assert [] == bench.actions()
    assert ["events 0"] == fail_while_others_succeed(bench, 7.0)
    assert ["dead_letter 0: gave_up"] == bench.actions()
    assert "failing for 7 s while other users succeed: 500" == bench.burials[0].detail


def test_a_batch_that_fails_while_others_succeed_is_halved_first() -> None:
    """And a half is given up only after it has failed twice by itself, with a success between."""
    bench = Bench(give_up_seconds=5.0)
    bench.fetch(0, "track", "track", known=True)
    for now in (0.0, 1.0, 3.0):
        assert ["events 0,1"] == fail_while_others_succeed(bench, now)

    assert ["events 0,1"] == fail(bench, 7.0)
    assert ["events 0"] == fail_while_others_succeed(bench, 7.0)
    assert [] == bench.actions()
    assert ["events 0"] == fail(bench, 8.0)
    assert ["dead_letter 0: gave_up"] == bench.actions()
    assert ["events 1"] == bench.sent(8.0)


def test_in_an_outage_nothing_is_given_up() -> None:
    """However long it lasts; neither is a half that failed before it began."""
    bench = Bench(give_up_seconds=5.0)
    bench.fetch(0, "track", "track", known=True)
    for now in (0.0, 1.0, 3.0):
        fail_while_others_succeed(bench, now)
    now = 7.0
    for _ in range(20):
        fail(bench, now)
        now += 1000.0

    assert [] == bench.actions()


def test_an_outage_between_two_failures_counts_a_minute_at_most() -> None:
    """The event may have waited for the gate, and not have been tried."""
    bench = Bench(give_up_seconds=100.0)
    bench.fetch(0, "track", known=True)
    fail_while_others_succeed(bench, 0.0)
    fail_while_others_succeed(bench, 5000.0)

    assert [] == bench.actions()

    fail_while_others_succeed(bench, 10_000.0)

    assert ["dead_letter 0: gave_up"] == bench.actions()


def test_429_counts_a_tenth() -> None:
    """It says "slow down", not "broken"."""
    bench = Bench(give_up_seconds=1.0)
    bench.fetch(0, "track", known=True)
    for now in (0.0, 1.0, 3.0, 7.0):
        fail_while_others_succeed(bench, now, SLOWER)

    assert [] == bench.actions()

    fail_while_others_succeed(bench, 15.0, SLOWER)

    assert ["dead_letter 0: gave_up"] == bench.actions()


def test_an_introduction_that_is_given_up_buries_the_event_behind_it() -> None:
    """As one that is refused does."""
    bench = Bench(give_up_seconds=5.0)
    bench.fetch(0, "track", "track")
    for now in (0.0, 1.0, 3.0):
        assert ["introduction 0"] == fail_while_others_succeed(bench, now)

    assert ["introduction 0"] == fail(bench, 7.0)
    assert ["dead_letter 0: gave_up"] == bench.actions()


def full_of_one_user(**rules: int) -> Bench:
    """Others have succeeded; then one user's events fill the buffer, and the first of them fails."""
    bench = Bench(give_up_seconds=5.0, buffer_events_max=10, batch_events_max=1, **rules)
    bench.fetch(0, "track", user=U2, known=True)
    bench.sent()
    bench.answer(OK)
    bench.fetch(1, *["track"] * 10, known=True)
    return bench


def test_with_a_buffer_full_of_one_user_nobody_else_can_succeed() -> None:
    """So a tenth of the time counts all the same, or it would stay so for ever; found by the simulation."""
    bench = full_of_one_user()
    for now in (0.0, 1.0, 3.0, 7.0, 15.0, 31.0):
        assert ["events 1"] == fail(bench, now)

    assert [] == bench.actions()
    assert ["events 1"] == fail(bench, 63.0)
    assert ["dead_letter 1: gave_up"] == bench.actions()


def test_a_429_behind_a_full_buffer_counts_a_tenth_and_not_a_tenth_of_it() -> None:
    """One user whom a 429 meets for ever stood in the way for a hundred times the time; found by the simulation."""
    bench = full_of_one_user()
    for now in (0.0, 1.0, 3.0, 7.0, 15.0, 31.0):
        assert ["events 1"] == fail(bench, now, SLOWER)

    assert [] == bench.actions()
    assert ["events 1"] == fail(bench, 63.0, SLOWER)
    assert ["dead_letter 1: gave_up"] == bench.actions()


def test_a_full_buffer_counts_also_before_anything_was_accepted() -> None:
    """A restart in the middle of it must not make it last for ever; found by the simulation."""
    bench = Bench(give_up_seconds=5.0, buffer_events_max=10, batch_events_max=1)
    bench.fetch(0, *["track"] * 10, known=True)
    for now in (0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0):
        fail(bench, now)

    assert ["dead_letter 0: gave_up"] == bench.actions()


def test_with_a_buffer_full_of_three_users_that_fail_it_is_an_outage() -> None:
    """Three users are enough to tell."""
    bench = full_of_one_user()
    for number, offset in enumerate((11, 12)):
        bench.fetch(offset, "track", user=User(f"other{number}"), known=True)
    now = 0.0
    for _ in range(20):
        fail(bench, now)
        now += 1000.0

    assert [] == bench.actions()
