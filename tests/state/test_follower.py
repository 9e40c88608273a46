"""Reading what other members write: gently, of the right topic only; what goes wrong is told and tried again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, Producer, TopicPartition

from consumer.kafka.topic_ids import Told
from consumer.ports.inputs import Input, StateOpened, TopicSeen
from consumer.sequencing.events import Partition, User
from consumer.state import follower as state_follower
from consumer.state.follower import Follower, Following, Piece
from consumer.state.reader import Slice
from consumer.state.records import StateKey, encode_key, encode_value
from consumer.state.thread import UserStates
from consumer.state.topic import StateTopic
from tests.fakes.mock_cluster import mock_cluster
from tests.real_broker.running_service import wait_until
from tests.settings.given_settings import load
from tests.state.given_store import ANN, BOB, HERE
from tests.state.given_thread import tenure

TOPIC = "customfit-consumer.identified-users"
FIRST, SECOND = Following(0, None, 1), Following(1, 5, 2)
GONE = KafkaError(KafkaError._AUTO_OFFSET_RESET)
DENIED = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
SEEN = TopicSeen("id", 2, frozenset())


class Record(NamedTuple):
    """What the client hands over: a deletion, or with an error something else."""

    number: int
    at: int
    problem: KafkaError | None = None

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.at

    def error(self) -> KafkaError | None:
        return self.problem

    def key(self) -> bytes:
        return encode_key(StateKey(HERE, ANN if self.at % 2 else BOB))

    def value(self) -> None:
        return None


def eof(number: int, offset: int) -> Record:
    """A fetch found nothing more."""
    return Record(number, offset, KafkaError(KafkaError._PARTITION_EOF))


class End(NamedTuple):
    """Where a partition ends, or why that is not told."""

    partition: int
    offset: int
    error: KafkaError | None = None


class Cluster:
    """Consumer and question for topics in one: hands over what the test puts here, then wakes the follower."""

    def __init__(self) -> None:
        self.slices: list[list[Record]] = []
        self.ends = [End(0, 0), End(1, 5)]
        self.seen_as: list[TopicSeen | KafkaError] = []
        """What is told of the topic first; then it is as it was."""
        self.assigned: dict[int, int] = {}
        self.asked_records: list[int] = []
        self.asked_ends: list[int] = []
        self.wake: Callable[[], None] = lambda: None

    def consume(self, most: int, _seconds: float) -> list[Record]:
        self.asked_records.append(most)
        if len(self.slices) <= 1:
            self.wake()
        return self.slices.pop(0) if self.slices else []

    def incremental_assign(self, some: list[TopicPartition]) -> None:
        self.assigned |= {one.partition: one.offset for one in some}

    def incremental_unassign(self, some: list[TopicPartition]) -> None:
        for one in some:
            del self.assigned[one.partition]

    def offsets_for_times(self, some: list[TopicPartition], **_: float) -> list[End]:
        self.asked_ends = sorted(one.partition for one in some)
        return [end for end in self.ends if end.partition in self.asked_ends]

    def seen(self, topics: list[str], _seconds: float) -> Told[TopicSeen]:
        told = self.seen_as.pop(0) if self.seen_as else SEEN
        if isinstance(told, KafkaError):
            return Told({}, dict.fromkeys(topics, told))
        return Told(dict.fromkeys(topics, told), {})


class Heard:
    """The state thread's half: notes what it is told, and takes all at once."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.pieces: list[Piece] = []
        self.ends: dict[Following, int] = {}
        self.follower: Follower

    def take(self, pieces: list[Piece]) -> None:
        self.pieces += pieces
        self.follower.taken()

    def ends_are(self, ends: Mapping[Following, int], asked_seconds: int) -> None:
        assert asked_seconds > 0
        self.ends |= ends

    def topic_has(self, partitions: int) -> None:
        self.log.append(f"{partitions} partitions")

    def made_again(self) -> None:
        self.log.append("made again")

    def not_read(self, problem: str) -> None:
        self.log.append(problem)

    def read_again(self) -> None:
        self.log.append("read again")

    def start_over(self) -> None:
        self.log.append("start over")


