"""A start with many partitions, whose answers take a broker its time, waits as long as the setting says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka.admin import ConfigResource, ResourceType

from consumer.emulator.server import Emulator
from tests.chaos.cluster import Cluster
from tests.chaos.proxy import Proxies
from tests.real_broker.running_service import wait_until
from tests.real_broker.scene import GroupScene, event
from tests.real_broker.slow_answers import (
    CREATE_TOPICS,
    DESCRIBE_CONFIGS,
    LIST_OFFSETS,
    METADATA,
    OFFSET_COMMIT,
    OFFSET_FETCH,
    SlowAnswers,
)

PARTITIONS = 50
"""A held answer stands for the time that a thousand would take."""
RECORD_BYTES_MAX = 2_000_000
HELD_SECONDS = 12.0
"""Longer than any time-out of a single request was; CUSTOMFIT_STARTUP_TIMEOUT_SECONDS is 30 s."""
EARLIEST = ("metadata", METADATA), ("create-topics", CREATE_TOPICS), ("describe-configs", DESCRIBE_CONFIGS)
LATEST = ("offset-fetch", OFFSET_FETCH), ("list-offsets", LIST_OFFSETS), ("offset-commit", OFFSET_COMMIT)
"""What is asked only where a new group starts at the end."""
KINDS = [
    *(pytest.param(kind, "earliest", id=name) for name, kind in EARLIEST),
    *(pytest.param(kind, "latest", id=name) for name, kind in LATEST),
]


@pytest.fixture
def cluster(_brokers_can_start: None, tmp_path: Path) -> Iterator[Cluster]:
    """One broker whose clients come through a proxy."""
    cluster = Cluster(tmp_path, nodes=1, members=1)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def scene(cluster: Cluster, topic_name: str, emulator: Emulator, tmp_path: Path) -> Iterator[GroupScene]:
    """Of a topic that is not made yet."""
    scene = GroupScene(cluster.bootstrap_servers, topic_name, emulator, tmp_path, 1)
    yield scene
    scene.outside.close()


@pytest.mark.long
@pytest.mark.parametrize(("kind", "start"), KINDS)
def test_a_start_waits_for_answers_as_long_as_the_setting_says(
    cluster: Cluster, scene: GroupScene, kind: int, start: str
) -> None:
    """An answer that takes more than 10 s is waited for: there is no other limit than the start's."""
    cluster.create_topic(scene.topic, PARTITIONS)
    scene.configure(ResourceType.TOPIC, scene.topic, {"max.message.bytes": str(RECORD_BYTES_MAX)})
    [node] = cluster.nodes
    proxy = SlowAnswers(node.ports.proxies[0], node.ports.members[0], frozenset({kind}), HELD_SECONDS)
    with ExitStack() as stack:
        stack.enter_context(Proxies()).add(proxy)
        scene.bootstrap_servers = cluster.member_bootstrap_servers(0)
        scene.settings = {"CUSTOMFIT_KAFKA_START": start}
        one = stack.enter_context(scene.member("one"))
        wait_until(lambda: one.process.poll() is not None or one.readiness().status == "ready", lambda: one.log, 90)
        assert one.process.poll() is None, one.log
        scene.produce(event("ann", 0), partition=0)
        wait_until(lambda: "ann" in scene.sent(), "it delivers")
        assert 0 == one.stop()
    assert 1 == proxy.held
    letters = ConfigResource(ResourceType.TOPIC, scene.dead_letter_topic)
    found = scene.admin.describe_configs([letters])[letters].result(60)
    assert str(RECORD_BYTES_MAX + 65_536) == found["max.message.bytes"].value  # nothing was guessed for want of time
