"""The capacity model: what a load needs by hand-made costs, and how near it is to runs that it was not fitted to."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import pytest

from bench.capacity import PAGE, Costs, Load, fitted, held_out, need, shown
from bench.report import RESULTS

OFF_MAX: Final = 0.15
COSTS: Final = Costs(
    event_us=10,
    request_us=40,
    identify_us=200,
    member_mb=140,
    known_user_bytes=150,
    stored_user_bytes=30,
    restored_users_per_second=100_000,
)
LOAD: Final = Load(events_per_second=10_000, users=10_000_000, answer_seconds=0.05, in_flight=64)


def measured() -> dict[str, dict[str, Any]]:
    """The results that are committed."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(RESULTS.glob("*.json"))}


def test_an_event_shares_its_request_with_those_that_go_with_it() -> None:
    """10 µs its own, 40 µs of the request."""
    assert 50 == COSTS.of_event_us(1)
    assert 20 == COSTS.of_event_us(4)


def test_a_slow_destination_takes_members_for_their_requests() -> None:
    """10,000 requests/s of 50 ms are 500 at once; 64 of a member, of which six tenths are planned with: 14."""
    got = need(LOAD, COSTS)

    assert ("requests at once", 14 + 1, 14 * 4) == (got.limit, got.members, got.partitions)


def test_a_fast_destination_takes_members_for_their_processors() -> None:
    """400 identifies of 200 µs and 9,600 others of 50 µs are 0.56 cores, of which six tenths are planned with."""
    got = need(replace(LOAD, answer_seconds=0.001), COSTS)

    assert ("processor", 1 + 1) == (got.limit, got.members)


def test_more_requests_at_once_take_fewer_members() -> None:
    """512 instead of 64."""
    assert 2 + 1 == need(replace(LOAD, in_flight=512), COSTS).members


def test_users_are_shared_by_the_members_that_work() -> None:
    """Disk and restore are of one of them, the state topic of all."""
    got = need(LOAD, COSTS)

    assert pytest.approx(10e6 / 14 * 30 / 1e9) == got.disk_gb
    assert pytest.approx(10e6 / 14 / 100_000) == got.restore_seconds
    assert pytest.approx(1.5) == got.state_topic_gb


def test_a_small_load_takes_one_member_and_a_spare() -> None:
    """A group of one would stand still while it restarts."""
    assert 2 == need(Load(events_per_second=1, users=10), COSTS).members


def test_no_run_that_it_was_not_fitted_to_costs_15_percent_more_than_predicted() -> None:
    """From what is committed in bench/results: whoever plans with it has enough."""
    results = measured()

    assert [] == [one for one in held_out(results, fitted(results)) if one.off < -OFF_MAX]


def test_runs_of_few_partitions_are_predicted_within_15_percent() -> None:
    """With hundreds an event costs less than the model says, by a fifth or so: the page has the figure."""
    results = measured()
    far_off = [one.name for one in held_out(results, fitted(results)) if abs(one.off) > OFF_MAX]

    assert [] == [run for run in far_off if run != "`partitions`, 256"]


def test_the_page_is_made_from_what_was_measured() -> None:
    """Otherwise: python -m bench.capacity --page."""
    results = measured()
    costs = fitted(results)

    assert shown(costs, held_out(results, costs)) in PAGE.read_text()
