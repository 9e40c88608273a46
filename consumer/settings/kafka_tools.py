"""Kafka's own tools, as people paste them from our messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from consumer.settings import Settings

ADMIN_FILE: Final = "ADMIN.properties"
"""Whoever grants rights or resets offsets is somebody else than our user. docs/security.md says what it holds."""


def tool(settings: Settings, name: str) -> str:
    """How its command begins. Without the file, Kafka's tools run out of memory at a port with TLS."""
    secured = str(settings.kafka_properties.get("security.protocol", "plaintext")).lower() != "plaintext"
    identity = f" --command-config {ADMIN_FILE}" if secured else ""
    return f"{name} --bootstrap-server {settings.kafka_bootstrap_servers}{identity}"


def reset_to_earliest(settings: Settings, topic: str) -> str:
    """The command by which a stopped group reads a topic, or one partition of it (`topic:3`), from its beginning."""
    group = f"{tool(settings, 'kafka-consumer-groups.sh')} --group {settings.kafka_group_id}"
    return f"{group} --topic {topic} --reset-offsets --to-earliest --execute"
