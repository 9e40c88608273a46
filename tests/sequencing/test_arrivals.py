"""Since when records have been there to be read, of a log whose ends are seen now and then. In virtual time."""

from __future__ import annotations

import random

import pytest

from consumer.sequencing.arrivals import DISTANCE_SECONDS_MIN, SAMPLES_MAX, Arrivals

HOUR_SECONDS = 3600


def test_an_end_counts_from_when_it_was_first_seen() -> None:
    """Seen again, it is no younger."""
    arrivals = Arrivals()
    for end, now in ((10, 1.0), (10, 2.0), (20, 3.0)):
        arrivals.seen(end, now)

    assert [1.0, 1.0, 3.0, None] == [arrivals.since(offset) for offset in (0, 9, 10, 20)]


def test_a_record_never_looks_younger_through_an_hour_in_which_nothing_moves() -> None:
    """Ten records a second; then the partition is worked off, and each one's age is right but for the distance."""
    arrivals = Arrivals()
    for tenth in range(HOUR_SECONDS * 10):
        arrivals.seen(tenth + 1, tenth / 10)

    distance_seconds = arrivals.distance_seconds
    too_old_seconds = [offset / 10 - (arrivals.since(offset) or 0.0) for offset in range(HOUR_SECONDS * 10)]

    assert 0.0 <= min(too_old_seconds)
    assert max(too_old_seconds) <= distance_seconds <= HOUR_SECONDS / 32


@pytest.mark.parametrize("seed", range(20))
def test_ages_are_right_but_for_the_distance_whatever_comes_and_goes(seed: int) -> None:
    """Records come in bursts with hours between them, and the oldest unfinished one moves on meanwhile."""
    rng = random.Random(seed)
    arrivals, seen_at, offset, now = Arrivals(), list[float](), 0, 0.0
    for _ in range(5_000):
        now += rng.choice((0.01, 0.1, 1.0, 1.0, 10.0, 5000.0))
        seen_at += [now] * rng.randint(0, 3)
        arrivals.seen(len(seen_at), now)
        offset = min(offset + rng.randint(0, rng.choice((1, 3, 3))), len(seen_at))
        since = arrivals.since(offset)

        assert (since is None) == (offset == len(seen_at))
        assert since is None or 0.0 <= seen_at[offset] - since <= max(now - since, 8 * DISTANCE_SECONDS_MIN) / 8
        assert len(arrivals._samples) <= SAMPLES_MAX


def test_ages_are_exact_again_when_the_stall_is_worked_off() -> None:
    """A distance that fitted an hour is too much for what comes after it."""
    arrivals = Arrivals()
    for second in range(HOUR_SECONDS):
        arrivals.seen(second + 1, float(second))
    arrivals.since(HOUR_SECONDS)
    for second in range(HOUR_SECONDS, HOUR_SECONDS + 60):
        arrivals.seen(second + 1, float(second))

    assert float(HOUR_SECONDS + 30) == arrivals.since(HOUR_SECONDS + 30)
