"""The start without a replay topic, which must not be in its way, and what its readers and writers wait for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from consumer.kafka.client import KafkaUnavailable
from consumer.kafka.reader import Bounds, TopicReader
from consumer.kafka.topics import TopicNotCreated, create_replay_topic, partitions_text, prepare
from consumer.settings import Settings
from tests.fakes.mock_cluster import mock_cluster
from tests.settings.given_settings import load

TOPIC = "events"


@pytest.fixture
def settings() -> Callable[[], Settings]:
    """Those for a mock cluster with source and dead-letter topic, which can't create topics on request."""
    cluster = mock_cluster()
    for topic in (TOPIC, f"{TOPIC}.customfit-dlq"):
        cluster.keeper.list_topics(topic, timeout=60)  # asking for it makes it

    def make() -> Settings:
        # So long the cluster says nothing to what it does not know.
        return load(kafka_bootstrap_servers=cluster.servers, kafka_topic=TOPIC, startup_timeout_seconds="2")

    return make


def test_without_replay_topic_the_source_is_read(
    settings: Callable[[], Settings], caplog: pytest.LogCaptureFixture
) -> None:
    """One warning, which names the topic, its setting and what to do; the start goes on."""
    with caplog.at_level(logging.WARNING, "consumer"):
        prepared = prepare(settings())

    assert [TOPIC] == prepared.topics
    [warning] = [record.getMessage() for record in caplog.records if record.name.startswith("consumer")]
    assert "the replay topic 'events.customfit-replay' (CUSTOMFIT_REPLAY_TOPIC) does not exist" in warning
    assert "create it" in warning


def test_a_replay_needs_the_topic(settings: Callable[[], Settings]) -> None:
    """`dlq replay` has nowhere to write to: an error."""
    with pytest.raises(TopicNotCreated):
        create_replay_topic(settings())


def test_a_reader_waits_for_an_answer_and_not_for_ever(settings: Callable[[], Settings]) -> None:
    """A partition that the client has not heard of yet is no failure, until the time is up."""
    reading = replace(settings(), startup_timeout_seconds=1.0)
    with (
        TopicReader(reading, lambda: None) as reader,
        pytest.raises(KafkaUnavailable, match="nothing could be read for 1 s"),
    ):
        list(reader.read(TOPIC, {99: Bounds(0, 1)}))


def test_one_partition_is_not_called_partitions() -> None:
    """As the log says it of a topic that was made, and `check --connect` of one that is there."""
    assert ["1 partition", "6 partitions"] == [partitions_text(count) for count in (1, 6)]
