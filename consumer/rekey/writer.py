"""The transactional producer: what is written and which offsets are committed, both or neither.

What makes that each record is written once, however the process ends:

    a transaction holds the records and the offsets behind them, and readers see only what is committed
    the group takes offsets of its own members in their own generation alone: who has lost a partition commits nothing
    the transactional id is the same after a restart (`instance`), so what was left open is ended at once; another
    process with that id ends this one

What the client says of a failure (librdkafka): ask again (retriable), abort and write again (requires abort), or this
producer will never work again (fatal). A commit that was not answered is asked for until it is: to abort it and write
again could write twice. If nothing answers, all is given up, and the group's offsets tell the next start what came of
it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from consumer.kafka.client import (
    FENCED_ERRORS,
    KafkaUnavailable,
    is_fatal,
    misconfigured,
    producer_config,
    transaction_error,
)
from consumer.kafka.patience import patiently
from consumer.kafka.rights import Right, explained
from consumer.rekey.rewriting import Unit
from consumer.sequencing.events import Partition

if TYPE_CHECKING:
    from consumer.settings import Settings

TRANSACTION_SECONDS: Final = 0.06
"""Records are given to the client for so long; what follows, flush and commit, keeps a transaction below 100 ms."""
TRANSACTION_TIMEOUT_MS: Final = 15_000
"""What a dead process has left open under an id that does not come back is ended by the broker after this."""
MESSAGE_TIMEOUT_MS: Final = 10_000
ASK_SECONDS: Final = 2.0
"""For one question; in between it is looked whether the process is to stop."""
SETTLE_SECONDS_MAX: Final = 60.0
"""Then an answer is no longer waited for. Far below max.poll.interval, as nothing is polled meanwhile."""
LOOK_AT_CLOCK: Final = 50


class Fenced(Exception):
    """Another process has started with the same transactional id, or this one stood still for too long."""


class WriterLost(Exception):
    """This producer will not work again, or nobody says what became of its transaction."""


class Aborted(Exception):
    """Nothing of the transaction is written; the same may be written again."""

    def __init__(self, error: KafkaError) -> None:
        super().__init__(error.str())
        self.error = error


class Writer:
    """Writes units, each with the offset behind it. One thread uses it: that of the consumer."""

    def __init__(self, settings: Settings, target: str, transactional_id: str, check: Callable[[], None]) -> None:
        """`check` is called between questions, and may raise."""
        self._settings = settings
        self._target = target
        self._id = transactional_id
        self._check = check
        self._refused: KafkaError | None = None
        self._write_right = Right("Write", "topic", target)
        self._right = self._write_right
        """On a topic, that was needed when something failed last."""
        config: dict[str, Any] = {
            **producer_config(settings),
            "transactional.id": transactional_id,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "message.timeout.ms": MESSAGE_TIMEOUT_MS,
            "delivery.report.only.error": True,
            "on_delivery": self._on_delivery,
        }
        try:
            self._producer = Producer(config, logger=logging.getLogger("librdkafka"))
        except KafkaException as error:
            raise misconfigured(settings, error) from None

    def open(self) -> None:
        """End what was left open under this id. Raises KafkaUnavailable."""

        def may_go_on(problem: Exception) -> bool:
            self._check()
            return isinstance(problem, KafkaException) and bool(problem.args[0].retriable())

        ask = self._producer.init_transactions
        try:
            patiently(lambda s: ask(min(s, ASK_SECONDS)), self._settings.startup_timeout_seconds, may_go_on)
        except KafkaException as error:
            raise KafkaUnavailable(self.explained(error.args[0])) from None

    def write(self, units: Sequence[Unit], metadata: Mapping[Partition, str], group: object) -> int:
        """Write as many as fit into one transaction; gives how many. `metadata`: of each partition's offset.

        Raises Aborted, Fenced, WriterLost.
        """
        self._refused = None
        self._right = self._write_right
        count = 0
        try:
            self._producer.begin_transaction()
            count = self._produce(units)
            offsets: dict[Partition, int] = {}
            for unit in units[:count]:
                offsets[unit.record.partition] = unit.record.offset + 1
            points = [TopicPartition(*p, offset, metadata.get(p, "")) for p, offset in sorted(offsets.items())]
            self._right = Right("Read", "topic", self._settings.kafka_topic)
            self._settle(partial(self._producer.send_offsets_to_transaction, points, group), may_end=True)
            self._right = self._write_right
            self._settle(self._producer.commit_transaction)
        except (KafkaException, SystemError) as problem:
            self._abort(transaction_error(problem))
        return count

    def explained(self, error: KafkaError) -> str:
        """The error, for people; with the right that is missing, if that is the cause."""
        code = error.code()
        if code == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            return explained(self._settings, error, Right("Write", "transactional-id", self._id))
        if code == KafkaError.GROUP_AUTHORIZATION_FAILED:
            return explained(self._settings, error, Right("Read", "group", self._settings.kafka_group_id))
        if code == KafkaError.MSG_SIZE_TOO_LARGE:
            return (
                f"{self._target} does not take a record of its source: {error.str()}; raise its max.message.bytes to "
                "that of the source and 65536 more"
            )
        return f"{self._right.name}: {explained(self._settings, error, self._right)}"

    def close(self) -> None:
        """Let go of what is not on its way."""
        self._producer.purge()
        with suppress(KafkaException):  # one that has ended says so once more
            self._producer.poll(0)

    def _produce(self, units: Sequence[Unit]) -> int:
        ends_at = time.monotonic() + TRANSACTION_SECONDS
        produce = self._producer.produce
        given = 0
        for count, unit in enumerate(units):
            if given >= LOOK_AT_CLOCK:
                given = 0
                self._producer.poll(0)
                if time.monotonic() >= ends_at:
                    return count
            for one in unit.written:
                give = partial(
                    produce,
                    self._target,
                    one.value,
                    one.key,
                    one.partition,
                    timestamp=one.timestamp_ms,
                    headers=cast("list[tuple[str, str | bytes | None]]", one.headers),
                )
                while True:
                    try:
                        give()
                    except BufferError:
                        self._producer.poll(0.05)
                    else:
                        break
            given += len(unit.written)
        return len(units)

    def _on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None and self._refused is None and error.code() != KafkaError._PURGE_QUEUE:
            self._refused = error

    def _settle(self, ask: Callable[[float], object], *, may_end: bool = False) -> None:
        """Ask again while the client says that this may help: otherwise the outcome is not known.

        `may_end`: the transaction may still be aborted, so after a while the error is raised. Else it is WriterLost.
        """
        deadline = time.monotonic() + (MESSAGE_TIMEOUT_MS / 1000 if may_end else SETTLE_SECONDS_MAX)

        def may_go_on(problem: Exception) -> bool:
            is_retriable = isinstance(problem, KafkaException) and bool(problem.args[0].retriable())
            if is_retriable and not may_end and time.monotonic() >= deadline:
                raise WriterLost(f"nobody says what became of a transaction: {problem.args[0].str()}")
            if is_retriable:
                self._check()
            return is_retriable

        patiently(lambda s: ask(min(s, ASK_SECONDS)), deadline - time.monotonic(), may_go_on)

    def _abort(self, error: KafkaError) -> None:
        self._raise_if_lost(error)
        try:
            self._settle(self._producer.abort_transaction)
        except (KafkaException, SystemError) as problem:
            worse = transaction_error(problem)
            self._raise_if_lost(worse)
            raise WriterLost(f"a transaction can't be aborted: {self.explained(worse)}") from None
        if self._refused is not None:
            self._right = self._write_right
        raise Aborted(self._refused or error)

    def _raise_if_lost(self, error: KafkaError) -> None:
        if error.code() in FENCED_ERRORS or "fenced" in error.str().lower():
            raise Fenced(error.str())
        if is_fatal(error):
            raise WriterLost(self.explained(error))
