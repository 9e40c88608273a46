"""The state topic gets as many partitions as its source has: at the start, and when some were added while we run.

A partition that waits for it is tried again until it works. Only an answer that stays the same until somebody acts
stops it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions

from consumer.kafka.client import REQUEST_SECONDS, admin_client
from consumer.kafka.rights import DENIED, Right, explained
from consumer.sequencing.events import Partition

if TYPE_CHECKING:
    from consumer.settings import Settings

PAUSE_SECONDS: Final = 1.0
PAUSE_SECONDS_MAX: Final = 30.0
REFUSED: Final = DENIED | {
    KafkaError.INVALID_REQUEST,
    KafkaError.INVALID_REPLICA_ASSIGNMENT,
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.POLICY_VIOLATION,
    KafkaError.UNSUPPORTED_VERSION,
    KafkaError._UNSUPPORTED_FEATURE,
    KafkaError._INVALID_ARG,
}
"""Answers to a request for more partitions that stay the same until somebody acts."""

log = logging.getLogger("consumer.state")


def grow(admin: AdminClient, name: str, partitions: int) -> None:
    """Give the topic more partitions. Raises KafkaException."""
    try:
        admin.create_partitions([NewPartitions(name, partitions)], request_timeout=REQUEST_SECONDS)[name].result(
            2 * REQUEST_SECONDS
        )
    except KafkaException as error:
        if error.args[0].code() == KafkaError.INVALID_PARTITIONS:  # another member was first
            return
        raise
    except FutureTimeoutError:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from None
    log.info("the state topic %s has %d partitions now, as many as its source", name, partitions)


def growth_problem(settings: Settings, have: int, want: int, error: KafkaException) -> str:
    """What went wrong, and what the operator does."""
    name = settings.state_topic
    return (
        f"the state topic {name!r} (CUSTOMFIT_STATE_TOPIC) has {have} partitions, its source {want}, and it could not "
        f"be given more: {explained(settings, error.args[0], Right('Alter', 'topic', name))}; "
        f"or run kafka-topics.sh --alter --topic {name} --partitions {want}"
    )


class Growth:
    """Which partitions wait for the topic to grow, and when that is tried again.

    Each try has a thread of its own, because it may take long.
    """

    def __init__(self, settings: Settings, answered: Callable[[Partition, int, BaseException | None], None]) -> None:
        """`answered` is told, from that thread, of each try: for whom, to how many partitions, and what went wrong."""
        self._settings = settings
        self._answered = answered
        self._failures: dict[Partition, int] = {}
        self._due: dict[Partition, float] = {}

    def start(self, partition: Partition) -> None:
        """Try to get the topic a partition of this number."""
        self._due.pop(partition, None)
        threading.Thread(target=self._try, args=(partition,), name="state-topic-growth", daemon=True).start()

    def _try(self, partition: Partition) -> None:
        want, error = partition.number + 1, None
        try:
            grow(admin_client(self._settings), self._settings.state_topic, want)
        except BaseException as problem:  # noqa: BLE001  for the state's thread, which tries again or ends with it
            error = problem
        self._answered(partition, want, error)

    def failed(self, partition: Partition, error: KafkaException, now: float) -> bool:
        """Whether it is tried again."""
        if error.args[0].code() in REFUSED:
            self.done(partition)
            return False
        failures = self._failures.get(partition, 0)
        self._failures[partition] = failures + 1
        self._due[partition] = now + min(PAUSE_SECONDS * 2.0**failures, PAUSE_SECONDS_MAX)
        return True

    def done(self, partition: Partition) -> None:
        """It waits no longer."""
        self._failures.pop(partition, None)
        self._due.pop(partition, None)

    @property
    def has_problem(self) -> bool:
        """Whether a partition waits that was refused before."""
        return bool(self._failures)

    def due(self, now: float) -> list[Partition]:
        """For which of them it is time."""
        return [partition for partition, at in self._due.items() if now >= at]

    def next_due(self) -> float:
        """When it is time for the next one; infinity: never."""
        return min(self._due.values(), default=float("inf"))
