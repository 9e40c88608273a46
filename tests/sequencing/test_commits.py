"""When offsets are committed: what is new, at its interval, and one commit at a time."""

from __future__ import annotations

from consumer.sequencing.commits import CommitSchedule
from tests.sequencing.given_assignments import P0, P1, active, due, finish, offsets_of, ours


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
