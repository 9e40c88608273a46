"""A clean stop leaves the group, so that nobody waits for the session of a member that is gone.

The session time-out is the default of 45 s here: with a shorter one a member that does not leave goes unnoticed.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest
from confluent_kafka import KafkaException

from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import Scene, event, partitions_of

LEFT_SECONDS_MAX = 35.0
"""Less than the session, whose end would be the other reason."""
AFTER_JOINING_SECONDS = (0.0, 0.4, 0.6, 0.8, 1.0)
PROTOCOLS = pytest.mark.parametrize("protocol", ["classic", "consumer"])


@pytest.fixture
def partitions() -> int:
    """Of the topic; with the replays' one there is work for two members."""
    return 1


def members(scene: Scene) -> int:
    """How many the coordinator counts."""
    try:
        group = scene.admin.describe_consumer_groups([scene.topic], request_timeout=10)[scene.topic].result(20)
    except KafkaException:  # the coordinator is on its way
        return -1
    return len(group.members)


def wait_members(scene: Scene, count: int) -> None:
    """Return when the group has so many members, long before a session could have ended."""
    wait_until(
        lambda: members(scene) == count, lambda: f"{count} members; there are {members(scene)}", LEFT_SECONDS_MAX
    )


def started(scene: Scene, stack: ExitStack, count: int) -> list[Service]:
    """So many members, all of them ready."""
    services = [stack.enter_context(scene.member(f"member-{number}")) for number in range(count)]
    for service in services:
        service.wait_ready()
    wait_members(scene, count)
    return services


def use(scene: Scene, protocol: str) -> None:
    """This protocol, and the default session."""
    scene.properties = {} if protocol == "classic" else {"group.protocol": "consumer"}


@pytest.mark.sampled(1)
@PROTOCOLS
def test_an_idle_standby_that_stops_leaves_and_nobody_waits_for_it(scene: Scene, protocol: str) -> None:
    """The next one who joins gets what there is, and the others deliver on."""
    use(scene, protocol)
    with ExitStack() as stack:
        services = started(scene, stack, 3)
        idle = wait_until(
            lambda: [one for one in services if not one.json("/status")["partitions"]], "one has nothing to do"
        )[0]
        assert 0 == idle.stop()
        wait_members(scene, 2)
        busy = wait_until(lambda: [one for one in services if one is not idle and partitions_of(one)], "a busy one")[0]
        assert 0 == busy.stop()
        wait_members(scene, 1)
        scene.produce(event("ann", 0))
        wait_until(lambda: "ann" in scene.sent(), "the last member has it all", LEFT_SECONDS_MAX)


@pytest.mark.parametrize("protocol", ["classic", pytest.param("consumer", marks=pytest.mark.long)])
def test_a_member_that_stops_soon_after_it_has_joined_leaves(scene: Scene, protocol: str) -> None:
    """SIGTERM between the join and the first share, as when a rollout is called off: whatever the client does then."""
    use(scene, protocol)
    with ExitStack() as stack:
        [first] = started(scene, stack, 1)
        for number, seconds in enumerate(AFTER_JOINING_SECONDS):
            late = stack.enter_context(scene.member(f"late-{number}"))
            wait_until(lambda: members(scene) == 2, "it has joined", LEFT_SECONDS_MAX)
            time.sleep(seconds)  # nothing that can be seen from outside happens in between
            assert 0 == late.stop()
            wait_members(scene, 1)
        scene.produce(event("ann", 0))
        wait_until(lambda: "ann" in scene.sent(), "the first one delivers", LEFT_SECONDS_MAX)
        assert 0 == first.stop()
        wait_members(scene, 0)


@pytest.mark.sampled(1)
@PROTOCOLS
def test_an_only_member_that_stops_as_soon_as_it_has_joined_leaves(scene: Scene, protocol: str) -> None:
    """Whoever starts next gets the partitions at once."""
    use(scene, protocol)
    with ExitStack() as stack:
        hasty = stack.enter_context(scene.member("hasty"))
        wait_until(lambda: members(scene) == 1, "it has joined", LEFT_SECONDS_MAX)
        assert 0 == hasty.stop()
        wait_members(scene, 0)
        scene.produce(event("ann", 0))
        stack.enter_context(scene.member("next"))
        wait_until(lambda: "ann" in scene.sent(), "the next one delivers", LEFT_SECONDS_MAX)


@pytest.mark.sampled(1)
@PROTOCOLS
def test_a_member_with_partitions_that_stops_leaves(scene: Scene, protocol: str) -> None:
    """With work in hand."""
    use(scene, protocol)
    scene.produce_rounds(["ann", "bob"], 0, 20)
    with ExitStack() as stack:
        [only] = started(scene, stack, 1)
        wait_until(scene.delivered, "work")
        assert 0 == only.stop()
        wait_members(scene, 0)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("idle", [False, True])
def test_a_static_member_that_stops_stays_a_member(scene: Scene, idle: bool) -> None:
    """With group.instance.id a restart within the session is no rebalance: it must not leave, idle or not."""
    scene.properties = {}
    with ExitStack() as stack:
        services = [stack.enter_context(scene.member(name, group_instance_id=name)) for name in ("one", "two", "three")]
        for service in services:
            service.wait_ready()
        wait_members(scene, 3)
        one = wait_until(
            lambda: [s for s in services if (not s.json("/status")["partitions"]) == idle], "one of that kind"
        )[0]
        assert 0 == one.stop()
        assert 3 == members(scene)
