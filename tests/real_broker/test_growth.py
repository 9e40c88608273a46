"""The source topic gets more partitions while a group works."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest
from confluent_kafka.admin import NewPartitions

from consumer.kafka.murmur2 import partition_of
from tests.real_broker.running_service import wait_until
from tests.real_broker.scene import Scene, event, partitions_of
from tests.real_broker.topics import producing

BEFORE = 4
AFTER = 8
USERS = [f"user{number}" for number in range(60)]
ROUNDS_BEFORE = 6
ROUNDS_MIN = 20
NOTICED_SECONDS = 60.0


@pytest.fixture
def partitions() -> int:
    """For two members."""
    return BEFORE


def is_in_order(numbers: list[int]) -> bool:
    """Whether each is larger than the one before it."""
    return all(one < other for one, other in pairwise(numbers))


def is_shared(shares: list[int], partitions: int) -> bool:
    """Whether all are read, and each member has some; how many depends on who has the replays."""
    return sum(shares) == partitions and min(shares) > 0


@pytest.mark.long
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_partitions_added_under_load_are_shared_and_nothing_is_lost(scene: Scene, protocol: str) -> None:
    """As it is set by default: the group hands them out by itself, the state topic follows, and users who move go on.

    What a user sends is in order within each of their two partitions, and whoever stays has one alone.
    """
    if protocol == "consumer":
        scene.properties = {"group.protocol": "consumer"}
    where: dict[str, int] = {}

    def produce_round(number: int) -> None:
        there = produce(*(event(user, number) for user in USERS))
        where.update({json.loads(value)["messageId"]: place for (place, _), value in there.items()})

    with scene.member("one").wait_ready() as one, scene.member("two").wait_ready() as two:
        members = [one, two]
        wait_until(lambda: is_shared([len(partitions_of(service)) for service in members], BEFORE), "both have some")
        produce = scene.produce
        for number in range(ROUNDS_BEFORE):
            produce_round(number)
        scene.admin.create_partitions([NewPartitions(scene.topic, AFTER)])[scene.topic].result(10)
        grown_at, rounds, noticed_seconds = time.monotonic(), ROUNDS_BEFORE, 0.0
        while rounds < ROUNDS_MIN or not noticed_seconds:
            if rounds == ROUNDS_BEFORE + 2:  # one that has heard of the new partitions; the one before goes on without
                produce = producing(scene.bootstrap_servers, scene.topic)
            produce_round(rounds)
            rounds += 1
            shares = [len(partitions_of(service)) for service in members]
            if not noticed_seconds and is_shared(shares, AFTER):
                noticed_seconds = time.monotonic() - grown_at
            assert time.monotonic() - grown_at < NOTICED_SECONDS, f"shares of {shares}; {one.log}"
            time.sleep(0.1)
        wanted = {f"{user}-{number}" for user in USERS for number in range(rounds)}
        wait_until(
            lambda: wanted == {one_id for ids in scene.sent().values() for one_id in ids},
            lambda: f"{scene.delivered()} of {len(wanted)} arrived",
        )
        wait_until(lambda: all(f"has {AFTER} partitions now, {BEFORE} before" in one.log for one in members), "the log")
        assert [0, 0] == [service.stop() for service in members], one.log + two.log

    moved = {user for user in USERS if partition_of(user.encode(), BEFORE) != partition_of(user.encode(), AFTER)}
    sent = {
        user: [(where[one_id], int(one_id.rpartition("-")[2])) for one_id in dict.fromkeys(ids)]
        for user, ids in scene.sent().items()
    }
    introduced = [entry.user_id for entry in scene.emulator.ledger.entries() if entry.identify == "introduction"]
    print(
        f"{protocol}: after {noticed_seconds:.1f} s; {len(moved)} of {len(USERS)} moved, {len(introduced)} introduced"
    )
    assert moved == {user for user, places in sent.items() if len({place for place, _ in places}) > 1}
    assert [] == [
        (user, place)
        for user, places in sent.items()
        for place in {place for place, _ in places}
        if not is_in_order([number for at, number in places if at == place])
    ]
    assert set(introduced) <= moved
    assert len(introduced) == len(set(introduced))
    assert [] == scene.twice()
    assert 0 == scene.emulator.ledger.summary()["identifies_first_violations"]
    topics = scene.admin.list_topics(timeout=10).topics
    assert AFTER == len(topics[f"{scene.topic}.identified-users"].partitions)