class Given(NamedTuple):
    """A follower, without its thread, and both whom it talks to."""

    follower: Follower
    cluster: Cluster
    heard: Heard

    def turn(self, *slices: list[Record], wanted: tuple[Following, ...] = (FIRST, SECOND)) -> None:
        """Read these, hand them on, and look at the topic if it is time."""
        follower, consumer = self.follower, cast("Any", self.cluster)
        self.cluster.slices += slices
        follower._changed.clear()
        follower._assign(consumer, {one.partition: one for one in wanted})
        follower._turn(consumer)

    def check(self) -> list[str]:
        """What is told of the topic."""
        self.heard.log.clear()
        self.follower._check(cast("Any", self.cluster))
        return self.heard.log


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """It has checked the topic already."""
    monkeypatch.setattr(state_follower, "AGAIN_SECONDS", 0.01)
    cluster, heard = Cluster(), Heard()
    follower = Follower(load(), lambda do: do(), heard, lambda error: error.str())
    follower._topic = StateTopic(TOPIC, 2, f"topic {TOPIC}", 1000.0, "id")
    follower._topic_ids = cast("Any", cluster)
    heard.follower, cluster.wake = follower, follower._changed.set
    found = Given(follower, cluster, heard)
    found.turn()
    return found


def test_records_are_handed_on_by_partition_with_the_end_that_was_reached(given: Given) -> None:
    """Compaction and transactions leave gaps at the end; what was there already is nothing new."""
    given.turn(
        [Record(0, 0), Record(1, 5), Record(0, 1)],
        [Record(1, 6), eof(0, 4), eof(1, 7)],
        [eof(0, 4), Record(7, 1)],
    )
    changes: dict[StateKey, int | None] = {StateKey(HERE, ANN): None, StateKey(HERE, BOB): None}

    assert {0: OFFSET_BEGINNING, 1: 5} == given.cluster.assigned
    assert [
        {FIRST: Slice(changes, 2, 2), SECOND: Slice({StateKey(HERE, ANN): None}, 6, 1)},
        {FIRST: Slice({}, 4, 0), SECOND: Slice({StateKey(HERE, BOB): None}, 7, 1)},
    ] == given.heard.pieces


def test_only_what_has_changed_is_assigned(given: Given) -> None:
    """The others are read on; one that begins anew is assigned from where it begins."""
    given.cluster.assigned = {0: -7, 1: -7}
    given.turn(wanted=(FIRST, Following(1, 9, 3)))
    changed = dict(given.cluster.assigned)
    given.turn(wanted=(FIRST,))

    assert [{0: -7, 1: 9}, {0: -7}] == [changed, given.cluster.assigned]


def test_an_offset_that_is_not_there_is_told(given: Given) -> None:
    """The state's thread says from where on to follow."""
    given.turn([Record(1, 5, GONE)])

    assert [{SECOND: Slice(out_of_range=True)}] == given.heard.pieces


def test_one_partition_that_cannot_be_read_keeps_no_other(given: Given) -> None:
    """It is told as long as something of it was not read, and no longer."""
    given.cluster.ends = [End(0, 1), End(1, 6)]
    given.turn([Record(0, 0), Record(1, 5, DENIED)])
    denied = given.check()[:]
    given.turn([Record(1, 5)])
    later = given.check()

    assert [Slice, Slice] == [type(part) for piece in given.heard.pieces for part in piece.values()]
    assert [["2 partitions", DENIED.str()], ["2 partitions", "read again"]] == [denied, later]


def test_an_idle_partition_whose_error_is_over_is_no_problem(given: Given) -> None:
    """Nothing more is heard of it, but it was read to its end."""
    given.turn([Record(1, 5, DENIED)])

    assert ["2 partitions", "read again"] == given.check()


def test_ends_are_asked_of_those_that_have_a_leader(given: Given) -> None:
    """The client would wait for the others in vain; they are told, and so is one that does not answer."""
    given.cluster.seen_as = [TopicSeen("id", 2, frozenset({1}))]
    leaderless, asked = given.check()[:], given.cluster.asked_ends
    given.cluster.ends = [End(0, 3), End(1, -1, DENIED)]
    denied = given.check()

    assert ["2 partitions", KafkaError(KafkaError.LEADER_NOT_AVAILABLE).str()] == leaderless
    assert [0] == asked
    assert ["2 partitions", DENIED.str()] == denied
    assert {FIRST: 3, SECOND: 5} == given.heard.ends


def test_what_was_read_of_a_topic_made_again_is_not_handed_on(given: Given) -> None:
    """It is told, and nothing more is read."""
    given.heard.log.clear()
    given.cluster.seen_as = [TopicSeen("another", 2, frozenset())]
    given.turn([Record(0, 0)])

    assert ["made again"] == given.heard.log
    assert [] == given.heard.pieces
    assert given.follower._stopping.is_set()


def test_while_nobody_says_which_topic_it_is_nothing_is_handed_on(given: Given) -> None:
    """It is asked again until somebody does; a topic that is gone may be there again."""
    given.heard.log.clear()
    given.cluster.seen_as = [DENIED, TopicSeen(None, None, frozenset())]
    given.turn([Record(0, 0)])

    assert [DENIED.str(), KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART).str()] == given.heard.log
    assert 1 == len(given.heard.pieces)


def test_few_records_are_taken_at_once() -> None:
    """So that the interpreter is free for others; where few may go in a second, fewer."""
    slow = Follower(load(standby_records_per_second_max="100"), lambda do: do(), Heard(), str)
    fast = Follower(load(standby_records_per_second_max="1000000"), lambda do: do(), Heard(), str)

    assert (25, 250) == (slow._slice_records, fast._slice_records)


def test_whatever_goes_wrong_it_begins_again(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that delivers may end with it, not even by a bug or a client that will never work again."""
    fatal = KafkaError(KafkaError._FATAL)
    left: list[Exception] = [KafkaException(fatal), RuntimeError("a bug")]

    def fail(follower: Follower) -> None:
        if not left:
            follower.stop()
            return
        raise left.pop(0)

    monkeypatch.setattr(Follower, "_follow", fail)
    given.heard.log.clear()
    given.follower._run()

    assert [f"{TOPIC}: {fatal.str()}", "start over", f"{TOPIC}: a bug", "start over"] == given.heard.log


def test_a_client_that_will_never_work_again_is_given_up(given: Given) -> None:
    """Another one is made."""
    with pytest.raises(KafkaException):
        given.turn([Record(0, 0, KafkaError(KafkaError._FATAL))])


@pytest.fixture
def servers() -> str:
    """Of a cluster in this process."""
    cluster = mock_cluster()
    _keepers.append(cluster)
    return cluster.servers


_keepers: list[object] = []
"""A mock cluster lives as long as its producer."""


def test_a_partition_that_was_followed_is_ready_without_reading(servers: str, tmp_path: Path) -> None:
    """With the thread and its client; only what came after it had become ours and left again is read once more."""
    users = [User(f"user-{number}") for number in range(500)]
    producer = Producer({"bootstrap.servers": servers, "log_level": 0})

    def write(some: list[User]) -> None:
        for user in some:
            key = StateKey(HERE, user)
            producer.produce(TOPIC, encode_value(key, 1_000), encode_key(key), partition=1)
        assert 0 == producer.flush(20)

    def opening(states: UserStates) -> int:
        assignment = tenure(Partition("segment-events", 1))
        states.open(assignment)
        wait_until(lambda: any(is_of(item, assignment) for item in posted), lambda: f"opened: {posted}", 20)
        return next(item.users for item in posted if isinstance(item, StateOpened) and is_of(item, assignment))

    def is_of(item: Input, assignment: object) -> bool:
        return isinstance(item, StateOpened) and item.assignment is assignment

    def behind() -> int | None:
        standby = states.figures().standby
        assert standby is not None
        return None if standby.partitions < len(partitions) else standby.behind_records

    write(users[:400])
    posted: list[Input] = []
    settings = load(kafka_bootstrap_servers=servers, state_dir=str(tmp_path), standby="all")
    states = UserStates(settings, posted.append)
    partitions = producer.list_topics(TOPIC, timeout=20).topics[TOPIC].partitions
    states.start(StateTopic(TOPIC, len(partitions), f"topic {TOPIC}", 1000.0))
    try:
        wait_until(lambda: behind() == 0, lambda: f"followed: {states.figures()} {posted}", 20)
        first = opening(states), states.figures().restored_records
        states.close(Partition("segment-events", 1))
        write(users[400:])
        wait_until(lambda: followed(states) == 500, lambda: f"followed: {states.figures()} {posted}", 20)
        second = opening(states), states.figures().restored_records
    finally:
        states.stop()

    assert [(400, 0), (500, 0)] == [first, second]


def followed(states: UserStates) -> int:
    """How many records were followed so far."""
    standby = states.figures().standby
    return 0 if standby is None else standby.records
