"""A group of which a part is gone, and Kafka gone for all: what nobody reads shows, and no lag resolves itself."""

from __future__ import annotations

import signal
from contextlib import ExitStack

import pytest

from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import Scene, event, partitions_of

PARTITIONS = 6
SESSION_MS = 6000


@pytest.fixture
def partitions() -> int:
    """Of the topic."""
    return PARTITIONS


def assigned(services: list[Service], scene: Scene) -> float:
    """sum(customfit_partitions_assigned) over those that can be scraped."""
    return sum(one.sample("customfit_partitions_assigned", topic=scene.topic) or 0.0 for one in services)


def there_are(services: list[Service], scene: Scene) -> float:
    """max(customfit_topic_partitions) over those that can be scraped."""
    return max(one.sample("customfit_topic_partitions", topic=scene.topic) or 0.0 for one in services)


@pytest.mark.parametrize("end", [signal.SIGSTOP, signal.SIGKILL])
def test_partitions_that_nobody_reads_are_missing_in_a_sum(scene: Scene, end: signal.Signals) -> None:
    """Of three members one is frozen or killed: until its session ends the others' gauges say that some are unread."""
    scene.properties["session.timeout.ms"] = SESSION_MS
    with ExitStack() as stack:
        services = [stack.enter_context(scene.member(f"member-{number}")) for number in range(3)]
        for service in services:
            service.wait_ready()
        wait_until(
            lambda: (
                min(len(partitions_of(one)) for one in services) > 0
                and PARTITIONS == sum(len(partitions_of(one)) for one in services)
            ),
            "a share for each",
        )
        wait_until(
            lambda: assigned(services, scene) == there_are(services, scene) == PARTITIONS,
            lambda: f"all are read: {assigned(services, scene)} of {there_are(services, scene)}",
            20,
        )
        gone, *alive = services
        gone.process.send_signal(end)
        assert 0 < assigned(alive, scene) < there_are(alive, scene) == PARTITIONS
        wait_until(lambda: assigned(alive, scene) == PARTITIONS, "the others take over when its session ends")
        assert [0, 0] == [one.stop() for one in alive]
        gone.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
@pytest.mark.long
def test_lag_stays_when_kafka_is_gone_for_longer_than_the_session(own_scene: Scene, protocol: str) -> None:
    """The group's partitions are lost by then, and the lag is what it was: still shown, with the cause beside it."""
    scene = own_scene
    if protocol == "consumer":
        scene.properties = {"group.protocol": "consumer"}
    else:
        scene.properties["session.timeout.ms"] = SESSION_MS
    with scene.member("one").wait_ready() as one:
        scene.emulator.faults.change({"hang": True})
        for number in range(PARTITIONS):
            scene.produce(*(event(f"user-{number}", each) for each in range(number + 1)), partition=number)
        wanted = {number: float(number + 1) for number in range(PARTITIONS)}

        def lag(name: str = "lag_events") -> dict[int, float | None]:
            return {
                number: one.sample(f"customfit_{name}", topic=scene.topic, partition=number)
                for number in range(PARTITIONS)
            }

        wait_until(lambda: wanted == lag(), lambda: f"the lag of each; {lag()}")
        scene.broker.kill()
        if protocol == "classic":  # with the new protocol the client keeps them until it hears from a coordinator
            lost = 'customfit_rebalances_total{event="lost"}'
            wait_until(lambda: one.samples()[lost] > 0, lambda: f"its session ends; {one.readiness()}", 90)
        else:
            wait_until(lambda: one.readiness().status == "degraded", "it has noticed")
        assert wanted == lag()
        assert all(seconds is not None for seconds in lag("lag_seconds").values())
        wait_until(
            lambda: one.sample("customfit_degraded", cause="kafka_unreachable") == 1.0,
            lambda: f"the cause; {one.readiness()}",
            30,
        )
        assert (200, "degraded") == one.readiness()[:2]
        scene.broker.restart()
        scene.emulator.faults.change({"hang": False})
        wait_until(lambda: set(lag().values()) == {0.0}, lambda: f"a new assignment, and all is delivered; {lag()}")
        wait_until(lambda: one.sample("customfit_degraded", cause="kafka_unreachable") == 0.0, "it is over")
        assert 0 == one.stop()
