"""Following orders to pause: known before anything is sent, heard by each member, kept when nothing can be read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from consumer.ports.inputs import Input, PauseRead, StateFixed, StateProblem
from consumer.sequencing.pauses import PauseOrder
from consumer.state import pause_follower
from consumer.state.pause_follower import PauseFollower
from consumer.state.pause_record import encode_order, pause_key
from consumer.state.topic import StateTopic
from tests.fakes.mock_cluster import Cluster, mock_cluster
from tests.real_broker.running_service import wait_until
from tests.settings.given_settings import load

GROUP, TOPIC = "group", "group.identified-users"
PAUSE = PauseOrder(True, "ann@laptop", 1_764_450_000_000, "a test")
RESUME = PauseOrder(False, "bob@host", 1_764_450_100_000, "")
UNKNOWN = PauseRead(None, is_known=False)


class Member:
    """One follower, and what it has posted."""

    def __init__(self, servers: str, folder: Path, identity: str = "topic 1") -> None:
        self.posted: list[Input] = []
        settings = load(kafka_bootstrap_servers=servers, kafka_group_id=GROUP, state_dir=str(folder))
        self.follower = PauseFollower(settings, self.posted.append)
        self.follower.start(StateTopic(TOPIC, 4, identity, 1000.0))

    @property
    def orders(self) -> list[PauseRead]:
        """What it says of orders."""
        return [item for item in self.posted if isinstance(item, PauseRead)]

    @property
    def problems(self) -> list[str]:
        """The kinds of problems that it has reported."""
        return [item.kind for item in self.posted if isinstance(item, StateProblem)]

    def until(self, *orders: PauseRead) -> None:
        """Wait until it has said these, and no others."""
        wait_until(lambda: len(self.orders) >= len(orders), lambda: f"{self.posted}")
        assert list(orders) == self.orders

    def stop(self) -> None:
        """As a process ends."""
        self.follower.stop()
        self.follower._thread.join(20)


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """One for all: each test has a state folder of its own, and leaves the group unpaused."""
    return mock_cluster()


@pytest.fixture
def write(cluster: Cluster) -> Iterator[Callable[..., None]]:
    """Write records to partition 0, and at the end let the group go on."""
    producer = Producer({"bootstrap.servers": cluster.servers, "log_level": 0})

    def write(*records: tuple[bytes, bytes | None]) -> None:
        for key, value in records:
            producer.produce(TOPIC, value, key, partition=0)
        assert 0 == producer.flush(20)

    write((pause_key(GROUP), None))
    yield write
    write((pause_key(GROUP), None))


def order(given: PauseOrder, group: str = GROUP) -> tuple[bytes, bytes]:
    """As a record."""
    return pause_key(group), encode_order(given)


def test_the_last_order_counts_and_each_new_one_is_heard(
    cluster: Cluster, write: Callable[..., None], tmp_path: Path
) -> None:
    """Whatever lies between them; another group's is another group's, and what is no order changes nothing."""
    write(order(PAUSE), order(RESUME), (b'["here","ann",false]', b"..."), order(PAUSE), order(RESUME, "other"))
    member = Member(cluster.servers, tmp_path)
    try:
        member.until(UNKNOWN, PauseRead(PAUSE))
        write((pause_key(GROUP), b"garbage"))
        write(order(RESUME))
        member.until(UNKNOWN, PauseRead(PAUSE), PauseRead(RESUME))
    finally:
        member.stop()

    assert ["unknown_record"] == member.problems


def test_a_start_reads_on_where_an_earlier_one_has_read_to(
    cluster: Cluster, write: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And knows the order that lies before that. Of another topic of the name it takes nothing."""
    write(order(PAUSE))
    first = Member(cluster.servers, tmp_path)
    first.until(UNKNOWN, PauseRead(PAUSE))
    first.stop()
    started: list[int] = []
    assign = PauseFollower._assign

    def noted(self: PauseFollower, consumer: object, offset: int) -> None:
        started.append(offset)
        assign(self, consumer, offset)  # type: ignore[arg-type]

    monkeypatch.setattr(PauseFollower, "_assign", noted)
    for identity in ("topic 1", "topic 2"):
        member = Member(cluster.servers, tmp_path, identity)
        member.until(UNKNOWN, PauseRead(PAUSE))
        member.stop()

    assert started[0] > 0
    assert 0 == started[1]


def test_what_cannot_be_read_keeps_what_was_known(
    cluster: Cluster, write: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause that an earlier process had read stays in force; without one it goes on. Both say what they can't."""
    write(order(PAUSE))
    first = Member(cluster.servers, tmp_path / "paused")
    first.until(UNKNOWN, PauseRead(PAUSE))
    first.stop()
    monkeypatch.setattr(pause_follower, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(pause_follower, "POLL_SECONDS", 0.1)
    members = [Member("127.0.0.1:1", tmp_path / name) for name in ("paused", "new")]
    try:
        members[0].until(UNKNOWN, PauseRead(PAUSE))
        members[1].until(UNKNOWN, PauseRead(None))
    finally:
        for member in members:
            member.stop()

    assert [["not_followed"]] * 2 == [member.problems for member in members]


@pytest.mark.usefixtures("write")
def test_an_idle_partition_is_looked_after(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing comes of it for days; that its leader is gone is seen by asking, and so is that it is back."""
    monkeypatch.setattr(pause_follower, "CHECK_SECONDS", 0.2)
    monkeypatch.setattr(pause_follower, "POLL_SECONDS", 0.1)
    asked = threading.Event()
    check = PauseFollower._check

    class NoLeader:
        """In the place of the consumer."""

        def offsets_for_times(self, *_: object, **_named: object) -> None:
            raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))

    def without_leader(self: PauseFollower, consumer: object, now: float) -> None:
        check(self, consumer if asked.is_set() else NoLeader(), now)  # type: ignore[arg-type]

    monkeypatch.setattr(PauseFollower, "_check", without_leader)
    member = Member(cluster.servers, tmp_path)
    try:
        member.until(UNKNOWN, PauseRead(None))
        monkeypatch.setattr(pause_follower, "SILENT_SECONDS", 0.1)
        wait_until(lambda: "not_followed" in member.problems, "said")
        asked.set()
        wait_until(
            lambda: StateFixed("not_followed") in member.posted,
            lambda: f"over: {member.posted} {member.follower._thread.is_alive()}",
        )
    finally:
        member.stop()

    assert [UNKNOWN, PauseRead(None)] == member.orders
