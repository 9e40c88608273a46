"""Sends records to a topic, for a command: what was acknowledged, what was not taken, and why."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from consumer.cli.exits import fail, tell
from consumer.cli.interrupts import Interrupts
from consumer.cli.lines import LINE_BYTES_MAX, KeyedValue
from consumer.exit_codes import EXIT_ERROR, EXIT_SETTINGS, EXIT_UNAVAILABLE

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

    from consumer.settings import Settings

INTERRUPTED_FLUSH_SECONDS: Final = 5.0
POLL_EVERY: Final = 256
REASONS_MAX: Final = 5


class Sender:
    """A producer that counts what was acknowledged by all in-sync replicas, and what was not taken."""

    def __init__(self, settings: Settings) -> None:
        from confluent_kafka import KafkaException, Producer

        from consumer.kafka.client import misconfigured, producer_config
        from consumer.kafka.contact import Contact

        self.acknowledged = 0
        self.failed = 0
        self.last: tuple[int, int] | None = None
        """Partition and offset of the last acknowledged record."""
        self.reasons: Counter[str] = Counter()
        self.is_denied = False
        """Whether anything was not taken because a right is missing."""
        self.interrupts = Interrupts()
        self._settings = settings
        self._contact = Contact(settings, tell)
        config = {
            **producer_config(settings),
            "queue.buffering.max.kbytes": 2 * LINE_BYTES_MAX // 1024,  # otherwise the longest line would wait for ever
            "partitioner": "murmur2_random",  # as in Java, so a user's events meet those of other producers
            "error_cb": self._contact.note,
        }
        try:
            self._producer = Producer(config, logger=_silent_logger())
        except KafkaException as error:
            fail(str(misconfigured(settings, error)), EXIT_SETTINGS)

    def check_topic(self) -> None:
        """Wait for a broker, and look for the topic. Exit code 69 without them."""
        from consumer.kafka.client import KafkaUnavailable
        from consumer.settings.kafka_tools import tool

        settings = self._settings
        servers = settings.kafka_bootstrap_servers
        try:
            with self.interrupts.put_off():
                topics = self._contact.topics(self._producer, self.interrupts.check)
        except KafkaUnavailable as error:
            fail(str(error), EXIT_UNAVAILABLE)
        topic = topics.get(settings.kafka_topic)
        if topic is None or topic.error is not None:
            fail(
                f"there is no topic {settings.kafka_topic!r} at {servers}, or this user may not see it; is "
                f"{settings.origin('kafka_topic')} right? If so, create it, for example with: "
                f"{tool(settings, 'kafka-topics.sh')} --create --topic {settings.kafka_topic} --partitions 6",
                EXIT_UNAVAILABLE,
            )

    def send(self, records: Iterable[KeyedValue], rate: float, advance: Callable[[int], None]) -> bool:
        """Send all, and wait for all. `advance` hears how many are done. True: the user interrupted it."""
        started = time.monotonic()
        try:
            for number, (record_key, value) in enumerate(records):
                if rate:
                    self._wait_until(started + number / rate)
                self._produce(record_key, value)
                if rate or number % POLL_EVERY == 0:
                    self._poll(0)
                    advance(self.acknowledged + self.failed)
            while len(self._producer):  # ends: librdkafka gives up a message after message.timeout.ms
                self._poll(0.1)
                advance(self.acknowledged + self.failed)
        except KeyboardInterrupt:
            with self.interrupts.put_off():
                self._producer.flush(INTERRUPTED_FLUSH_SECONDS)
            return True
        return False

    def why(self) -> tuple[str, int]:
        """Why records were not taken, and the exit code that says so."""
        counted = (
            reason if count == self.failed else f"{count} of them: {reason}" for reason, count in self.reasons.items()
        )
        return "; ".join(counted), EXIT_UNAVAILABLE if self.is_denied else EXIT_ERROR

    def _wait_until(self, moment: float) -> None:
        while (seconds := moment - time.monotonic()) > 0:
            self._poll(min(seconds, 0.1))

    def _poll(self, seconds: float) -> None:
        with self.interrupts.put_off():
            self._producer.poll(seconds)
        self.interrupts.check()

    def _produce(self, record_key: bytes | None, value: bytes) -> None:
        from confluent_kafka import KafkaException

        topic = self._settings.kafka_topic
        while True:
            try:
                self._producer.produce(topic, value=value, key=record_key, on_delivery=self._delivered)
                return
            except BufferError:  # 100,000 messages wait
                self._poll(0.1)
            except KafkaException as error:
                self._count_failed(error.args[0])
                return

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.acknowledged += 1
            self.last = (message.partition() or 0, message.offset() or 0)
        else:
            self._count_failed(error)

    def _count_failed(self, error: KafkaError) -> None:
        from consumer.kafka.rights import Right, explained, is_denied

        self.failed += 1
        self.is_denied = self.is_denied or is_denied(error)
        reason = explained(self._settings, error, Right("Write", "topic", self._settings.kafka_topic))
        if reason in self.reasons or len(self.reasons) < REASONS_MAX:
            self.reasons[reason] += 1


def _silent_logger() -> logging.Logger:
    """What librdkafka logs says the same as our message, many times over."""
    logger = logging.getLogger("consumer.produce")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger
