"""The topics that the service makes for itself: as safe as the source, and kept for as long as they are needed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from consumer.kafka.topics import prepare
from consumer.state.topic import prepare_state_topic
from tests.real_broker.broker import Broker, missing, required
from tests.settings.given_settings import load

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def broker() -> Iterator[Broker]:
    """One that by itself makes more replicas than it can have, so that relying on its default fails."""
    if (problem := missing()) is not None:
        pytest.fail(problem, pytrace=False) if required() else pytest.skip(problem)
    with Broker({"default.replication.factor": 3}) as running:
        yield running


def test_each_topic_has_the_source_s_replicas_and_its_own_settings(broker: Broker) -> None:
    """Whatever the brokers' default is. Dead letters live from when they were written, not from when the record was."""
    broker.create_topic("events", 2, {"max.message.bytes": "2000000"})
    settings = load(kafka_bootstrap_servers=broker.bootstrap_servers, kafka_topic="events")
    prepared = prepare(settings)
    prepare_state_topic(settings, prepared.partitions)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    made = [settings.dead_letter_topic, settings.replay_topic, settings.state_topic]
    seen = admin.list_topics(timeout=60).topics
    replicas = {name: {len(part.replicas) for part in seen[name].partitions.values()} for name in made}
    asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in made])
    config = {resource.name: future.result(60) for resource, future in asked.items()}

    def values(topic: str, *names: str) -> list[str]:
        return [config[topic][name].value for name in names]

    about_time = ("message.timestamp.type", "retention.ms", "max.message.bytes")

    assert ["events", settings.replay_topic] == prepared.topics
    assert {name: {1} for name in made} == replicas
    assert [2, 1, 2] == [len(seen[name].partitions) for name in made]
    assert ["LogAppendTime", str(30 * DAY_MS), "2065536"] == values(settings.dead_letter_topic, *about_time)
    assert ["CreateTime", str(60 * DAY_MS), "2131072"] == values(settings.replay_topic, *about_time)
    assert ["compact"] == values(settings.state_topic, "cleanup.policy")
