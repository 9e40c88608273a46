"""A deletion reaches all partitions that know the user, and is done when all of them have it."""

from __future__ import annotations

import sqlite3

import pytest
from confluent_kafka import KafkaError

from consumer.ports.inputs import LookedUp
from consumer.sequencing.actions import Forget
from consumer.sequencing.events import User
from tests.state.given_store import ANN
from tests.state.given_thread import P0, P1, Steps, knowing_ann, lane, tenure, told


def test_a_deletion_reaches_what_other_partitions_know_of_the_user() -> None:
    """Partitions were added, so an earlier one knows the user too: after the delete nobody says identified."""
    states = knowing_ann()
    forgetting = lane(P1)
    states.write([Forget(forgetting)])
    written = told(states.step())
    states.look_up({P1: [ANN]})
    answers = [item.identified for item in states.step() if isinstance(item, LookedUp)]

    assert [[forgetting]] == written
    assert [{P1: set()}] == answers
    assert {(0, ANN, False), (1, ANN, False)} == set(states.topic.records[1:])


def test_a_deletion_is_done_when_all_partitions_that_know_the_user_have_it() -> None:
    """Else a crash between the two records would leave one behind that says identified."""
    states = knowing_ann()
    states.topic.errors = [KafkaError(KafkaError._MSG_TIMED_OUT)]
    forgetting = lane(P1)
    states.write([Forget(forgetting)])
    before = told(states.step())
    states._try_again(states._writes.retry_at)
    after = told(states.step())

    assert [] == before
    assert [[forgetting]] == after


def test_a_deletion_does_not_wait_for_a_partition_that_left() -> None:
    """Its next owner answers for it."""
    states = knowing_ann()
    states.topic.errors = [KafkaError(KafkaError._MSG_TIMED_OUT)] * 2
    forgetting = lane(P1)
    states.write([Forget(forgetting)])
    states.step()
    states.close(P0)
    states.step()
    states._try_again(states._writes.retry_at)
    written = told(states.step())

    assert [[forgetting]] == written


def test_a_deletion_follows_a_partition_that_left_and_came_back() -> None:
    """Whoever asked for it is not told before the present state has it too."""
    states = knowing_ann()
    states.topic.errors = [KafkaError(KafkaError._MSG_TIMED_OUT)] * 2
    forgetting = lane(P1)
    states.write([Forget(forgetting)])
    states.step()
    states.close(P0)
    states.open(tenure(P0))
    states.step()
    states._try_again(states._writes.retry_at)
    written = told(states.step())

    assert [[forgetting]] == written
    assert [(0, ANN, False), (1, ANN, False)] == sorted(states.topic.records[-2:])


@pytest.mark.parametrize("error", [sqlite3.DatabaseError("malformed"), sqlite3.OperationalError("disk I/O error")])
def test_a_store_that_can_t_say_whom_it_knows_gets_the_deletion(
    error: sqlite3.Error, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may know the user, and be read again tomorrow."""
    states = Steps()
    states.open(tenure(P0))
    states.open(tenure(P1))
    states.step()

    def failing(_users: object) -> set[User]:
        raise error

    monkeypatch.setattr(states._index.store, "identified", failing)
    states.write([Forget(lane(P1))])
    states.step()

    assert {(0, ANN, False), (1, ANN, False)} == set(states.topic.records)
