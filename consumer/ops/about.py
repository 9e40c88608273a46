"""What does not change while the process runs: which program it is, where it runs, with which settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from consumer import __version__
from consumer.ops.wall_time import iso
from consumer.settings.shown import as_shown

if TYPE_CHECKING:
    from consumer.settings import Settings


class About(NamedTuple):
    """What is shown of one process."""

    host: str
    client_id: str
    group: str
    topic: str
    settings: Mapping[str, str]
    """As they may be shown."""
    started_at: float
    """When it started; wall seconds."""
    started_monotonic: float
    version: str = __version__

    def as_json(self, wall_seconds: float, monotonic_seconds: float) -> dict[str, Any]:
        """As /status shows it."""
        return {
            "version": self.version,
            "started_at": iso(self.started_at),
            "uptime_seconds": round(max(monotonic_seconds - self.started_monotonic, 0.0), 1),
            "now": iso(wall_seconds),
            "member": {"host": self.host, "client_id": self.client_id, "group": self.group, "topic": self.topic},
        }


def about(settings: Settings, host: str, wall_seconds: float, monotonic_seconds: float) -> About:
    """Describe a process that starts now on this host."""
    return About(
        host,
        settings.kafka_properties.get("client.id", "customfit-consumer"),
        settings.kafka_group_id,
        settings.kafka_topic,
        as_shown(settings),
        wall_seconds,
        monotonic_seconds,
    )
