"""Reading the state topic without a broker: where a partition ends is asked for, and what can't be read is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.ports.inputs import Input, StateFixed, StateOpened, StateProblem
from consumer.sequencing.events import Partition
from consumer.state.records import StateKey, encode_key
from consumer.state.restore import ASK_AGAIN_SECONDS, SILENCE_SECONDS, StateReader
from consumer.state.thread import UserStates
from consumer.state.topic import StateTopic
from tests.settings.given_settings import load
from tests.state.given_store import ANN, BOB
from tests.state.test_thread import tenure

P0 = Partition("segment-events", 0)


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
    """Consumer and admin client in one: hands over what the test puts here."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.end: int | KafkaError | None = None
        """Where it ends, or why that is not told; nothing: no answer in time."""
        self.questions = 0

    def consume(self, _most: int, _seconds: float) -> list[Record]:
        records, self.records = self.records, []
        return records

    def incremental_assign(self, _: object) -> None: ...

    def incremental_unassign(self, _: object) -> None: ...

    def get_watermark_offsets(self, _: object, timeout: float = 0, *, cached: bool = False) -> tuple[int, int] | None:
        if cached:
            return 0, -1001
        assert timeout > 0
        self.questions += 1
        if isinstance(self.end, KafkaError):
            raise KafkaException(self.end)
        return None if self.end is None else (0, self.end)

    def close(self) -> None: ...


@pytest.fixture
def cluster() -> Cluster:
    """Nothing to read yet."""
    return Cluster()


@pytest.fixture
def reader(cluster: Cluster) -> StateReader:
    """Reads partition 0."""
    reader = StateReader(load())
    reader._consumer = cast("Any", cluster)
    reader.start(0, None, 0.0)
    return reader


def at_end(reader: StateReader, now: float = 1.0) -> bool:
    """Whether the partition is read to its end by now."""
    slices, _ = reader.read(now)
    return bool(slices) and slices[0].at_end


def test_a_leader_that_has_not_caught_up_does_not_end_a_restore(cluster: Cluster, reader: StateReader) -> None:
    """Right after an election it shows an end below a deletion that is acknowledged: the restore goes on to it."""
    cluster.records, cluster.end = [Record(0), eof(1)], 2
    early = at_end(reader)
    cluster.records = [Record(1), eof(2)]
    late, _ = reader.read(1.0)

    assert not early
    assert (True, 2, 1) == (late[0].at_end, late[0].next_offset, late[0].records)


def test_a_topic_without_a_record_has_an_end(cluster: Cluster, reader: StateReader) -> None:
    """There is nothing to read of it."""
    cluster.records, cluster.end = [eof(0)], 0
    slices, _ = reader.read(1.0)

    assert (True, 0, 0) == (slices[0].at_end, slices[0].next_offset, slices[0].records)


@pytest.mark.parametrize("answer", [KafkaError(KafkaError.OFFSET_NOT_AVAILABLE), None])
def test_the_end_is_asked_for_until_it_is_told(
    cluster: Cluster, reader: StateReader, answer: KafkaError | None
) -> None:
    """The new leader does not know it yet, or does not answer; other partitions are not kept waiting by that."""
    cluster.records, cluster.end = [Record(0), eof(1)], answer
    seen = [at_end(reader, 1.0), at_end(reader, 1.0), at_end(reader, 1.0 + ASK_AGAIN_SECONDS)]
    asked = cluster.questions
    cluster.end = 1

    assert ([False] * 3, 2) == (seen, asked)
    assert at_end(reader, 2.0 + ASK_AGAIN_SECONDS)


def test_what_is_not_answered_for_seconds_is_problem(cluster: Cluster, reader: StateReader) -> None:
    """Brokers that are away say nothing at all to who reads; the client tells of its connections beside it."""
    _, soon = reader.read(SILENCE_SECONDS - 0.1)
    _, silent = reader.read(SILENCE_SECONDS)
    reader._on_error(KafkaError(KafkaError._TRANSPORT))
    reader._on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    _, explained = reader.read(SILENCE_SECONDS)
    cluster.records = [Record(0)]
    _, again = reader.read(SILENCE_SECONDS + 1.0)

    assert {} == soon
    assert [KafkaError._TIMED_OUT, KafkaError._TRANSPORT] == [silent[0].code(), explained[0].code()]
    assert {} == again


def test_a_restore_that_stands_still_is_told_once_and_when_it_goes_on(tmp_path: Path, cluster: Cluster) -> None:
    """Brokers were away; the operator sees it like any other problem with the state topic."""
    posted: list[Input] = []
    states = UserStates(load(state_dir=str(tmp_path)), posted.append)
    states._topic = StateTopic("state", 2, "topic state of cluster c", 1000.0)
    states._reader._consumer = cast("Any", cluster)
    states.open(tenure(P0))
    states._turn()
    for _ in range(2):
        states._reader._heard_at[0] -= SILENCE_SECONDS
        states._turn()
    told = [item for item in posted if isinstance(item, StateProblem)]
    cluster.records, cluster.end = [Record(0), eof(1)], 1
    states._turn()

    assert ["not_read"] == [problem.kind for problem in told]
    assert told == [item for item in posted if isinstance(item, StateProblem)]
    assert [StateOpened, StateFixed] == [type(item) for item in posted[-2:]]


def test_the_client_s_own_error_says_why_nothing_is_read() -> None:
    """No broker listens: that is no message of the topic, and it is told all the same."""
    reader = StateReader(load(kafka_bootstrap_servers="127.0.0.1:1"))
    reader.start(0, None, 0.0)
    for _ in range(500):  # of 20 ms each
        if reader._error is not None:
            break
        reader.read(0.0)
    _, problems = reader.read(SILENCE_SECONDS)
    reader.close()

    assert KafkaError._TRANSPORT == problems[0].code()
    assert "127.0.0.1:1" in problems[0].str()
