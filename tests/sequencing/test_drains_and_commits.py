"""When offsets are committed, and when a partition that is asked for is given back."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from consumer.sequencing.active import Active
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.commits import CommitSchedule
from consumer.sequencing.drains import Drains
from consumer.sequencing.events import Partition, User
from consumer.sequencing.lanes import Lane
from consumer.sequencing.lease import lease_of
from consumer.sequencing.offsets import CommitPoint, OffsetTracker
from consumer.sequencing.stops import StopCause, Stopped

P0, P1 = Partition("segment", 0), Partition("segment", 1)


def ours(*partitions: Partition, received: int = 10) -> dict[Partition, Assignment]:
    """Assignments that have received so many records."""
    assignments = {}
    for partition in partitions:
        offsets = OffsetTracker(0)
        for offset in range(received):
            offsets.received(offset, 0)
        assignments[partition] = Assignment(partition, offsets)
    return assignments


def sent(assignment: Assignment) -> None:
    """A request of it waits for its answer."""
    assignment.under_way[Lane(assignment, User("ann"), True)] = None


def finish(assignment: Assignment, *offsets: int) -> None:
    """Nothing more is to be done for these."""
    for offset in offsets:
        assignment.offsets.finished(offset)


def offsets_of(points: dict[Partition, CommitPoint]) -> dict[Partition, int]:
    """Only the offsets."""
    return {partition: point.offset for partition, point in points.items()}


def active(assignments: dict[Partition, Assignment]) -> Active:
    """They have something to do."""
    them = Active()
    for assignment in assignments.values():
        them.touch(assignment)
    them.update()
    return them


def due(schedule: CommitSchedule, assignments: dict[Partition, Assignment], now: float) -> dict[Partition, CommitPoint]:
    """What is to be committed."""
    return schedule.due(assignments, active(assignments), now)


# ---------------------------------------------------------------------- commits


def test_nothing_new_is_not_committed() -> None:
    """A commit that says what the last one said is left out."""
    schedule = CommitSchedule(1.0, 100)

    assert {} == due(schedule, ours(P0), 0.0)


def test_what_is_finished_is_committed_every_interval() -> None:
    """The first at once, the next when the interval is over."""
    schedule = CommitSchedule(1.0, 100)
    assignments = ours(P0, P1)
    finish(assignments[P0], 0, 1)
    asked = due(schedule, assignments, 5.0)

    assert {P0: 2} == offsets_of(asked)

    schedule.answered(asked, [P0], ok=True)
    finish(assignments[P0], 2)

    assert {} == due(schedule, assignments, 5.9)
    assert {P0: 3} == offsets_of(due(schedule, assignments, 6.0))


def test_one_commit_at_a_time() -> None:
    """A later one carries whatever the earlier did not."""
    schedule = CommitSchedule(1.0, 100)
    assignments = ours(P0)
    finish(assignments[P0], 0)
    asked = due(schedule, assignments, 0.0)
    finish(assignments[P0], 1)

    assert {} == due(schedule, assignments, 10.0)

    schedule.answered(asked, [P0], ok=True)

    assert 1 == assignments[P0].offsets.committed_offset
    assert {P0: 2} == offsets_of(due(schedule, assignments, 10.0))


def test_half_of_what_a_crash_may_send_again_is_committed_at_once() -> None:
    """So that a healthy run never waits for a commit."""
    schedule = CommitSchedule(60.0, 8)
    assignments = ours(P0, P1)
    finish(assignments[P0], 0)
    schedule.answered(due(schedule, assignments, 0.0), [P0], ok=True)
    finish(assignments[P0], 1, 2)
    finish(assignments[P1], 0)

    assert {} == due(schedule, assignments, 1.0)

    finish(assignments[P1], 5)

    assert {P0: 3, P1: 1} == offsets_of(due(schedule, assignments, 1.0))


def test_a_failed_commit_is_repeated_not_before_its_time() -> None:
    """A broker with a problem is not asked a thousand times a second."""
    schedule = CommitSchedule(1.0, 2)
    assignments = ours(P0)
    finish(assignments[P0], *range(10))
    schedule.answered(due(schedule, assignments, 0.0), [], ok=False)

    assert 0 == assignments[P0].offsets.committed_offset
    assert {} == due(schedule, assignments, 0.9)
    assert {P0: 10} == offsets_of(due(schedule, assignments, 1.0))


def test_a_commit_taken_in_part_counts_in_part() -> None:
    """Each partition has an answer of its own."""
    schedule = CommitSchedule(1.0, 100)
    assignments = ours(P0, P1)
    finish(assignments[P0], 0)
    finish(assignments[P1], 0)
    schedule.answered(due(schedule, assignments, 0.0), [P1], ok=False)

    assert (0, 1) == (assignments[P0].offsets.committed_offset, assignments[P1].offsets.committed_offset)


def test_the_answer_to_another_commit_says_nothing_about_this_one() -> None:
    """A revoke commits by itself while one is under way; found by the simulation, seed 777."""
    schedule = CommitSchedule(1.0, 100)
    assignments = ours(P0, P1)
    finish(assignments[P0], 0)
    finish(assignments[P1], 0)
    asked = due(schedule, assignments, 0.0)
    schedule.answered({P0: asked[P0]}, [P0], ok=True)

    assert {} == due(schedule, assignments, 10.0)
    assert 0 == assignments[P0].offsets.committed_offset

    schedule.answered(asked, [P0, P1], ok=True)

    assert (1, 1) == (assignments[P0].offsets.committed_offset, assignments[P1].offsets.committed_offset)


def test_a_partition_that_is_being_given_back_is_left_out() -> None:
    """Its last commit is made when it is drained."""
    schedule = CommitSchedule(1.0, 100)
    assignments = ours(P0, P1)
    finish(assignments[P0], 0)
    finish(assignments[P1], 0)
    assignments[P0].closed = True

    assert {P1: 1} == offsets_of(due(schedule, assignments, 0.0))


def test_what_is_finished_above_the_offset_is_worth_a_commit() -> None:
    """It goes into the metadata, and is not sent again after a crash."""
    schedule = CommitSchedule(1.0, 100)
    assignments = ours(P0)
    finish(assignments[P0], 3, 4)
    asked = due(schedule, assignments, 0.0)

    assert {P0: 0} == offsets_of(asked)
    assert "" != asked[P0].metadata
    assert 2 == active(assignments).unrecorded

    schedule.answered(asked, [P0], ok=True)

    assert 0 == active(assignments).unrecorded


def test_answered_events_that_wait_for_a_write_would_be_sent_again_too() -> None:
    """They are not finished, and a crash now would lose that they were answered; found by the simulation, seed 302."""
    assignments = ours(P0)
    finish(assignments[P0], 0)
    assignments[P0].unrecorded = 5

    assert 6 == active(assignments).unrecorded


# ---------------------------------------------------------------------- the lease

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


# ---------------------------------------------------------------------- drains


def asked(
    drains: Drains, *partitions: Partition, now: float = 0.0, shutdown: bool = False
) -> Future[dict[Partition, CommitPoint]]:
    """A revoke of these partitions begins."""
    drained: Future[dict[Partition, CommitPoint]] = Future()
    drains.start(partitions, drained.set_result, now, shutdown=shutdown)
    return drained


def test_what_has_nothing_under_way_is_given_back_at_once() -> None:
    """With what is committable and not committed."""
    drains = Drains(15.0)
    assignments = ours(P0, P1)
    finish(assignments[P0], 0, 1)
    drained = asked(drains, P0, P1)
    drains.answer(assignments, 0.0)

    assert {P0: 2} == offsets_of(drained.result(0))
    assert not drains.cut_short
    assert drains.next_deadline() is None


def test_a_drain_waits_for_requests_and_for_acknowledgements() -> None:
    """State writes and dead letters count as much as requests."""
    drains = Drains(15.0)
    assignments = ours(P0, P1)
    sent(assignments[P0])
    assignments[P1].unacknowledged = 1
    drained = asked(drains, P0, P1, now=100.0)
    drains.answer(assignments, 101.0)

    assert not drained.done()
    assert 115.0 == drains.next_deadline()

    assignments[P0].under_way.clear()
    drains.answer(assignments, 102.0)

    assert not drained.done()

    assignments[P1].unacknowledged = 0
    finish(assignments[P1], 0)
    drains.answer(assignments, 103.0)

    assert {P1: 1} == offsets_of(drained.result(0))
    assert not drains.cut_short


@pytest.mark.parametrize("shutdown", [True, False])
def test_a_drain_is_cut_short_when_its_time_is_up(shutdown: bool) -> None:
    """What is finished by then is committed; the rest is the next owner's. Only of a stop does the exit code tell."""
    drains = Drains(15.0)
    assignments = ours(P0)
    sent(assignments[P0])
    finish(assignments[P0], 0)
    drained = asked(drains, P0, shutdown=shutdown)
    drains.answer(assignments, 14.9)

    assert not drained.done()

    drains.answer(assignments, 15.0)

    assert {P0: 1} == offsets_of(drained.result(0))
    assert shutdown is drains.cut_short


def test_two_drains_are_answered_each_in_its_time() -> None:
    """The deadline that counts next is the earlier one."""
    drains = Drains(15.0)
    assignments = ours(P0, P1)
    sent(assignments[P0])
    sent(assignments[P1])
    first, second = asked(drains, P0, now=0.0), asked(drains, P1, now=5.0)
    drains.answer(assignments, 6.0)

    assert 15.0 == drains.next_deadline()

    assignments[P1].under_way.clear()
    drains.answer(assignments, 7.0)

    assert (False, True) == (first.done(), second.done())


def test_a_partition_that_was_lost_meanwhile_is_not_waited_for() -> None:
    """And nothing is committed of it."""
    drains = Drains(15.0)
    drained = asked(drains, P0)
    drains.answer({}, 0.0)

    assert {} == drained.result(0)
