"""The state's thread, one step at a time and without a broker: partitions come and go, deletions reach all of them."""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Collection

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.ports.inputs import (
    LookedUp,
    PartitionFailed,
    StateFixed,
    StateOpened,
    StateProblem,
    StateWritten,
    ThreadEnded,
)
from consumer.sequencing.actions import Forget, Remember
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition, User
from consumer.sequencing.lanes import Lane
from consumer.sequencing.offsets import OffsetTracker
from consumer.state import growth as state_growth
from consumer.state import thread as state_thread
from consumer.state.growth import Growth
from consumer.state.topic import StateWriter, Written
from consumer.state.writes import AGAIN_RECORDS_MAX
from tests.settings.given_settings import load
from tests.state.given_store import ANN
from tests.state.given_thread import P0, P1, REPLAY, SOURCE, Steps, knowing_ann, lane, opened, tenure, told


def test_a_partition_that_left_while_the_topic_grew_can_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Growing takes long; what it was for is not opened behind the back of whoever has it by then, nor lost later."""
    may_grow = threading.Event()
    monkeypatch.setattr(state_growth, "grow", lambda *_: may_grow.wait(30))
    states = Steps(partitions=1)
    states.open(tenure(P1))
    states.step()
    states.close(P1)
    states.step()
    may_grow.set()
    states.await_work()
    away = states.step()
    states.open(tenure(P1))
    back = opened(states.step())

    assert [] == away
    assert [P1] == back


class PromptGrowth(Growth):
    """Tries without a thread."""

    def _begin(self, partitions: Collection[Partition]) -> None:
        self._try(partitions)


def growing() -> Steps:
    """A partition is ours that the topic does not have yet."""
    states = Steps(partitions=1)
    states._growth = PromptGrowth(states._settings, states._on_grown)
    states.open(tenure(P1))
    return states


class Answers:
    """What the cluster says to each try to grow the topic; nothing: done."""

    def __init__(self, *answers: Exception | None) -> None:
        self._answers = list(answers)

    def __call__(self, *_: object) -> None:
        if (answer := self._answers.pop(0)) is not None:
            raise answer


@pytest.mark.parametrize(
    "code", [KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError.NOT_CONTROLLER, KafkaError.UNKNOWN]
)
def test_growing_is_tried_again_until_it_works(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What passes by itself is told once, then the partition opens; the pauses grow up to a limit."""
    error = KafkaException(KafkaError(code))
    monkeypatch.setattr(state_growth, "grow", Answers(*[error] * 8, None))
    states = growing()
    posted, pauses = states.step(), []
    for _ in range(8):
        pauses.append(round(states._growth.next_due() - time.monotonic()))
        states._try_again(states._growth.next_due())
        posted += states.step()

    assert [StateProblem, StateOpened, StateFixed] == [type(item) for item in posted]
    assert [1, 2, 4, 8, 16, 30, 30, 30] == pauses


def test_partitions_that_wait_are_grown_for_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One try for all of them, to the highest, and not a thread each; one that comes meanwhile waits for the next."""
    wanted: list[int] = []
    monkeypatch.setattr(state_growth, "grow", lambda _admin, _name, partitions: wanted.append(partitions))
    states = growing()
    for number in (2, 5, 3):
        states.open(tenure(Partition(SOURCE, number)))
    with monkeypatch.context() as patch:
        patch.setattr(states._growth, "_begin", lambda _: None)  # it takes its time
        states.step()
        states.open(tenure(Partition(SOURCE, 7)))
        states.step()
    states._growth._try(states._growth._tried)
    posted = states.step()

    assert [6, 8] == wanted
    assert [1, 2, 3, 5, 7] == sorted(partition.number for partition in opened(posted))


def test_growing_that_is_forbidden_stops_the_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying again changes nothing: the operator is told what to do."""
    error = KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    monkeypatch.setattr(state_growth, "grow", Answers(error))
    states = growing()
    posted = states.step()

    assert [PartitionFailed] == [type(item) for item in posted]
    assert float("inf") == states._growth.next_due()


def test_a_partition_that_leaves_is_not_grown_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The problem leaves with it."""
    monkeypatch.setattr(state_growth, "grow", Answers(KafkaException(KafkaError(KafkaError._TRANSPORT))))
    states = growing()
    states.step()
    states.close(P1)
    posted = states.step()

    assert [StateFixed("not_grown")] == posted
    assert float("inf") == states._growth.next_due()


def test_a_fault_in_growing_ends_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the loop hears of it, where a partition waited for ever without a word."""
    fault = RuntimeError("a fault of this program")
    monkeypatch.setattr(state_growth, "grow", Answers(fault))
    states = growing()
    states._run()
    ended = [item for item in states.posted if isinstance(item, ThreadEnded)]

    assert [("state", fault)] == [(item.name, item.error) for item in ended]


def test_a_deletion_reaches_what_other_partitions_know_of_the_user() -> None:
    """Partitions were added, so an earlier one knows the user too: after the delete nobody says identified."""
    states = knowing_ann()
    forgetting = lane(P1)
    states.write([Forget(forgetting)])
    written = told(states.step())
    states.look_up({P1: {ANN: True}})
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


def test_of_a_replay_nothing_is_kept() -> None:
    """The user's own partition may be another member's, whose deletions nobody would hear of here."""
    states = Steps()
    states.open(tenure(REPLAY))
    remembering = lane(REPLAY)
    states.write([Remember(remembering)])
    posted = states.step()
    states.look_up({REPLAY: {ANN: True}})
    answers = [item.identified for item in states.step() if isinstance(item, LookedUp)]

    assert [REPLAY] == opened(posted)
    assert [[remembering]] == [item.lanes for item in posted if isinstance(item, StateWritten)]
    assert [] == states.topic.records
    assert [{REPLAY: set()}] == answers


def test_a_replayed_event_s_user_is_looked_for_in_the_partitions_of_the_source() -> None:
    """And a replayed deletion reaches them."""
    states = Steps()
    states.open(tenure(REPLAY))
    states.open(tenure(P1))
    states.write([Remember(lane(P1))])
    states.step()
    states.look_up({REPLAY: {ANN: True}})
    before = [item.identified for item in states.step() if isinstance(item, LookedUp)]
    forgetting = lane(REPLAY)
    states.write([Forget(forgetting)])
    written = told(states.step())
    states.look_up({P1: {ANN: False}})
    after = [item.identified for item in states.step() if isinstance(item, LookedUp)]

    assert [{REPLAY: {ANN}}] == before
    assert [[forgetting]] == written
    assert [{P1: set()}] == after


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


def test_restores_and_writes_do_not_starve_behind_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look-up brings the next: the partition that is opened behind the first is ready all the same."""
    monkeypatch.setattr(state_thread, "ASKED_SECONDS", 0.001)
    states = Steps()

    def ask_without_end() -> None:
        states._look_up({P1: {ANN: True}})
        states._work.put(ask_without_end)

    ask_without_end()
    states.open(tenure(P0))
    states._turn()
    states.write([Remember(lane(P0))])
    states._turn()
    states._turn()

    assert [P0] == opened(states.posted)
    assert 1 == len(told(states.posted))


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
