"""Commits offsets for a group that nobody is in: its members read on from there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumer.kafka.client import PASSING_ERRORS, KafkaUnavailable, misconfigured, reader_config
from consumer.kafka.patience import patiently
from consumer.kafka.rights import Right, explained, group_right

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.settings import Settings

RETRY_SECONDS: Final = 0.1
ASK_SECONDS: Final = 2.0
HAS_MEMBERS: Final = frozenset(
    {
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.NON_EMPTY_GROUP,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError.STALE_MEMBER_EPOCH,
    }
)
"""How a coordinator answers a commit from outside if somebody is in the group."""


class GroupHasMembers(Exception):
    """Somebody is in the group: only its members may commit for it."""


def reset_offsets(
    settings: Settings, offsets: Mapping[int, int], check: Callable[[], None], metadata: str = ""
) -> None:
    """Commit these offsets (by partition) for the source topic. `check` is called while it waits, and may raise.

    The broker takes them only if the group is empty, so a member that has just joined is never led astray. Raises
    GroupHasMembers, KafkaUnavailable, KafkaMisconfigured.
    """
    try:
        consumer = Consumer(reader_config(settings), logger=logging.getLogger("librdkafka"))
    except KafkaException as error:
        raise misconfigured(settings, error) from None
    points = [
        TopicPartition(settings.kafka_topic, number, offset, metadata) for number, offset in sorted(offsets.items())
    ]

    def ask(seconds: float) -> None:
        # Asked first, because a commit has no time limit: a silent coordinator kept it, and Ctrl-C, for 45 s (2.16.1).
        consumer.committed(points, timeout=min(seconds, ASK_SECONDS))
        for answered in consumer.commit(offsets=points, asynchronous=False) or ():
            if answered.error is not None:
                raise KafkaException(answered.error)

    def may_go_on(problem: Exception) -> bool:
        check()
        return isinstance(problem, KafkaException) and problem.args[0].code() in PASSING_ERRORS

    try:
        patiently(ask, settings.startup_timeout_seconds, may_go_on, pause_seconds=RETRY_SECONDS)
    except KafkaException as error:
        if error.args[0].code() in HAS_MEMBERS:
            raise GroupHasMembers(error.args[0].str()) from None
        rights = group_right(settings), Right("Read", "topic", settings.kafka_topic)
        said = " or ".join(dict.fromkeys(explained(settings, error.args[0], right) for right in rights))
        raise KafkaUnavailable(f"the offsets of {settings.kafka_group_id} were not committed: {said}") from None
    finally:
        consumer.close()
