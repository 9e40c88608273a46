"""Writes an order to pause or to resume, and reads the one in force: for commands, from outside the group."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from consumer.kafka.client import KafkaUnavailable, misconfigured, producer_config
from consumer.kafka.rights import Right, explained
from consumer.sequencing.pauses import PauseOrder
from consumer.state.pause_record import PAUSE_PARTITION, UnknownPauseRecord, decode_order, encode_order, pause_key

if TYPE_CHECKING:
    from consumer.kafka.reader import Bounds, TopicReader
    from consumer.settings import Settings


def order_in_force(
    reader: TopicReader, settings: Settings, bounds: Bounds, advance: Callable[[int], None]
) -> PauseOrder | None:
    """The last order to this group; None: there is none.

    `advance` gets the number of records that were read since its last call. Raises KafkaUnavailable.
    """
    key, order = pause_key(settings.kafka_group_id), None
    for record in reader.read(settings.state_topic, {PAUSE_PARTITION: bounds}):
        if record.key == key:
            with suppress(UnknownPauseRecord):  # as members do: the one before it stays in force
                order = decode_order(record.value)
        advance(1)
    return order


def give_order(settings: Settings, order: PauseOrder, check: Callable[[], None]) -> None:
    """Write the order, and wait until all in-sync replicas have it. `check` may raise, to end the wait.

    Raises KafkaUnavailable, KafkaMisconfigured.
    """
    answers: list[KafkaError | None] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        answers.append(error)

    timeout_seconds = settings.startup_timeout_seconds
    config = {**producer_config(settings), "message.timeout.ms": max(int(timeout_seconds * 1000), 1)}
    try:
        producer = Producer(config, logger=logging.getLogger("librdkafka"))
    except KafkaException as refused:
        raise misconfigured(settings, refused) from None
    key, value = pause_key(settings.kafka_group_id), encode_order(order)
    producer.produce(settings.state_topic, value, key, partition=PAUSE_PARTITION, on_delivery=delivered)
    deadline = time.monotonic() + timeout_seconds + 5  # librdkafka gives up before that
    while not answers and time.monotonic() < deadline:
        try:
            producer.poll(0.1)
        except KafkaException as fatal:  # an idempotent producer whose user may write to no topic at all
            answers.append(fatal.args[0])
        check()
    error = answers[0] if answers else KafkaError(KafkaError._TIMED_OUT)
    if error is not None:
        said = explained(settings, error, Right("Write", "topic", settings.state_topic))
        raise KafkaUnavailable(f"the order was not written to {settings.state_topic}: {said}")
