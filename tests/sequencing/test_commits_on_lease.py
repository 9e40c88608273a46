"""Commits that renew the lease: when one is made that says nothing new, and since when a partition counts as ours."""

from __future__ import annotations

from consumer.sequencing.assignment import Assignment
from consumer.sequencing.commits import CommitSchedule
from consumer.sequencing.events import Partition
from consumer.sequencing.lease import lease_of
from consumer.sequencing.stops import StopCause, Stopped
from tests.sequencing.given_assignments import P0, P1, active, due, finish, offsets_of, ours

LEASE = lease_of(45.0, 10.0)


def leased(schedule: CommitSchedule, assignments: dict[Partition, Assignment], now: float) -> None:
    """The group accepts a commit of all that is to be committed at this time."""
    asked = due(schedule, assignments, now)
    schedule.answered(asked, list(asked), ok=True)


def test_a_new_partition_begins_with_a_commit_that_says_nothing_new() -> None:
    """It proves that the group takes us for its owner; until then nothing is sent."""
    schedule = CommitSchedule(1.0, 100, LEASE)
    assignments = ours(P0)

    asked = due(schedule, assignments, 100.0)

    assert {P0: 0} == offsets_of(asked)

    schedule.answered(asked, [P0], ok=True)

    assert 100.0 == assignments[P0].leased_at
    assert assignments[P0].offsets.is_committed


def test_a_commit_is_made_again_every_third_of_the_lease_while_events_wait() -> None:
    """Unchanged: one user's event may fail for an hour, and the others' are to be sent all the while."""
    schedule = CommitSchedule(1.0, 100, LEASE)
    assignments = ours(P0)
    leased(schedule, assignments, 100.0)

    assert {} == due(schedule, assignments, 100.0 + LEASE.renew_seconds - 0.01)
    assert {P0: 0} == offsets_of(due(schedule, assignments, 100.01 + LEASE.renew_seconds))


def test_what_is_committed_anyway_is_not_committed_again() -> None:
    """A commit that says something new renews as well."""
    schedule = CommitSchedule(1.0, 100, LEASE)
    assignments = ours(P0)
    leased(schedule, assignments, 100.0)
    finish(assignments[P0], 0)
    leased(schedule, assignments, 110.0)

    assert 110.0 == assignments[P0].leased_at
    assert {} == due(schedule, assignments, 110.0 + LEASE.renew_seconds - 0.01)


def test_an_idle_partition_is_never_committed_again() -> None:
    """Nothing waits, so nothing is written for ever into the group's offsets; nor of one that has stopped by itself."""
    schedule = CommitSchedule(1.0, 100, LEASE)
    assignments = ours(P0, P1)
    finish(assignments[P0], *range(10))
    leased(schedule, assignments, 100.0)
    assignments[P1].stopped = Stopped(StopCause.DEAD_LETTER_RATIO, "too many dead letters")

    assert {} == due(schedule, assignments, 10_000.0)


def test_the_first_event_after_an_idle_hour_waits_for_one_commit_and_not_for_its_interval() -> None:
    """It is asked for at once, even if another partition's was a moment ago."""
    schedule = CommitSchedule(60.0, 100, LEASE)
    assignments = ours(P0, P1, received=0)
    assignments[P1].offsets.received(0, 0)
    leased(schedule, assignments, 3600.0)
    assignments[P0].offsets.received(0, 0)

    assert {P0: 0} == offsets_of(due(schedule, assignments, 3600.1))


def test_a_lease_counts_from_the_sending_of_the_commit() -> None:
    """The process may have been stopped before the answer, and the partition be another's since."""
    schedule = CommitSchedule(1.0, 100, LEASE)
    assignments = ours(P0)
    asked = due(schedule, assignments, 100.0)
    due(schedule, assignments, 500.0)
    schedule.answered(asked, [P0], ok=True)

    assert 100.0 == assignments[P0].leased_at
    assert {P0: 0} == offsets_of(due(schedule, assignments, 500.0))


def test_a_failed_commit_renews_nothing_and_is_told_when_events_wait_for_it() -> None:
    """For people, with the partitions and since when; it is gone when a commit is accepted."""
    schedule = CommitSchedule(1.0, 100, LEASE)
    assignments = ours(P0, P1)
    leased(schedule, assignments, 100.0)
    for now in (112.0, 124.0, 134.0):
        schedule.answered(due(schedule, assignments, now), [], ok=False)

    assert (100.0, 100.0) == (assignments[P0].leased_at, assignments[P1].leased_at)
    assert schedule.problem(active(assignments), 100.0 + LEASE.seconds - 0.01) is None
    assert (
        "the group has not accepted a commit for 23 s; nothing is sent of segment-0, segment-1, "
        "which another member may own by now"
    ) == schedule.problem(active(assignments), 135.0)

    leased(schedule, assignments, 136.0)

    assert schedule.problem(active(assignments), 137.0) is None


def test_a_commit_that_is_soon_answered_is_no_problem() -> None:
    """Readiness does not flicker at the first event after an idle hour."""
    schedule = CommitSchedule(1.0, 100, LEASE)
    assignments = ours(P0)
    due(schedule, assignments, 100.0)

    assert schedule.problem(active(assignments), 100.9) is None
    assert schedule.problem(active(assignments), 101.0) is not None
