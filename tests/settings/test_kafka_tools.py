"""Commands of Kafka's tools in our messages: as they are pasted, they reach the cluster."""

from __future__ import annotations

import json

import pytest

from consumer.settings.kafka_tools import tool
from tests.settings.given_settings import load

OPEN: tuple[dict[str, str], ...] = ({}, {"security.protocol": "plaintext"}, {"client.id": "me"})
SECURED = ({"security.protocol": "SASL_SSL"}, {"security.protocol": "ssl"}, {"security.protocol": "SASL_PLAINTEXT"})


def begins(properties: dict[str, str]) -> str:
    """What a command looks like with these properties."""
    return tool(load(kafka_properties=json.dumps(properties)), "kafka-topics.sh")


@pytest.mark.parametrize("properties", OPEN)
def test_an_open_cluster_asks_nobody_who_they_are(properties: dict[str, str]) -> None:
    """Then the address is enough."""
    assert "kafka-topics.sh --bootstrap-server localhost:9092" == begins(properties)


@pytest.mark.parametrize("properties", SECURED)
def test_a_secured_cluster_needs_a_file_that_says_who_asks(properties: dict[str, str]) -> None:
    """Without it, Kafka's tools take what TLS answers for a length, and run out of memory."""
    expected = "kafka-topics.sh --bootstrap-server localhost:9092 --command-config ADMIN.properties"

    assert expected == begins(properties)
