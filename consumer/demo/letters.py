"""The dead letters of the demo's topic, read as they come."""

from __future__ import annotations

import time
from typing import Final, NamedTuple, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from consumer.sequencing.dead_letter_headers import MESSAGE, REASON


class FoundLetter(NamedTuple):
    """A record of the dead-letter topic."""

    partition: int
    offset: int
    value: bytes
    reason: str
    message: str


POLL_SECONDS: Final = 0.5


class LetterReader:
    """Reads the topic once, from its beginning, in pieces."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        properties = {"bootstrap.servers": bootstrap_servers, "group.id": "demo-reader", "enable.auto.commit": False}
        self._consumer = Consumer(properties)
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])

    def read(self, count: int, seconds_max: float) -> list[FoundLetter]:
        """The next `count`; fewer if there are no more within that time."""
        letters: list[FoundLetter] = []
        deadline = time.monotonic() + seconds_max
        while len(letters) < count and time.monotonic() < deadline:
            found = self.next(POLL_SECONDS)
            if found is not None:
                letters.append(found)
        return letters

    def next(self, seconds_max: float) -> FoundLetter | None:
        """The next one, or None if there is none within that time."""
        message = self._consumer.poll(seconds_max)
        if message is None or message.error() is not None:
            return None
        said = dict(message.headers() or [])
        reason, detail = (cast("bytes", said.get(name, b"")).decode(errors="replace") for name in (REASON, MESSAGE))
        return FoundLetter(message.partition() or 0, message.offset() or 0, message.value() or b"", reason, detail)

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()
