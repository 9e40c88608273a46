"""Where a group stands before anybody joins it: what it has committed, and where a new group starts."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from consumer.kafka.client import PASSING_ERRORS, KafkaUnavailable, consumer_config
from consumer.kafka.patience import patiently
from consumer.kafka.rights import explained, group_right, is_denied
from consumer.log_codes import Code, fields

if TYPE_CHECKING:
    from consumer.settings import Settings

RETRY_SECONDS: Final = 0.1

log = logging.getLogger("consumer.kafka")


def start_new_group_at_end(admin: AdminClient, settings: Settings, partitions: int) -> None:
    """CUSTOMFIT_KAFKA_START=latest: commit the end of every partition, once, for a group that has no commit at all.

    This is done before anybody joins: so a crash before the first event skips nothing that came meanwhile, and
    partitions that are added later are read from their beginning. Raises KafkaUnavailable.
    """
    try:
        with outside_the_group(settings) as consumer:
            if committed_offsets(consumer, settings, partitions):
                return
            consumer.commit(offsets=_ends(admin, settings, partitions), asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() in (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.NON_EMPTY_GROUP):
            return  # another member is there already and did this
        group_id = settings.kafka_group_id
        said = explained(settings, error.args[0], group_right(settings))
        message = f"could not set the start of group {group_id!r} (CUSTOMFIT_KAFKA_START=latest): {said}"
        raise KafkaUnavailable(message) from None
    told = "group %s is new: it starts at the end of %s"
    log.info(told, settings.kafka_group_id, settings.kafka_topic, extra=fields(Code.STARTS_AT_END))


def _ends(admin: AdminClient, settings: Settings, partitions: int) -> list[TopicPartition]:
    """Where all the logs end, asked for at once, and again while a new partition has no leader yet."""
    where = [TopicPartition(settings.kafka_topic, number) for number in range(partitions)]

    def ask(seconds: float) -> list[TopicPartition]:
        asked = admin.list_offsets(
            {partition: OffsetSpec.latest() for partition in where},
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=seconds,
        )
        deadline = time.monotonic() + seconds + 1  # our own: an answer may never come (2.16.1)
        return [
            TopicPartition(at.topic, at.partition, asked[at].result(max(deadline - time.monotonic(), 0)).offset)
            for at in where
        ]

    try:
        return patiently(ask, settings.startup_timeout_seconds, _may_pass, pause_seconds=RETRY_SECONDS)
    except FutureTimeoutError:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from None


def _may_pass(error: KafkaException | FutureTimeoutError) -> bool:
    return isinstance(error, FutureTimeoutError) or error.args[0].code() in PASSING_ERRORS


@contextmanager
def outside_the_group(settings: Settings) -> Iterator[Consumer]:
    """A consumer that knows the group and never joins it.

    It stands in for AdminClient.list_consumer_group_offsets, which with librdkafka 2.16 ends the process (SIGSEGV)
    while the group's coordinator is moving or not there yet.
    """
    consumer = Consumer(consumer_config(settings), logger=logging.getLogger("librdkafka"))
    try:
        yield consumer
    finally:
        consumer.close()


def committed_offsets(consumer: Consumer, settings: Settings, partitions: int) -> dict[int, int]:
    """Partition → the offset that the group has committed, where it has one. Raises KafkaException."""
    where = [TopicPartition(settings.kafka_topic, number) for number in range(partitions)]

    def may_go_on(problem: Exception) -> bool:
        """The first group of a new cluster may have no coordinator yet."""
        # While it looks for the coordinator, the client only times out. A denial comes as a message (librdkafka 2.16).
        message = consumer.poll(0)
        if message is not None and (error := message.error()) is not None and is_denied(error):
            raise KafkaException(error) from None
        return isinstance(problem, KafkaException) and problem.args[0].code() in PASSING_ERRORS

    known = patiently(
        lambda seconds: consumer.committed(where, timeout=seconds),
        settings.startup_timeout_seconds,
        may_go_on,
        pause_seconds=RETRY_SECONDS,
    )
    for partition in known:
        if partition.error is not None:
            raise KafkaException(partition.error)
    return {partition.partition: partition.offset for partition in known if partition.offset >= 0}
