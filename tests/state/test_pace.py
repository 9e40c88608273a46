"""How fast something goes that must not disturb: at most so many records a second, and nothing is saved up."""

from __future__ import annotations

import pytest

from consumer.state.pace import Pace


def test_no_more_than_the_rate_goes() -> None:
    """However the records come: a rest behind each handful makes up for it."""
    pace = Pace(100)
    now, records = 10.0, 0
    while now < 20.0:
        records += 25
        now += pace.seconds_until_next(25, now)

    assert 1000 == records


def test_an_idle_time_is_not_made_up_for() -> None:
    """After an hour without records the next ones go as slowly as any."""
    pace = Pace(100)
    pace.seconds_until_next(100, 0.0)

    assert pytest.approx(1.0) == pace.seconds_until_next(100, 3600.0)


def test_who_is_slow_anyway_does_not_rest() -> None:
    """The time that the work has taken counts as rest."""
    pace = Pace(100)
    first = pace.seconds_until_next(10, 0.0)

    assert pytest.approx(0.1) == first
    assert pytest.approx(0.0) == pace.seconds_until_next(0, first)
