"""Shares and permits of a rate, for tests."""

from __future__ import annotations

from typing import Final

from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.rate import Rate

REPLAYS: Final = Partition("replay", 0)


def assigned(partition: Partition, *, leased_at: float = 0.0) -> Assignment:
    """A partition with a lease."""
    assignment = Assignment(partition, OffsetTracker(0))
    if partition.topic == "replay":
        assignment.of_replays()
    assignment.leased_at = leased_at
    return assignment


def source(*numbers: int) -> list[Assignment]:
    """Partitions of the source topic."""
    return [assigned(Partition("segment", number)) for number in numbers]


def rate_of(
    limit: float, assignments: list[Assignment], *, partitions: int | None = 4, replays: int | None = 1
) -> Rate:
    """A member's, at second 0."""
    rate = Rate(limit)
    rate.topics_have(partitions, replays, 0.0)
    rate.tick(assignments, 0.0)
    return rate


def starts(rate: Rate, now: float, *, is_replay: bool = False, others_wait: bool = False) -> int:
    """How many requests may start now."""
    rate.refill(now)
    count = 0
    while rate.has(is_replay=is_replay, others_wait=others_wait):
        rate.take(is_replay=is_replay, others_wait=others_wait)
        count += 1
    return count
