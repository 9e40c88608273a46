"""One rate for the group, where nothing goes wrong: it is used. That it is never exceeded is tried in every world."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

import pytest

from tests.simulation import simulation
from tests.simulation.options import draw

CALM_SEED = next(seed for seed in range(100) if draw(seed).flavour == "calm")
RATE = 40.0
SOURCE_RATE = 0.95 * RATE
"""There are no replays here, and the rest is theirs."""


@pytest.mark.parametrize("members", [1, 2, 4])
def test_with_an_even_lag_the_rate_is_used(members: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least 95 % of it, by one member or several, in the ten seconds from the second on at which all have begun."""
    drawn = draw(CALM_SEED)
    calm = replace(
        drawn,
        partitions=4,
        events=1_000,
        users=500,
        members=members,
        dripping=False,
        rejected=0.0,
        skipped=0.0,
        batches=0.0,
        encoded=0.0,
        hold_seconds=0.0,
        unidentified="introduce",
        in_flight_max=16,
        batch_events_max=1,
        buffer_events_max=200,
        buffer_bytes_max=100_000,
        uncommitted_events_max=10_000,
        fetch_records_max=10,
        requests_per_second_max=RATE,
    )
    monkeypatch.setattr(simulation, "draw", lambda *_seed, **_named: calm)
    world = simulation.Simulation(CALM_SEED, ask_health=False)
    world.run()
    starts = world.referee.rate.starts
    used = bisect_right(starts, 15.0) - bisect_right(starts, 5.0)

    assert 0.95 * SOURCE_RATE * 10 <= used <= SOURCE_RATE * 10 * 1.02
