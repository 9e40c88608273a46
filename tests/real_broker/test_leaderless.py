"""A partition without a leader, of the source or of the state: it waits alone and says so, the others go on.

The controller and the group's coordinator stay up; of two brokers one is killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.emulator.server import Emulator
from tests.real_broker.leaders import KEPT, LOST, PlacedCluster
from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import GroupScene, event, partitions_of

PARTITIONS = 3
HELD = 1
"""The partition whose leader goes."""
UNCOMMITTED_MAX = 300


@pytest.fixture
def scene(cluster: PlacedCluster, topic_name: str, emulator: Emulator, tmp_path: Path) -> Iterator[GroupScene]:
    """Topics are made by the tests: where they lie is what matters."""
    scene = GroupScene(cluster.bootstrap_servers, topic_name, emulator, tmp_path, PARTITIONS)
    yield scene
    scene.outside.close()


def create_topics(cluster: PlacedCluster, scene: GroupScene, *, source: list[int], state: list[int]) -> None:
    """All that a member would make itself, each partition where the test wants it."""
    cluster.create_topic(scene.topic, source)
    cluster.create_topic(f"{scene.topic}.identified-users", state, {"cleanup.policy": "compact"})
    cluster.create_topic(scene.dead_letter_topic, [KEPT] * PARTITIONS)
    cluster.create_topic(f"{scene.topic}.customfit-replay", [KEPT])


def users(partition: int, count: int, of: str = "user") -> list[str]:
    """Users of one partition."""
    return [f"{of}-{partition}-{number}" for number in range(count)]


def identify(scene: GroupScene, partition: int, count: int, of: str = "user") -> None:
    """An identify of each of so many users."""
    scene.produce(*(event(user, 0) for user in users(partition, count, of)), partition=partition)


def arrived(scene: GroupScene, partition: int, count: int, of: str = "user") -> bool:
    """Whether all of these were delivered."""
    return set(users(partition, count, of)) <= scene.sent().keys()


def says_that_one_waits(service: Service, scene: GroupScene) -> bool:
    """Whether it is ready for the others, and names the partition that waits, and no other."""
    code, status, reasons = service.readiness()
    named = [number for number in range(PARTITIONS) if f"{scene.topic}-{number}" in reasons]
    return (code, status, named) == (200, "degraded", [HELD])


@pytest.mark.long
def test_a_source_partition_without_a_leader_waits_alone(cluster: PlacedCluster, scene: GroupScene) -> None:
    """Nothing waits inside the rebalance: the others are read, a second member gets its share, heartbeats go on."""
    create_topics(cluster, scene, source=[KEPT, LOST, KEPT], state=[KEPT] * PARTITIONS)
    cluster.kill()
    for number in (0, 2):
        identify(scene, number, 20)
    with scene.member("one") as one:
        wait_until(
            lambda: arrived(scene, 0, 20) and arrived(scene, 2, 20),
            lambda: f"the others are read; {one.readiness()}, delivered {scene.delivered()}\n{one.log}",
            20,
        )
        wait_until(lambda: says_that_one_waits(one, scene), lambda: f"that partition says so; {one.readiness()}")
        with scene.member("two").wait_ready() as two:
            wait_until(
                lambda: partitions_of(one) and partitions_of(two) and len(partitions_of(one) + partitions_of(two)) == 3,
                lambda: f"a share for each: {partitions_of(one)}, {partitions_of(two)}",
                20,
            )
            for number in (0, 2):
                identify(scene, number, 20, "later")
            wait_until(lambda: arrived(scene, 0, 20, "later") and arrived(scene, 2, 20, "later"), "both go on")
            cluster.restart()
            identify(scene, HELD, 20)
            wait_until(lambda: arrived(scene, HELD, 20), "the one that waited is read when it has a leader")
            scene.wait_committed()
            wait_until(
                lambda: {"ready"} == {s.readiness().status for s in (one, two)}, lambda: f"ready; {one.readiness()}"
            )
            assert 0 == two.stop()
        assert 0 == one.stop()


@pytest.mark.long
def test_a_leader_that_goes_while_it_is_read_holds_its_partition_alone(
    cluster: PlacedCluster, scene: GroupScene
) -> None:
    """A member that runs: the others go on, also through a rebalance, and the partition says that it waits."""
    create_topics(cluster, scene, source=[KEPT, LOST, KEPT], state=[KEPT] * PARTITIONS)
    with scene.member("one").wait_ready() as one:
        for number in range(PARTITIONS):
            identify(scene, number, 20)
        scene.wait_committed()
        cluster.kill()
        with scene.member("two") as two:
            for number in (0, 2):
                identify(scene, number, 20, "later")
            wait_until(lambda: arrived(scene, 0, 20, "later") and arrived(scene, 2, 20, "later"), "both are read", 20)
            wait_until(
                lambda: any(says_that_one_waits(member, scene) for member in (one, two)),
                lambda: f"its owner says so; {one.readiness()}, {two.readiness()}",
                40,
            )
            cluster.restart()
            identify(scene, HELD, 20, "later")
            scene.wait_committed()
            assert 0 == two.stop()
        assert 0 == one.stop()


@pytest.mark.long
def test_a_state_partition_without_a_leader_holds_its_own_partition_alone(
    cluster: PlacedCluster, scene: GroupScene
) -> None:
    """The budget of what is not committed is not spent by one: the others go on far beyond it."""
    create_topics(cluster, scene, source=[KEPT] * PARTITIONS, state=[KEPT, LOST, KEPT])
    scene.settings = {"CUSTOMFIT_UNCOMMITTED_EVENTS_MAX": str(UNCOMMITTED_MAX), "CUSTOMFIT_IN_FLIGHT_MAX": "64"}
    with scene.member("one").wait_ready() as one:
        cluster.kill()
        identify(scene, HELD, 3 * UNCOMMITTED_MAX)
        wait_until(
            lambda: len([user for user in users(HELD, UNCOMMITTED_MAX) if user in scene.sent()]) >= 100,
            "it is sent as far as its share goes",
        )
        for number in (0, 2):
            identify(scene, number, 2 * UNCOMMITTED_MAX)
        wait_until(
            lambda: arrived(scene, 0, 2 * UNCOMMITTED_MAX) and arrived(scene, 2, 2 * UNCOMMITTED_MAX),
            lambda: f"the others go on; {one.readiness()}, delivered {scene.delivered()}",
            30,
        )
        wait_until(
            lambda: scene.outside.committed()[0].offset == scene.outside.committed()[2].offset == 2 * UNCOMMITTED_MAX,
            lambda: f"and are committed; {scene.outside.committed()}",
        )
        sent = len([user for user in users(HELD, 3 * UNCOMMITTED_MAX) if user in scene.sent()])
        assert sent <= UNCOMMITTED_MAX + 64  # what a crash would send again, and what was in flight
        wait_until(lambda: says_that_one_waits(one, scene), lambda: f"that partition says so; {one.readiness()}")
        cluster.restart()
        wait_until(lambda: arrived(scene, HELD, 3 * UNCOMMITTED_MAX), "with a leader it goes on")
        scene.wait_committed()
        assert 0 == one.stop()
