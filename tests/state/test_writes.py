"""Records on their way to the state topic: what fails is sent again, on lease only, and dropped with its partition."""

from __future__ import annotations

import queue
import time

import pytest
from confluent_kafka import KafkaError

from consumer.ports.inputs import StateProblem, StateWritten
from consumer.sequencing.actions import Forget, Remember
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import User
from consumer.sequencing.lanes import Lane
from consumer.sequencing.offsets import OffsetTracker
from consumer.state.topic import StateWriter, Written
from consumer.state.writes import AGAIN_RECORDS_MAX
from tests.settings.given_settings import load
from tests.state.given_store import ANN, BOB
from tests.state.given_thread import P0, Steps, lane, tenure, told


def test_a_record_that_expired_is_written_again_as_long_as_the_partition_is_ours() -> None:
    """It counts as written by the second record only."""
    states = Steps()
    states.topic.errors = [KafkaError(KafkaError._MSG_TIMED_OUT)]
    states.open(tenure(P0))
    remembering = lane(P0)
    states.write([Remember(remembering)])
    expired = states.step()
    states._try_again(states._writes.retry_at)
    written = told(states.step())

    assert [StateProblem] == [type(item) for item in expired if isinstance(item, StateProblem | StateWritten)]
    assert [[remembering]] == written
    assert [(0, ANN, True)] * 2 == states.topic.records


def test_who_is_stored_already_is_not_written_again() -> None:
    """An audience that is synchronised again costs no records; their events are recorded all the same."""
    states = Steps()
    states.open(tenure(P0))
    states.write([Remember(lane(P0))])
    states.step()
    states._write_behind.store([states._index.states[0]])
    again, new, after_delete = (lane(P0, user) for user in (ANN, BOB, ANN))
    for first, second in (again, True), (new, True):
        states.write([Remember(first, may_be_stored=second)])
    done = told(states.step())
    states.write([Forget(lane(P0)), Remember(after_delete, may_be_stored=True)])
    states.step()

    assert [again, new] == [one for lanes in done for one in lanes]
    assert [(0, ANN, True), (0, BOB, True), (0, ANN, False), (0, ANN, True)] == states.topic.records


def test_a_record_that_expired_is_dropped_with_its_partition() -> None:
    """The next owner may have deleted the user since."""
    states = Steps()
    states.topic.errors = [KafkaError(KafkaError._MSG_TIMED_OUT)]
    states.open(tenure(P0))
    states.write([Remember(lane(P0))])
    states.step()
    states.close(P0)
    states.open(tenure(P0))
    states.step()
    states._try_again(states._writes.retry_at)

    assert [(0, ANN, True)] == states.topic.records
    assert [] == [item for item in states.step() if isinstance(item, StateWritten) and item.lanes]


def test_who_is_identified_is_recorded_on_lease_only() -> None:
    """A process that was stopped wakes up: the partition may be another's, who has deleted the user meanwhile."""
    states = Steps()
    ours = tenure(P0)
    states.open(ours)
    ours.leased_at -= states._settings.state_lease.seconds
    remembering = Lane(ours, ANN, identified=True)
    states.write([Remember(remembering)])
    states.step()
    before = list(states.topic.records)
    ours.leased_at = time.monotonic()
    states._try_again(states._writes.retry_at)
    written = told(states.step())

    assert [] == before
    assert [[remembering]] == written


@pytest.mark.parametrize("why", ["deletion", "given up"])
def test_what_is_written_without_a_lease(why: str) -> None:
    """A deletion, which costs an introduction at the most; and while a partition is given up no lease is renewed."""
    states = Steps()
    ours = tenure(P0)
    states.open(ours)
    ours.leased_at -= states._settings.state_lease.seconds
    ours.closed = why == "given up"
    writing = Lane(ours, ANN, identified=True)
    states.write([Forget(writing) if why == "deletion" else Remember(writing)])
    written = told(states.step())

    assert [[writing]] == written


def test_what_failed_by_the_thousand_is_sent_again_some_at_a_time() -> None:
    """A partition without a leader: the others' records do not wait for all of its own."""
    states = Steps()
    states.open(tenure(P0))
    many = AGAIN_RECORDS_MAX + 1
    states.topic.errors = [KafkaError(KafkaError._MSG_TIMED_OUT)] * many
    states.write([Remember(lane(P0, User(f"u{number}"))) for number in range(many)])
    states.step()
    sent = []
    for _ in range(2):
        states._writes.try_again(states._writes.retry_at)
        sent.append(len(states.topic.records) - many)

    assert [AGAIN_RECORDS_MAX, many] == sent


def test_which_topic_is_read_is_noted_though_the_first_try_fails() -> None:
    """Else a topic made again would have no predecessor in an assignment that lasts for weeks."""
    states = Steps(partitions=1)
    states.topic.errors = [KafkaError(KafkaError._MSG_TIMED_OUT)] * 2
    states.open(Assignment(P0, OffsetTracker(0, topic_id="an-id")))
    states.step()
    states._try_again(states._writes.retry_at)
    states.step()
    tries_before = len(states.topic.records)
    states._try_again(states._writes.retry_at)
    states.step()
    states.close(P0)
    states.step()

    assert 2 == tries_before
    assert [(0, User("topic-id an-id"), True)] * 3 == states.topic.records
    assert float("inf") == states._writes.next_due()


def test_a_record_that_finds_no_broker_comes_back_within_its_lease() -> None:
    """A member that is cut off, or stopped, does not send it when another owner may have the partition."""
    settings = load(kafka_bootstrap_servers="127.0.0.1:1", kafka_properties='{"session.timeout.ms": "1800"}')
    answers: queue.SimpleQueue[list[Written[str]]] = queue.SimpleQueue()
    writer = StateWriter[str](settings, answers.put, lambda _: None)
    writer.start()
    writer.write(0, b"key", None, "note")
    ((note, _, error),) = answers.get(timeout=60)
    writer.stop()

    assert 1.8 > settings.state_lease.seconds + settings.state_lease.request_timeout_seconds
    assert "note" == note
    assert error is not None
    assert KafkaError._MSG_TIMED_OUT == error.code()
