"""Whether a topic still has everything of a window: nobody can judge what Kafka has removed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import ConfigResource, ResourceType

from consumer.audit.window import Window
from consumer.dead_letters.text import iso
from consumer.kafka.client import admin_client
from consumer.kafka.reader import Bounds, TopicReader

if TYPE_CHECKING:
    from consumer.settings import Settings

ASK_SECONDS: Final = 5.0


class TooOld(Exception):
    """The window is older than what a topic keeps. The text says which topic, and from when on it has everything."""


def demand_kept(
    settings: Settings, reader: TopicReader, topic: str, bounds: Mapping[int, Bounds], window: Window
) -> None:
    """Make sure that nothing was removed since that moment. Raises TooOld, KafkaUnavailable.

    A partition that still begins with offset 0 has everything. So has one with a record from before the window. For any
    other, the topic's retention has to say that it can't have removed anything so young.
    """
    from_ms, now_ms = window.from_ms, window.now_ms
    shortened = [number for number, (low, _) in bounds.items() if low > 0]
    starts = {number: bounds[number].low for number in shortened if bounds[number].low < bounds[number].end}
    first = reader.first(topic, starts) if starts else {}
    # One without records, or with transaction markers only, begins with the next record.
    begins = {number: first[number].timestamp_ms if number in first else now_ms for number in shortened}
    late = {number: at_ms for number, at_ms in begins.items() if at_ms >= from_ms}
    if not late or from_ms >= now_ms - _kept_ms(settings, topic):
        return
    number = max(late, key=lambda one: late[one])
    begins_at = f"begins at {iso(late[number])}" if number in first else "holds nothing"
    raise TooOld(
        f"{topic} does not keep all of the window: partition {number} {begins_at}, with offset {bounds[number].low}, "
        f"and the window begins at {iso(from_ms)}; choose a later --from"
    )


def _kept_ms(settings: Settings, topic: str) -> float:
    """For how long the topic keeps all records; 0: not known, or size limits it, too."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    try:
        asked = admin_client(settings).describe_configs([resource], request_timeout=ASK_SECONDS)[resource]
        entries: dict[str, Any] = asked.result(ASK_SECONDS + 1)
        retention_ms, retention_bytes = (int(entries[f"retention.{what}"].value) for what in ("ms", "bytes"))
    except (KafkaException, FutureTimeoutError, KeyError, ValueError):
        return 0.0
    if retention_bytes >= 0:
        return 0.0
    return math.inf if retention_ms < 0 else float(retention_ms)
