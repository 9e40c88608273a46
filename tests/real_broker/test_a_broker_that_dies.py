"""One of two brokers dies, the one that leads our topics stays: what is asked of the cluster is answered soon."""

from __future__ import annotations

import time
from functools import partial

import pytest
from confluent_kafka import KafkaException

from consumer.kafka.topic_ids import TopicIds
from tests.real_broker.leaders import KEPT, LOST, PlacedCluster
from tests.real_broker.running_service import wait_until
from tests.settings.given_settings import load

CLIENTS = 16
"""Each takes one of the brokers for the controller, and sends its questions there."""


@pytest.mark.long
def test_no_client_waits_for_the_broker_that_is_gone(cluster: PlacedCluster, topic_name: str) -> None:
    """Or commits, which ask for the topic's id first, would stand still for minutes, and so would everything after."""
    cluster.create_topic(topic_name, [KEPT])
    settings = load(kafka_bootstrap_servers=cluster.bootstrap_servers, kafka_topic=topic_name)
    clients = [TopicIds(settings) for _ in range(CLIENTS)]
    for one in clients:
        one.start()
        assert topic_name in one.seen([topic_name], 10).known
    cluster.kill(LOST)
    died_at = time.monotonic()

    def answered(one: TopicIds) -> bool:
        try:
            return topic_name in one.seen([topic_name], 2).known
        except KafkaException:  # no answer in time
            return False

    for number, one in enumerate(clients):
        wait_until(
            partial(answered, one),
            f"client {number}, {time.monotonic() - died_at:.0f} s after the broker died",
            20,
        )
