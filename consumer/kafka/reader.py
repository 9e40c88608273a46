"""Reads a topic from outside any group, for commands: its committed records, up to where it ended when asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, Self, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumer.kafka.client import (
    PASSING_ERRORS,
    REQUEST_SECONDS,
    KafkaUnavailable,
    headers_of,
    misconfigured,
    reader_config,
)
from consumer.kafka.contact import TELL_SECONDS, Contact, Tell
from consumer.kafka.patience import patiently
from consumer.kafka.rights import Right, explained, is_denied
from consumer.sequencing.events import Partition, Record

if TYPE_CHECKING:
    from consumer.settings import Settings

CONSUME_RECORDS: Final = 1000
CONSUME_SECONDS: Final = 0.02
FETCH_WAIT_MS: Final = 10
"""Before a reader can go to another place, the fetch at the old one has to end: with the default of 500 ms that took
half a second each time."""

T = TypeVar("T")


class Bounds(NamedTuple):
    """Where a partition begins and ends."""

    low: int
    """The first offset."""
    end: int
    """The offset after the last committed record."""


class TopicReader:
    """A consumer that joins no group and commits nothing; a context manager. Every call may raise KafkaUnavailable."""

    def __init__(
        self,
        settings: Settings,
        check: Callable[[], None],
        tell: Tell = lambda _line: None,
        *,
        group_operation: str = "Describe",
    ) -> None:
        """`check` is called again and again while it waits, and may raise to end that. `tell` gets signs of life.

        `group_operation`: what has to be allowed on the group; a member needs more than whoever only looks.
        Raises KafkaMisconfigured.
        """
        self._settings = settings
        self._check = check
        self._contact = Contact(settings, tell)
        self._group_right = Right(group_operation, "group", settings.kafka_group_id)
        try:
            # From leaders: a replica nearby may not have all records yet that are acknowledged.
            own = {"client.rack": "", "fetch.wait.max.ms": FETCH_WAIT_MS, "error_cb": self._contact.note}
            config = {**reader_config(settings), **own}
            self._consumer = Consumer(config, logger=logging.getLogger("librdkafka"))
        except KafkaException as error:
            raise misconfigured(settings, error) from None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        """Close the connections."""
        self._consumer.close()

    def partitions(self, topic: str) -> int:
        """How many partitions there are; 0 if there is no such topic, or this user may not see it."""
        known = self._contact.topics(self._consumer, self._check).get(topic)
        return 0 if known is None or known.error is not None else len(known.partitions)

    def bounds(self, topic: str, only: int | None = None) -> dict[int, Bounds]:
        """Where each partition begins, and where its committed records end.

        `only`: of this partition alone; then it does not matter if another one has no leader.
        """
        found = {}
        for number in range(self.partitions(topic)):
            if only not in (None, number):
                continue
            where = TopicPartition(topic, number)
            low, end = self._ask(topic, partial(self._consumer.get_watermark_offsets, where))
            found[number] = Bounds(low, end)
        return found

    def committed(self, topic: str, partitions: int) -> dict[int, int]:
        """Partition → the offset that the group has committed, where it has one."""
        return {number: offset for number, (offset, _) in self.commits(topic, partitions).items()}

    def commits(self, topic: str, partitions: int) -> dict[int, tuple[int, str | None]]:
        """Partition → the offset that the group has committed and its metadata, where it has one."""
        where = [TopicPartition(topic, number) for number in range(partitions)]
        known = self._ask("the group", partial(self._consumer.committed, where), self._check_group) if where else []
        for one in known:
            if one.error is not None:
                raise KafkaUnavailable(f"the offsets of {self._settings.kafka_group_id}: {one.error.str()}")
        return {one.partition: (one.offset, one.metadata) for one in known if one.offset >= 0}

    def offsets_at(self, topic: str, partitions: Iterable[int], at_ms: int) -> dict[int, int]:
        """Partition → the first offset whose record is of that time or later, where there is one.

        `at_ms`: milliseconds since the epoch.
        """
        where = [TopicPartition(topic, number, at_ms) for number in partitions]
        known = self._ask(topic, partial(self._consumer.offsets_for_times, where)) if where else []
        for one in known:
            if one.error is not None:
                raise KafkaUnavailable(f"{topic}: {self._explained(one.error, topic)}")
        return {one.partition: one.offset for one in known if one.offset >= 0}

    def cluster_id(self) -> str:
        """The cluster's id."""
        return str(self._ask("the cluster", self._consumer.list_topics).cluster_id)

    def first(self, topic: str, starts: Mapping[int, int]) -> dict[int, Record]:
        """Partition → its first record at or after the start, where there is one."""
        waiting = dict(starts)
        found: dict[int, Record] = {}
        for message in self._consume(topic, starts):
            number = message.partition() or 0
            if number in waiting:
                del waiting[number]
                if message.error() is None:
                    found[number] = _record(message)
            if not waiting:
                break
        return found

    def read(self, topic: str, stretches: Mapping[int, Bounds]) -> Iterator[Record]:
        """Yield the records of each partition from `low` to below `end`, in order within the partition."""
        open_ends = {number: bounds.end for number, bounds in stretches.items() if bounds.low < bounds.end}
        if not open_ends:
            return
        for message in self._consume(topic, {number: stretches[number].low for number in open_ends}):
            number, offset = message.partition() or 0, message.offset() or 0
            end = open_ends.get(number)
            if end is None:
                continue
            if message.error() is None and offset < end:
                yield _record(message)
            if message.error() is not None or offset >= end - 1:
                # The end of its records, or of what was asked for: only markers of transactions are left.
                del open_ends[number]
                if not open_ends:
                    return

    def _consume(self, topic: str, starts: Mapping[int, int]) -> Iterator[Message]:
        """Yield messages for ever, and one with the error _PARTITION_EOF at each partition's end."""
        self._consumer.assign([TopicPartition(topic, number, start) for number, start in starts.items()])
        silent_seconds = 0.0
        self._contact.begin()
        while True:
            self._check()
            is_silent = True
            for message in self._consumer.consume(CONSUME_RECORDS, CONSUME_SECONDS):
                error = message.error()
                if error is None or error.code() == KafkaError._PARTITION_EOF:
                    is_silent = False
                    yield message
                elif not error.retriable() and error.code() not in PASSING_ERRORS:
                    raise KafkaUnavailable(f"{topic}: {self._explained(error, topic)}")
            silent_seconds = silent_seconds + CONSUME_SECONDS if is_silent else 0.0
            if not is_silent:
                self._contact.begin()
            self._contact.wait(topic)
            if silent_seconds >= self._settings.startup_timeout_seconds:
                raise KafkaUnavailable(
                    f"{topic}: nothing could be read for {self._settings.startup_timeout_seconds:g} s "
                    "(CUSTOMFIT_STARTUP_TIMEOUT_SECONDS)"
                )

    def _check_group(self) -> None:
        """Raise if we may not see the group: the client only times out, and says so in a message (librdkafka 2.16)."""
        message = self._consumer.poll(0)
        if message is not None and (error := message.error()) is not None and is_denied(error):
            name = self._settings.kafka_group_id
            raise KafkaUnavailable(f"group {name!r} (CUSTOMFIT_KAFKA_GROUP_ID): {self._explained(error, '')}")

    def _explained(self, error: KafkaError, topic: str) -> str:
        """The error, with what we lack. Who reads a topic asks for the group, too, since the client bears its name."""
        if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            return explained(self._settings, error, self._group_right)
        return explained(self._settings, error, Right("Read", "topic", topic))

    def _ask(self, what: str, ask: Callable[..., T], also: Callable[[], None] = lambda: None) -> T:
        """What `ask` answers. While it does not, people are shown signs of life. `also` may raise to end that."""

        def may_go_on(error: object) -> bool:
            self._check()
            also()
            self._contact.wait(what)
            return isinstance(error, KafkaException) and error.args[0].code() in PASSING_ERRORS

        self._contact.begin()
        try:
            return patiently(lambda seconds: ask(timeout=min(seconds, TELL_SECONDS)), REQUEST_SECONDS, may_go_on)
        except KafkaException as error:
            self._unavailable(what, error)

    def _unavailable(self, what: str, error: KafkaException) -> NoReturn:
        raise KafkaUnavailable(
            f"{what} did not answer at {self._settings.kafka_bootstrap_servers} "
            f"(CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS): {error.args[0].str()}"
        ) from None


def _record(message: Message) -> Record:
    return Record(
        Partition(message.topic() or "", message.partition() or 0),
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
        headers_of(message),
    )
