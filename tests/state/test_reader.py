"""Reading the state topic without a broker: where a partition ends is asked for, and what can't be read is told."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import pytest
from confluent_kafka import KafkaError, TopicPartition

from consumer.ports.inputs import StateFixed, StateOpened, StateProblem
from consumer.state.ends import Asked, End
from consumer.state.reader import SILENCE_SECONDS, StateReader
from consumer.state.records import StateKey, encode_key
from tests.real_broker.running_service import wait_until
from tests.settings.given_settings import load
from tests.state.given_store import ANN, BOB
from tests.state.given_thread import P0, Steps, tenure


class Record(NamedTuple):
    """What the client hands over: a deletion, or with an error something else."""

    at: int
    problem: KafkaError | None = None

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.at

    def error(self) -> KafkaError | None:
        return self.problem

    def key(self) -> bytes:
        return encode_key(StateKey("here", ANN if self.at % 2 else BOB))

    def value(self) -> None:
        return None


def eof(offset: int) -> Record:
    """A fetch found nothing more."""
    return Record(offset, KafkaError(KafkaError._PARTITION_EOF))


class Cluster:
    """Consumer and question for ends in one: hands over what the test puts here."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.ends: list[int | KafkaError] = []
        """Where it ends, or why that is not told."""
        self.asked: list[Asked] = []
        self.assigned: list[int] = []

    def consume(self, _most: int, _seconds: float) -> list[Record]:
        records, self.records = self.records, []
        return records

    def incremental_assign(self, some: list[TopicPartition]) -> None:
        self.assigned += [one.offset for one in some]

    def incremental_unassign(self, _: object) -> None: ...

    def ask(self, partition: int) -> Asked:
        self.asked.append(Asked(partition, len(self.asked)))
        return self.asked[-1]

    def forget(self, _: object) -> None: ...

    def answers(self) -> list[End]:
        ends, self.ends = self.ends, []
        return [
            End(self.asked[-1], None, end) if isinstance(end, KafkaError) else End(self.asked[-1], end, None)
            for end in ends
        ]

    def close(self) -> None: ...


@pytest.fixture
def cluster() -> Cluster:
    """Nothing to read yet."""
    return Cluster()


def reading(cluster: Cluster, offset: int | None = None) -> StateReader:
    """Reads partition 0."""
    reader = StateReader(load())
    reader._consumer = reader._ends = cast("Any", cluster)
    reader.start(0, offset, 0.0)
    return reader


@pytest.fixture
def reader(cluster: Cluster) -> StateReader:
    """Reads partition 0 from its beginning."""
    return reading(cluster)


def test_a_leader_that_has_not_caught_up_does_not_end_a_restore(cluster: Cluster, reader: StateReader) -> None:
    """Right after an election it shows an end below a deletion that is acknowledged: the restore goes on to it."""
    cluster.records, cluster.ends = [Record(0), eof(1)], [2]
    early, _ = reader.read(1.0)
    cluster.records = [Record(1), eof(2)]
    late, _ = reader.read(1.0)

    assert not early[0].at_end
    assert (True, 2, 1) == (late[0].at_end, late[0].next_offset, late[0].records)


def test_a_topic_without_a_record_is_not_fetched(cluster: Cluster, reader: StateReader) -> None:
    """There is nothing to read of it; nor of one of which the store has all."""
    cluster.ends = [0]
    empty, _ = reader.read(1.0)
    other = Cluster()
    warm = reading(other, 7)
    other.ends = [7]
    known, _ = warm.read(1.0)

    assert (True, 0, 0) == (empty[0].at_end, empty[0].next_offset, empty[0].records)
    assert (True, 7, 0) == (known[0].at_end, known[0].next_offset, known[0].records)
    assert [] == cluster.assigned + other.assigned


def test_only_the_tail_is_read_of_what_the_store_has(cluster: Cluster) -> None:
    """From where it has come to."""
    reader = reading(cluster, 7)
    cluster.ends = [9]
    reader.read(1.0)

    assert [7] == cluster.assigned


def test_a_store_that_is_ahead_of_its_topic_is_found_out(cluster: Cluster) -> None:
    """The topic was made again, or its end was lost: what lies beyond is no end to wait for."""
    reader = reading(cluster, 7)
    cluster.ends = [6]
    slices, _ = reader.read(1.0)

    assert slices[0].out_of_range


def test_an_end_that_compaction_has_removed_is_reached(cluster: Cluster, reader: StateReader) -> None:
    """The last offsets have no record any more: the fetch says that it has come to them."""
    cluster.records, cluster.ends = [Record(0), eof(3)], [3]
    slices, _ = reader.read(1.0)

    assert (True, 3) == (slices[0].at_end, slices[0].next_offset)


def test_an_answer_to_an_earlier_question_is_no_end(cluster: Cluster, reader: StateReader) -> None:
    """The partition left and came back: meanwhile another member may have written a deletion behind that end."""
    early = cluster.asked[-1]
    reader.stop(0)
    reader.start(0, None, 0.0)
    cluster.answers = lambda: [End(early, 0, None)]  # type: ignore[method-assign]
    slices, _ = reader.read(1.0)

    assert {} == slices


def test_what_is_not_answered_for_seconds_is_problem(cluster: Cluster, reader: StateReader) -> None:
    """Brokers that are away say nothing at all to who reads; the client tells of its connections beside it."""
    _, soon = reader.read(SILENCE_SECONDS - 0.1)
    _, silent = reader.read(SILENCE_SECONDS)
    reader._on_error(KafkaError(KafkaError._TRANSPORT))
    reader._on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    _, explained = reader.read(SILENCE_SECONDS)
    cluster.ends = [KafkaError(KafkaError.LEADER_NOT_AVAILABLE)]
    _, leaderless = reader.read(SILENCE_SECONDS)
    cluster.records, cluster.ends = [Record(0)], [2]
    _, again = reader.read(SILENCE_SECONDS + 1.0)

    assert {} == soon
    assert [KafkaError._TIMED_OUT, KafkaError._TRANSPORT] == [silent[0].code(), explained[0].code()]
    assert KafkaError.LEADER_NOT_AVAILABLE == leaderless[0].code()
    assert {} == again


def test_a_restore_that_stands_still_is_told_once_and_when_it_goes_on(cluster: Cluster) -> None:
    """Brokers were away; the operator sees it like any other problem with the state topic."""
    states = Steps()
    reader = states._restores.reader = StateReader(states._settings)
    reader._consumer = reader._ends = cast("Any", cluster)
    states.open(tenure(P0))
    states._turn()
    for _ in range(2):
        reader.reading[0].heard_at -= SILENCE_SECONDS
        states._turn()
    told = [item for item in states.posted if isinstance(item, StateProblem)]
    cluster.records, cluster.ends = [Record(0), eof(1)], [1]
    states._turn()

    assert ["not_read"] == [problem.kind for problem in told]
    assert told == [item for item in states.posted if isinstance(item, StateProblem)]
    assert [StateOpened, StateFixed] == [type(item) for item in states.posted[-2:]]


def test_the_client_s_own_error_says_why_nothing_is_read() -> None:
    """No broker listens: that is no message of the topic, and it is told all the same."""
    reader = StateReader(load(kafka_bootstrap_servers="127.0.0.1:1"))
    reader.start(0, None, 0.0)
    wait_until(lambda: reader._error, "an error")
    _, problems = reader.read(SILENCE_SECONDS)
    reader.close()

    assert KafkaError._TRANSPORT == problems[0].code()
    assert "127.0.0.1:1" in problems[0].str()
