"""A thousand partitions: they are ready, they deliver, they are followed, they stop, and cost no descriptor each."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.real_broker.broker import Broker
from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import Scene, event, partitions_of

pytestmark = pytest.mark.long

PARTITIONS = 1000
USERS = [f"user-{number}" for number in range(200)]
READY_SECONDS = 60.0
DESCRIPTORS_MAX = 200
FEW_DESCRIPTORS = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
import sys
from consumer.cli import main
sys.argv = ["customfit-consumer", "run"]
main()
"""


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker of its own: thousands of logs would slow down the others' tests."""
    with Broker() as running:
        yield running


@pytest.fixture
def partitions() -> int:
    """Of the topic, and of its state."""
    return PARTITIONS


def descriptors(member: Service) -> int:
    """How many it has open."""
    return len(os.listdir(f"/proc/{member.process.pid}/fd"))  # noqa: PTH208


def ready_with_all(scene: Scene, member: Service) -> None:
    """The member has all partitions, each with its state, and has delivered what lies in them."""
    wait_until(lambda: member.ready() and len(partitions_of(member)) == PARTITIONS, member.log[-2000:], READY_SECONDS)
    scene.produce(*(event(user, number) for number in range(2) for user in USERS))
    wait_until(lambda: scene.delivered() == 2 * len(USERS), "everything delivered")


def test_a_thousand_partitions_are_ready_and_stop(scene: Scene) -> None:
    """With empty state, and again with what the first run has left; the pages answer meanwhile."""
    scene.settings["CUSTOMFIT_IN_FLIGHT_MAX"] = "32"  # or 256 connections would count, too
    with scene.member("one") as one:
        ready_with_all(scene, one)
        assert descriptors(one) < DESCRIPTORS_MAX
        assert 0 == one.stop()
        one.restart()
        wait_until(lambda: one.ready() and len(partitions_of(one)) == PARTITIONS, "ready again", READY_SECONDS)
        assert (200, 200) == (one.get("/metrics")[0], one.get("/livez")[0])
        assert 0 == one.stop()

    scene.check(USERS, 2)
    assert [] == scene.twice()


def test_a_thousand_partitions_need_no_thousand_descriptors(scene: Scene) -> None:
    """At `ulimit -n 1024` all of them are read and the pages answer."""
    with scene.member("one", command=("-c", FEW_DESCRIPTORS)) as one:
        ready_with_all(scene, one)
        assert (200, 200) == (one.get("/metrics")[0], one.get("/livez")[0])
        assert 0 == one.stop()

    assert "Too many open files" not in one.log


def test_a_thousand_partitions_are_followed_and_taken_over(scene: Scene) -> None:
    """A warm standby is level with all that the other member has; what it takes over then introduces nobody."""
    scene.settings["CUSTOMFIT_STANDBY"] = "all"
    with scene.member("one") as one, scene.member("two") as two:
        both = (one, two)
        wait_until(
            lambda: all(member.ready() and len(partitions_of(member)) == PARTITIONS // 2 for member in both),
            lambda: f"shared: {one.log[-1000:]} {two.log[-1000:]}",
            READY_SECONDS,
        )
        scene.produce_rounds(USERS, 0, 1)
        scene.wait_committed()
        wait_until(lambda: two.sample("customfit_standby_partitions") == PARTITIONS // 2, "half are followed")
        wait_until(lambda: two.sample("customfit_standby_behind_records") == 0, "level", READY_SECONDS)
        one.kill()
        wait_until(
            lambda: two.ready() and len(partitions_of(two)) == PARTITIONS, lambda: f"taken over: {two.log[-2000:]}", 90
        )
        scene.produce_rounds(USERS, 1, 2)
        scene.wait_committed()
        assert descriptors(two) < DESCRIPTORS_MAX
        assert 0 == two.stop()

    assert 0 == scene.emulator.ledger.summary()["introductions"]
    scene.check(USERS, 2)
