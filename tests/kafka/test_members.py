"""Who is in the group is asked while somebody looks: seldom, together, and nobody waits for the answer."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.kafka import members as members_module
from consumer.kafka.members import EVERY_SECONDS, MEMBERS_MAX, NOT_TOLD, Group, Member, Members, partitions_of
from consumer.sequencing.events import Partition
from consumer.settings import load_settings


class Clock:
    """In place of the module `time`: a sleep lasts until the test lets it pass."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.asleep, self.pass_on = threading.Semaphore(0), threading.Semaphore(0)

    def monotonic(self) -> float:
        """Seconds that have passed."""
        return self.now

    time = monotonic

    def sleep(self, seconds: float) -> None:
        """Until `wake`."""
        self.slept.append(seconds)
        self.until = self.now + seconds
        self.asleep.release()
        self.pass_on.acquire(timeout=10)

    def until_asleep(self) -> None:
        """The question has been answered."""
        assert self.asleep.acquire(timeout=60)

    def wake(self) -> None:
        """The seconds of its sleep have passed."""
        self.now = self.until
        self.pass_on.release()


class Broker:
    """What answers for the group; counts the questions and the clients."""

    def __init__(self) -> None:
        self.answer: list[Any] | Exception = []
        self.error: KafkaError | None = None
        self.questions = 0
        self.clients = 0

    def client(self, _: object) -> Broker:
        """In the place of `admin_client`."""
        self.clients += 1
        return self

    def list_groups(self, group: str, timeout: float) -> list[Any]:
        """As the admin client does, which may give more than was asked for."""
        assert timeout > 0
        self.questions += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        other = SimpleNamespace(id=f"{group}-2", error=None, members=[described(9)])
        return [other, SimpleNamespace(id=group, error=self.error, members=self.answer)]


def described(number: int, *partitions: int) -> Any:
    """A member, as confluent-kafka tells of it."""
    return SimpleNamespace(
        id=f"id-{number}",
        client_id=f"client-{number}",
        client_host=f"/10.0.0.{number}",
        assignment=packed("segment-events", *partitions),
    )


def packed(topic: str, *partitions: int) -> bytes:
    """An assignment of one topic."""
    name = topic.encode()
    return struct.pack(f">hih{len(name)}si{len(partitions)}ii", 0, 1, len(name), name, len(partitions), *partitions, 0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Of the module under test; lets its thread end."""
    clock = Clock()
    monkeypatch.setattr(members_module, "time", clock)
    yield clock
    clock.pass_on.release(1000)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    """The only one."""
    broker = Broker()
    monkeypatch.setattr(members_module, "admin_client", broker.client)
    return broker


def members() -> Members:
    """Of the default group; we are the second."""
    return Members(load_settings({"CUSTOMFIT_API_KEY": "made-up-key"}), lambda: "id-2")


def test_nobody_looks_and_nothing_is_asked(broker: Broker) -> None:
    """No thread, and no client."""
    asked = members()

    assert Group(None, None, ()) == asked.known()
    assert (0, 0) == (broker.clients, broker.questions)
    assert "members" not in {thread.name for thread in threading.enumerate()}


def test_members_are_shown_with_their_partitions(clock: Clock, broker: Broker) -> None:
    """In the order of their names; and which of them we are."""
    broker.answer = [described(2, 3, 1), described(1)]
    asked = members()
    before = asked.known()
    asked.look()
    clock.until_asleep()

    assert before.asked_at is None
    assert (
        1000.0,
        None,
        (
            Member("client-1", "10.0.0.1", (), False),
            Member("client-2", "10.0.0.2", (Partition("segment-events", 1), Partition("segment-events", 3)), True),
        ),
    ) == asked.known()


def test_all_who_look_ask_together_and_seldom(clock: Clock, broker: Broker) -> None:
    """A thousand looks are one question in ten seconds."""
    asked = members()
    asked.look()
    clock.until_asleep()
    for _ in range(1000):
        clock.now += EVERY_SECONDS / 2000
        asked.look()
    questions = broker.questions
    clock.now = 1000.0 + EVERY_SECONDS - 1
    asked.look()
    clock.wake()
    clock.until_asleep()

    assert 1 == questions
    assert 2 == broker.questions
    assert [EVERY_SECONDS] * 2 == clock.slept
    assert 1 == broker.clients


def test_when_nobody_looks_any_longer_nothing_is_asked(clock: Clock, broker: Broker) -> None:
    """The thread ends, and its client with it; the next look begins again."""
    asked = members()
    asked.look()
    clock.until_asleep()
    [thread] = [one for one in threading.enumerate() if one.name == "members"]
    clock.wake()
    thread.join(10)
    ended = not thread.is_alive()
    asked.look()
    clock.until_asleep()

    assert ended
    assert (2, 2) == (broker.clients, broker.questions)


def test_a_broker_that_is_away_is_a_problem_beside_what_was_known(clock: Clock, broker: Broker) -> None:
    """And it is asked again, by a new client."""
    broker.answer = [described(1, 0)]
    asked = members()
    asked.look()
    clock.until_asleep()
    broker.answer = KafkaException(KafkaError(KafkaError._TRANSPORT, "no broker is up\x1b"))
    clock.now += EVERY_SECONDS - 1
    asked.look()
    clock.wake()
    clock.until_asleep()
    away = asked.known()
    broker.answer, broker.error = [], KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED, "not allowed")
    clock.now += EVERY_SECONDS - 1
    asked.look()
    clock.wake()
    clock.until_asleep()

    assert (1010.0, r"no broker is up\x1b", ["client-1"]) == (
        away.asked_at,
        away.problem,
        [one.client_id for one in away.members],
    )
    assert "not allowed" == asked.known().problem
    assert 2 == broker.clients


def test_a_large_group_is_cut_off(clock: Clock, broker: Broker) -> None:
    """And that is said."""
    broker.answer = [described(number) for number in range(MEMBERS_MAX + 3)]
    asked = members()
    asked.look()
    clock.until_asleep()

    assert MEMBERS_MAX == len(asked.known().members)
    assert "3 more members are not shown" == asked.known().problem


def test_a_fault_of_it_is_no_end_of_it(clock: Clock, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks after it has the question asked again."""
    ended = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: ended.set())
    broker.answer = RuntimeError("a bug")
    asked = members()
    asked.look()
    assert ended.wait(10)
    broker.answer = [described(1)]
    asked.look()
    clock.until_asleep()

    assert 1 == len(asked.known().members)


