"""When a partition that is asked for is given back."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from consumer.sequencing.assignment import Assignment
from consumer.sequencing.drains import Drains
from consumer.sequencing.events import Partition, User
from consumer.sequencing.lanes import Lane
from consumer.sequencing.offsets import CommitPoint
from tests.sequencing.given_assignments import P0, P1, finish, offsets_of, ours


def sent(assignment: Assignment) -> None:
    """A request of it waits for its answer."""
    assignment.under_way[Lane(assignment, User("ann"), True)] = None


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
