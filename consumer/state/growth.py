"""Gives the state topic as many partitions as the source topic has: at the start, and when some are added later.

A partition that waits for this is tried again until it works. It stops only at an answer that will not change until
somebody acts.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions

from consumer.kafka.client import REQUEST_SECONDS, admin_client
from consumer.kafka.rights import DENIED, Right, explained
from consumer.log_codes import Code, fields
from consumer.sequencing.events import Partition
from consumer.settings.kafka_tools import tool

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
    """Give the topic this many partitions, unless another member was first. Raises KafkaException."""
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
    told = "the state topic %s has %d partitions now, as many as its source"
    log.info(told, name, partitions, extra=fields(Code.STATE_FIXED))


def growth_problem(settings: Settings, have: int, want: int, error: KafkaException) -> str:
    """What went wrong and what the operator can do, for people."""
    name = settings.state_topic
    return (
        f"the state topic {name!r} (CUSTOMFIT_STATE_TOPIC) has {have} partitions, its source {want}, and it could not "
        f"be given more: {explained(settings, error.args[0], Right('Alter', 'topic', name))}; "
        f"or run {tool(settings, 'kafka-topics.sh')} --alter --topic {name} --partitions {want}"
    )


class Growth:
    """Knows which partitions wait for the topic to grow, and when to try again.

    Each try is for all of them. It has a thread of its own, because it may take long; there is one at a time.
    """

    def __init__(
        self, settings: Settings, answered: Callable[[Collection[Partition], int, BaseException | None], None]
    ) -> None:
        """`answered` is called after each try, in its thread: for which partitions, how many were wanted, the error."""
        self._settings = settings
        self._answered = answered
        self._waiting: set[Partition] = set()
        self._tried: frozenset[Partition] = frozenset()
        """The partitions of the try that is not answered yet."""
        self._failures = 0
        self._due = 0.0

    def start(self, partition: Partition) -> None:
        """Have the next try give the topic a partition of this number."""
        self._waiting.add(partition)

    def done(self, partition: Partition) -> None:
        """The partition no longer waits."""
        self._waiting.discard(partition)
        if not self._waiting:
            self._failures, self._due = 0, 0.0

    def go(self, now: float) -> None:
        """Begin a try, if one is due. `now`: monotonic seconds."""
        if now >= self.next_due():
            self._tried = frozenset(self._waiting)
            self._begin(self._tried)

    def _begin(self, partitions: Collection[Partition]) -> None:
        threading.Thread(target=self._try, args=(partitions,), name="state-topic-growth", daemon=True).start()

    def _try(self, partitions: Collection[Partition]) -> None:
        want, error = max(partition.number for partition in partitions) + 1, None
        try:
            grow(admin_client(self._settings), self._settings.state_topic, want)
        except BaseException as problem:  # noqa: BLE001  the state's thread tries again, or raises it
            error = problem
        self._answered(partitions, want, error)

    def worked(self) -> None:
        """The try has worked; partitions that came meanwhile wait for the next."""
        self._tried = frozenset()
        self._failures, self._due = 0, 0.0

    def failed(self, error: KafkaException, now: float) -> bool:
        """The try has failed; gives whether another will be made."""
        tried, self._tried = self._tried, frozenset()
        if error.args[0].code() in REFUSED:
            for partition in tried:
                self.done(partition)
            return False
        if self._waiting:
            self._due = now + min(PAUSE_SECONDS * 2.0**self._failures, PAUSE_SECONDS_MAX)
            self._failures += 1
        return True

    @property
    def has_problem(self) -> bool:
        """Whether partitions wait and a try has failed."""
        return self._failures > 0

    def next_due(self) -> float:
        """When the next try is due, in monotonic seconds; infinity: never."""
        return self._due if self._waiting and not self._tried else float("inf")