def test_a_group_of_the_new_protocol_is_not_asked_for(broker: Broker) -> None:
    """The client can't without ending the process some day; it is said where they are listed."""
    properties = '{"group.protocol": "consumer"}'
    settings = load_settings({"CUSTOMFIT_API_KEY": "made-up-key", "CUSTOMFIT_KAFKA_PROPERTIES": properties})

    assert Group(None, NOT_TOLD, ()) == Members(settings, lambda: "").look()
    assert 0 == broker.questions


def test_an_assignment_is_read_as_members_give_it_to_each_other() -> None:
    """Of several topics; of one that says nothing, or something else, nothing."""
    two = struct.pack(">hih1sih1siii", 0, 2, 1, b"a", 0, 1, b"b", 1, 7, 0)

    assert [Partition("b", 7)] == partitions_of(two)
    assert [Partition("t", 0), Partition("t", 3)] == partitions_of(packed("t", 0, 3))
    assert [] == partitions_of(b"")
    for size in range(1, len(two) - 4):
        assert [] == partitions_of(two[:size])


@pytest.mark.parametrize(
    "assignment",
    [
        b"\xff" * 40,
        struct.pack(">hi", 0, 2**31 - 1),
        struct.pack(">hih1si", 0, 1, 1, b"a", 2**31 - 1),
        struct.pack(">hih1si", 0, 1, -5, b"a", 1),
        struct.pack(">hih1si", 0, 1, 1, b"\xff", 0),
    ],
)
def test_an_assignment_of_another_form_is_none(assignment: bytes) -> None:
    """Another client's members may say what they like."""
    assert [] == partitions_of(assignment)


def test_an_assignment_that_leads_back_is_none() -> None:
    """A length of -6 behind four bytes of 0 is read again and again, for as many topics as it claims to have."""
    topics_claimed = 2_000_000_000
    one_topic = struct.pack(">h1sii", 1, b"t", 1, 0)

    assert [] == partitions_of(struct.pack(">hi", 0, topics_claimed) + one_topic + struct.pack(">h", -6))


def test_of_many_members_with_many_partitions_some_are_shown(clock: Clock, broker: Broker) -> None:
    """A page of all that a group may claim would take seconds to make."""
    broker.answer = [described(number, *range(2000)) for number in range(20)]
    asked = members()
    asked.look()
    clock.until_asleep()
    counts = [len(member.partitions) for member in asked.known().members]

    assert [1000] * 10 + [0] * 10 == counts
