"""customfit_lag_seconds is there whenever customfit_lag_events is above 0: an alert on it must not fall silent.

Where the record can't be read the figure goes on with the clock. Beside it stands a gauge that takes no producer's word
for what time it is.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition

from consumer.emulator.server import Emulator
from tests.real_broker.leaders import KEPT, LOST, PlacedCluster
from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import GroupScene, Scene, event

TEN_DAYS_SECONDS = 10 * 24 * 3600


def gauge(service: Service, scene: GroupScene, name: str, partition: int) -> float | None:
    """One of the gauges of a partition."""
    return service.sample(f"customfit_{name}", topic=scene.topic, partition=partition)


def wait_lag_seconds(service: Service, scene: GroupScene, partition: int, lag_events: float) -> None:
    """Return when a partition is behind and both gauges say so, and the age grows from one scrape to the next."""

    def age() -> float | None:
        return gauge(service, scene, "lag_seconds", partition)

    wait_until(
        lambda: gauge(service, scene, "lag_events", partition) == lag_events,
        lambda: f"a lag of {lag_events}; it is {gauge(service, scene, 'lag_events', partition)}",
    )
    first = wait_until(age, lambda: f"an age beside a lag of {lag_events} events; {service.readiness()}")
    wait_until(lambda: (age() or 0.0) > first, "which grows")


def test_a_stopped_partition_has_an_age(scene: Scene) -> None:
    """Its committed offset is out of range: it stands still, and its lag grows older."""
    scene.produce(*(event("ann", number) for number in range(10)), partition=0)
    with scene.member("one").wait_ready() as one:
        scene.wait_committed()
        assert 0 == one.stop()
        scene.produce(*(event("ann", number) for number in range(10, 20)), partition=0)
        scene.admin.delete_records([TopicPartition(scene.topic, 0, 15)])[TopicPartition(scene.topic, 0)].result(60)
        one.restart()
        wait_until(lambda: "out of range" in one.log, "it is stopped")
        wait_lag_seconds(one, scene, 0, 10.0)
        assert 0.0 == gauge(one, scene, "lag_seconds", 1)
        wait_until(
            lambda: one.total(r'customfit_partition_stopped\{.*partition="0".*\}') == 1,
            "the gauge of stopped partitions",
        )


def test_a_starved_partition_has_an_age(scene: Scene) -> None:
    """The buffer is full of another partition's records, so that nothing of this one is in hand."""
    scene.settings = {"CUSTOMFIT_BUFFER_EVENTS_MAX": "200", "CUSTOMFIT_IN_FLIGHT_MAX": "50"}
    scene.emulator.faults.change({"unavailable_seconds": 3600})
    with scene.member("one").wait_ready() as one:
        scene.produce(*(event("ann", number) for number in range(1000)), partition=0)
        wait_until(lambda: one.total("customfit_events_unfinished") >= 100, "the buffer fills")
        scene.produce(*(event("bob", number) for number in range(5)), partition=1)
        wait_lag_seconds(one, scene, 1, 5.0)
        wait_lag_seconds(one, scene, 0, 1000.0)


@pytest.mark.long
def test_a_partition_whose_state_is_being_read_has_an_age(
    cluster: PlacedCluster, topic_name: str, emulator: Emulator, tmp_path: Path
) -> None:
    """Its state has no leader, so it is not fetched yet: it is behind all the same."""
    scene = GroupScene(cluster.bootstrap_servers, topic_name, emulator, tmp_path, 2)
    cluster.create_topic(topic_name, [KEPT, KEPT])
    cluster.create_topic(f"{topic_name}.identified-users", [KEPT, LOST], {"cleanup.policy": "compact"})
    cluster.create_topic(scene.dead_letter_topic, [KEPT, KEPT])
    cluster.create_topic(f"{topic_name}.customfit-replay", [KEPT])
    cluster.kill()
    for number in range(2):
        scene.produce(*(event(f"ann-{number}", one) for one in range(5)), partition=number)
    with scene.member("one") as one:
        wait_until(lambda: len(scene.sent().get("ann-0", ())) == 5, "the other one is read")
        wait_lag_seconds(one, scene, 1, 5.0)
        cluster.restart()
        wait_until(lambda: len(scene.sent().get("ann-1", ())) == 5, "it is read")
        scene.wait_committed()
        wait_until(lambda: gauge(one, scene, "lag_seconds", 1) == 0.0, "no lag, no age")
        assert 0 == one.stop()
    scene.outside.close()


def test_an_event_of_an_old_clock_is_not_old_here(scene: Scene) -> None:
    """A producer's time is 10 days ago: lag_seconds shows it, oldest_unfinished_seconds when it could be read."""
    scene.emulator.faults.change({"hang": True})
    sender = Producer({"bootstrap.servers": scene.bootstrap_servers, "log_level": 0})
    with scene.member("one").wait_ready() as one:
        began_at = time.monotonic()
        long_ago = int((time.time() - TEN_DAYS_SECONDS) * 1000)
        sender.produce(scene.topic, event("ann", 0)[1], "ann", partition=0, timestamp=long_ago)
        assert 0 == sender.flush(30)
        wait_until(lambda: (gauge(one, scene, "lag_seconds", 0) or 0.0) >= TEN_DAYS_SECONDS, "the producer's time")
        unfinished = wait_until(
            lambda: gauge(one, scene, "oldest_unfinished_seconds", 0),
            "a figure without the producer's clock",
            20,
        )
        assert 0.0 < unfinished <= time.monotonic() - began_at
        assert 0.0 == gauge(one, scene, "oldest_unfinished_seconds", 1)
        wait_until(lambda: (gauge(one, scene, "oldest_unfinished_seconds", 0) or 0.0) > unfinished, "it grows")
        scene.emulator.faults.change({"hang": False})
        wait_until(lambda: gauge(one, scene, "oldest_unfinished_seconds", 0) == 0.0, "finished")
        scene.wait_committed()
        assert 0 == one.stop()
