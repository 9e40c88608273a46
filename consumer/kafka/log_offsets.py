"""Collects what brokers answer to where logs begin or end, each partition by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumer.sequencing.events import Partition

if TYPE_CHECKING:
    from confluent_kafka.admin import ListOffsetsResultInfo


def answered(
    asked: Mapping[TopicPartition, Future[ListOffsetsResultInfo]], deadline: float
) -> Iterator[tuple[Partition, int | KafkaError]]:
    """Yield each partition and its offset, or why there is none: _TIMED_OUT if the deadline passes.

    `deadline`: monotonic seconds. It is our own, because an answer may never come (confluent-kafka 2.16.1).
    """
    for where, future in asked.items():
        told: int | KafkaError
        try:
            told = future.result(max(deadline - time.monotonic(), 0)).offset
        except KafkaException as error:
            told = error.args[0]
        except FutureTimeoutError:
            told = KafkaError(KafkaError._TIMED_OUT)
        yield Partition(where.topic, where.partition), told
