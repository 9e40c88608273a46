"""How long answers take now, and for how long lanes have waited for a place: what makes a destination a slow one."""

from __future__ import annotations

from consumer.sequencing.slowness import RECENT_SECONDS, Slowness
from tests.sequencing.given_sequencer import OK, U1, U2, Bench


def test_only_answers_for_which_others_wait_say_how_slow_it_is() -> None:
    """The many quick ones of a moment ago would hide the slow ones."""
    slowness = Slowness()
    slowness.measured(0.0, [0.1] * 1000)
    slowness.look(1.0, is_full=True)
    assert 0.0 == slowness.answer_seconds
    slowness.measured(2.0, [3.0, 5.0])

    assert 4.0 == slowness.answer_seconds


def test_only_recent_answers_count_and_the_last_ones_do_until_there_are_others() -> None:
    """Those that come minutes apart are the slowest of all."""
    slowness, found = Slowness(), []
    slowness.look(0.0, is_full=True)
    for now, seconds in ((1.0, [9.0] * 3), (200.0, [5.0]), (200.0 + RECENT_SECONDS, [1.0]), (300.0, [1.0])):
        slowness.measured(now, seconds)
        found.append(slowness.answer_seconds)

    assert [9.0, 8.0, 3.0, 1.0] == found


def test_it_is_full_for_as_long_as_lanes_wait_without_a_break() -> None:
    """One free place begins it anew."""
    slowness = Slowness()
    looks = [(1.0, True), (4.0, True), (5.0, False), (6.0, True), (8.0, True)]
    found = []
    for now, is_full in looks:
        slowness.look(now, is_full=is_full)
        found.append(slowness.full_seconds(now))

    assert [0.0, 3.0, 0.0, 0.0, 2.0] == found


def test_lanes_wait_for_a_place_only_while_there_are_lanes_and_no_place() -> None:
    """All places taken and nobody behind them is a caught-up service."""
    bench = Bench(in_flight_max=1)
    bench.fetch(0, "identify", user=U1)
    bench.sent()
    alone = bench.sequencer.waits_for_a_place
    bench.fetch(1, "identify", user=U2)
    bench.sent()
    behind = bench.sequencer.waits_for_a_place
    bench.answer(OK)
    free = bench.sequencer.waits_for_a_place

    assert (False, True, False) == (alone, behind, free)
