"""Translates partitions and commits from our types into those of confluent-kafka, and back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumer.ports.inputs import Committed
from consumer.sequencing.events import Partition
from consumer.sequencing.offsets import CommitPoint

WAKE_SECONDS_MAX: Final = 0.5
_FAR_FUTURE_MS: Final = 2**53


class PartitionNames:
    """Gives one object for each partition. A new one for each record, with its topic's name, took 136 bytes more."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, int], Partition] = {}

    def of(self, topic: str, number: int) -> Partition:
        """The object for this partition."""
        name = self._names.get((topic, number))
        if name is None:
            name = self._names[(topic, number)] = Partition(topic, number)
        return name


def partitions_of(topic_partitions: Iterable[TopicPartition]) -> set[Partition]:
    """The same partitions as ours, without their offsets."""
    return {Partition(p.topic, p.partition) for p in topic_partitions}


def topic_partitions_of(partitions: Iterable[Partition]) -> list[TopicPartition]:
    """The same partitions for the client, in order, without offsets."""
    return [TopicPartition(p.topic, p.number) for p in sorted(partitions)]


def resume_now(consumer: Consumer, partitions: Iterable[Partition]) -> None:
    """Resume, and wake the client's threads that ask leaders: they would notice up to 1 s later (2.16.1, measured).

    Any answer of a leader wakes its thread, so it does not matter what is asked here.
    """
    consumer.resume(topic_partitions_of(partitions))
    asked = [TopicPartition(p.topic, p.number, _FAR_FUTURE_MS) for p in sorted(partitions)]
    with contextlib.suppress(KafkaException):  # then there is nothing to fetch either
        consumer.offsets_for_times(asked, timeout=WAKE_SECONDS_MAX)


def to_commit(points: Mapping[Partition, CommitPoint]) -> list[TopicPartition]:
    """The points, as the client commits them."""
    return [TopicPartition(p.topic, p.number, point.offset, point.metadata) for p, point in sorted(points.items())]


def speaks_of(points: Mapping[Partition, CommitPoint], answer: Iterable[TopicPartition]) -> bool:
    """Whether this may be the answer to the commit of these points."""
    offsets = {partition: point.offset for partition, point in points.items()}
    return all(offsets.get(Partition(p.topic, p.partition)) == p.offset for p in answer)


def committed_of(
    points: Mapping[Partition, CommitPoint], error: KafkaError | None, answer: list[TopicPartition]
) -> Committed:
    """The answer to a commit. With `error` all of it has failed, else each partition has its own error or none."""
    accepted = [Partition(p.topic, p.partition) for p in answer if p.error is None and error is None]
    first = error or next((p.error for p in answer if p.error is not None), None)
    too_large = [
        Partition(p.topic, p.partition)
        for p in answer
        for problem in (p.error or error,)
        if problem is not None and problem.code() == KafkaError.OFFSET_METADATA_TOO_LARGE
    ]
    return Committed(points, accepted, None if first is None else first.str(), too_large)
