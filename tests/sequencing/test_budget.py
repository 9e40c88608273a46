"""What a partition may use of what all share. In virtual time."""

from __future__ import annotations

import pytest

from consumer.sequencing.active import Active
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.budget import Budget
from consumer.sequencing.events import Partition
from consumer.sequencing.offsets import OffsetTracker

P0, P1 = Partition("segment", 0), Partition("segment", 1)
REPLAYS = Partition("replay", 0)
UNCOMMITTED_EVENTS_MAX = 1000
SHARE = UNCOMMITTED_EVENTS_MAX // 2


def silent_at(commit_interval_seconds: float, *, commits_until: float, record_asked_at: float = 1e9) -> float | None:
    """When a partition that finishes 10 events a second is held to its share; its commits come until then."""
    budget = Budget(UNCOMMITTED_EVENTS_MAX, 10_000, commit_interval_seconds)
    active = Active()
    busy, other = Assignment(P0, OffsetTracker(0)), Assignment(P1, OffsetTracker(0))
    commit_at = commit_interval_seconds
    for second in range(400):
        for offset in range(second * 10, second * 10 + 10):
            busy.offsets.received(offset, 0)
            busy.offsets.finished(offset)
        if commit_at <= second <= commits_until:
            busy.offsets.committed(busy.offsets.commit_point())
            commit_at += commit_interval_seconds
        busy.unacknowledged = int(second >= record_asked_at)
        active.touch(busy)
        budget.update({P0: busy, P1: other}, active, float(second))
        # The other one may still send: only who is silent is held to a share, which this one has used up by then.
        if not budget.may_send(busy) and budget.may_send(other):
            return float(second)
    return None


@pytest.mark.parametrize("commit_interval_seconds", [0.1, 1.0, 5.0, 20.0, 45.0, 60.0])
def test_nobody_is_held_to_a_share_while_commits_come_when_they_are_due(commit_interval_seconds: float) -> None:
    """However far apart they are: the share is used up 50 s after one."""
    assert silent_at(commit_interval_seconds, commits_until=1e9) is None


@pytest.mark.parametrize(("commit_interval_seconds", "held_at"), [(1.0, 70.0), (20.0, 70.0), (40.0, 80.0)])
def test_commits_that_stay_away_hold_a_partition_to_its_share(commit_interval_seconds: float, held_at: float) -> None:
    """After two intervals, and 50 s after the last commit: that was at 20 s, or never (last row)."""
    assert held_at == silent_at(commit_interval_seconds, commits_until=20.0)


def test_a_record_that_is_not_acknowledged_is_not_waited_for_as_long_as_a_commit() -> None:
    """Records are written at once: they have no interval."""
    assert 52.0 == silent_at(60.0, commits_until=1e9, record_asked_at=48.0)


@pytest.mark.parametrize(("holds_replays", "held"), [(True, {REPLAYS}), (False, set())])
def test_with_a_rate_replays_never_have_more_than_their_share_of_the_buffer(
    holds_replays: bool, held: set[Partition]
) -> None:
    """They may be slow, and live events would wait for room behind them; that they move does not count."""
    budget = Budget(UNCOMMITTED_EVENTS_MAX, 1_000, 1.0, holds_replays=holds_replays)
    live, replays = Assignment(P0, OffsetTracker(0)), Assignment(REPLAYS, OffsetTracker(0))
    replays.of_replays()
    for offset in range(600):
        replays.offsets.received(offset, 0)
    budget.update({P0: live, REPLAYS: replays}, Active(), 1.0)

    assert held == budget.held_to_share
