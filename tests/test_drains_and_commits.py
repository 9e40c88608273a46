"""When offsets are committed, and when a partition that is asked for is given back."""

from __future__ import annotations

from concurrent.futures import Future

from consumer.assignment import Assignment
from consumer.commits import CommitSchedule, unrecorded_events
from consumer.drains import Drains
from consumer.events import Partition
from consumer.offsets import CommitPoint, OffsetTracker

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


def finish(assignment: Assignment, *offsets: int) -> None:
    """Nothing more is to be done for these."""
    for offset in offsets:
        assignment.offsets.finished(offset)


def offsets_of(points: dict[Partition, CommitPoint]) -> dict[Partition, int]:
    """Only the offsets."""
    return {partition: point.offset for partition, point in points.items()}


# ---------------------------------------------------------------------- commits


def test_nothing_new_is_not_committed() -> None:
    """A commit that says what the last one said is left out."""
    schedule = CommitSchedule(1.0, 100)

    assert {} == schedule.due(ours(P0), 0.0)


def test_what_is_finished_is_committed_every_interval() -> None:
    """The first at once, the next when the interval is over."""
    schedule = CommitSchedule(1.0, 100)
    assignments = ours(P0, P1)
    finish(assignments[P0], 0, 1)
    asked = schedule.due(assignments, 5.0)

    assert {P0: 2} == offsets_of(asked)

    schedule.answered(asked, [P0], ok=True)
    finish(assignments[P0], 2)

    assert {} == schedule.due(assignments, 5.9)
    assert {P0: 3} == offsets_of(schedule.due(assignments, 6.0))


def test_one_commit_at_a_time() -> None:
    """A later one carries whatever the earlier did not."""
    schedule = CommitSchedule(1.0, 100)
    assignments = ours(P0)
    finish(assignments[P0], 0)
    asked = schedule.due(assignments, 0.0)
    finish(assignments[P0], 1)

    assert {} == schedule.due(assignments, 10.0)

    schedule.answered(asked, [P0], ok=True)

    assert 1 == assignments[P0].offsets.committed_offset
    assert {P0: 2} == offsets_of(schedule.due(assignments, 10.0))


def test_half_of_what_a_crash_may_send_again_is_committed_at_once() -> None:
    """So that a healthy run never waits for a commit."""
    schedule = CommitSchedule(60.0, 8)
    assignments = ours(P0, P1)
    finish(assignments[P0], 0)
    schedule.answered(schedule.due(assignments, 0.0), [P0], ok=True)
    finish(assignments[P0], 1, 2)
    finish(assignments[P1], 0)

    assert {} == schedule.due(assignments, 1.0)

    finish(assignments[P1], 5)

    assert {P0: 3, P1: 1} == offsets_of(schedule.due(assignments, 1.0))


def test_a_failed_commit_is_repeated_not_before_its_time() -> None:
    """A broker that is in trouble is not asked a thousand times a second."""
    schedule = CommitSchedule(1.0, 2)
    assignments = ours(P0)
    finish(assignments[P0], *range(10))
    schedule.answered(schedule.due(assignments, 0.0), [], ok=False)

    assert 0 == assignments[P0].offsets.committed_offset
    assert {} == schedule.due(assignments, 0.9)
    assert {P0: 10} == offsets_of(schedule.due(assignments, 1.0))


def test_a_commit_taken_in_part_counts_in_part() -> None:
    """Each partition has an answer of its own."""
    schedule = CommitSchedule(1.0, 100)
    assignments = ours(P0, P1)
    finish(assignments[P0], 0)
    finish(assignments[P1], 0)
    schedule.answered(schedule.due(assignments, 0.0), [P1], ok=False)

    assert (0, 1) == (assignments[P0].offsets.committed_offset, assignments[P1].offsets.committed_offset)


def test_the_answer_to_another_commit_says_nothing_about_this_one() -> None:
    """A revoke commits by itself while one is under way; found by the simulation, seed 777."""
    schedule = CommitSchedule(1.0, 100)
    assignments = ours(P0, P1)
    finish(assignments[P0], 0)
    finish(assignments[P1], 0)
    asked = schedule.due(assignments, 0.0)
    schedule.answered({P0: asked[P0]}, [P0], ok=True)

    assert {} == schedule.due(assignments, 10.0)
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

    assert {P1: 1} == offsets_of(schedule.due(assignments, 0.0))


def test_what_is_finished_above_the_offset_is_worth_a_commit() -> None:
    """It goes into the metadata, and is not sent again after a crash."""
    schedule = CommitSchedule(1.0, 100)
    assignments = ours(P0)
    finish(assignments[P0], 3, 4)
    asked = schedule.due(assignments, 0.0)

    assert {P0: 0} == offsets_of(asked)
    assert "" != asked[P0].metadata
    assert 2 == unrecorded_events(assignments.values())

    schedule.answered(asked, [P0], ok=True)

    assert 0 == unrecorded_events(assignments.values())


def test_answered_events_that_wait_for_a_write_would_be_sent_again_too() -> None:
    """They are not finished, and a crash now would lose that they were answered; found by the simulation, seed 302."""
    assignments = ours(P0)
    finish(assignments[P0], 0)
    assignments[P0].unrecorded = 5

    assert 6 == unrecorded_events(assignments.values())


# ---------------------------------------------------------------------- drains


def asked(drains: Drains, *partitions: Partition, now: float = 0.0) -> Future[dict[Partition, CommitPoint]]:
    """A revoke of these partitions begins."""
    drained: Future[dict[Partition, CommitPoint]] = Future()
    drains.start(partitions, drained, now)
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
    assignments[P0].in_flight = 1
    assignments[P1].unacknowledged = 1
    drained = asked(drains, P0, P1, now=100.0)
    drains.answer(assignments, 101.0)

    assert not drained.done()
    assert 115.0 == drains.next_deadline()

    assignments[P0].in_flight = 0
    drains.answer(assignments, 102.0)

    assert not drained.done()

    assignments[P1].unacknowledged = 0
    finish(assignments[P1], 0)
    drains.answer(assignments, 103.0)

    assert {P1: 1} == offsets_of(drained.result(0))
    assert not drains.cut_short


def test_a_drain_is_cut_short_when_its_time_is_up() -> None:
    """What is finished by then is committed; the rest is the next owner's."""
    drains = Drains(15.0)
    assignments = ours(P0)
    assignments[P0].in_flight = 1
    finish(assignments[P0], 0)
    drained = asked(drains, P0)
    drains.answer(assignments, 14.9)

    assert not drained.done()

    drains.answer(assignments, 15.0)

    assert {P0: 1} == offsets_of(drained.result(0))
    assert drains.cut_short


def test_two_drains_are_answered_each_in_its_time() -> None:
    """The deadline that counts next is the earlier one."""
    drains = Drains(15.0)
    assignments = ours(P0, P1)
    assignments[P0].in_flight = assignments[P1].in_flight = 1
    first, second = asked(drains, P0, now=0.0), asked(drains, P1, now=5.0)
    drains.answer(assignments, 6.0)

    assert 15.0 == drains.next_deadline()

    assignments[P1].in_flight = 0
    drains.answer(assignments, 7.0)

    assert (False, True) == (first.done(), second.done())


def test_a_partition_that_was_lost_meanwhile_is_not_waited_for() -> None:
    """And nothing is committed of it."""
    drains = Drains(15.0)
    drained = asked(drains, P0)
    drains.answer({}, 0.0)

    assert {} == drained.result(0)
