"""How far a group is behind, asked from outside the group; also while no consumer runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from consumer.kafka.reader import Bounds, TopicReader

if TYPE_CHECKING:
    from consumer.settings import Settings


class PartitionLag(NamedTuple):
    """The lag of one partition: what `kafka-consumer-groups.sh` shows, and how old the first record is."""

    topic: str
    partition: int
    committed_offset: int | None
    """None: the group has committed nothing here yet."""
    end_offset: int
    """Where the partition's committed records end."""
    lag_events: int
    """How many offsets lie between committed and end; without a commit, from where the group would start."""
    lag_seconds: float
    """How old the first record is that is not committed; 0 if there is none."""


def group_lag(settings: Settings, reader: TopicReader, topic: str, now: float) -> list[PartitionLag]:
    """The lag of each partition of a topic; none if there is no such topic. `now`: seconds since the epoch.

    Raises KafkaUnavailable.
    """
    bounds = reader.bounds(topic)
    committed = reader.committed(topic, len(bounds)) if bounds else {}
    at_end = settings.kafka_start == "latest" and topic == settings.kafka_topic and not committed
    positions = {number: _position(committed.get(number), bounds[number], at_end=at_end) for number in bounds}
    behind = {number: position for number, position in positions.items() if position < bounds[number].end}
    first = reader.first(topic, behind) if behind else {}
    found = []
    for number, (_, end) in bounds.items():
        record = first.get(number)
        seconds = 0.0 if record is None else max(now - record.timestamp_ms / 1000, 0.0)
        found.append(
            PartitionLag(topic, number, committed.get(number), end, max(end - positions[number], 0), round(seconds, 3))
        )
    return found


def _position(committed: int | None, bounds: Bounds, *, at_end: bool) -> int:
    if committed is not None:
        return committed
    return bounds.end if at_end else bounds.low
