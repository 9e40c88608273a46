"""The dead-letter edge: a producer with a thread of its own.

A dead letter is never dropped: it is tried until all in-sync replicas have acknowledged it. Until then its offset is
not committed.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Final, cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from consumer.dead_letters.letter import (
    NEXT_SHAPE,
    Mask,
    Shape,
    first_shape,
    letter_of,
    value_bytes,
)
from consumer.kafka.client import is_fatal, letters_config
from consumer.kafka.rights import Right, explained
from consumer.ports.inbox import run_edge
from consumer.ports.inputs import DeadLettered, DeadLetterFailed, Post
from consumer.sequencing.actions import WriteDeadLetter

if TYPE_CHECKING:
    from consumer.sequencing.events import Partition, Record
    from consumer.settings import Settings

RETRY_SECONDS: Final = 1.0
POLL_SECONDS: Final = 0.05
IDLE_SECONDS: Final = 1.0
ON_ITS_WAY_BYTES_MAX: Final = 16 * 1024 * 1024
PARTITION_BYTES_MAX: Final = ON_ITS_WAY_BYTES_MAX // 4
"""Most bytes that the client has and no broker has acknowledged: in all, and for one partition.

One letter of each partition may always be on its way.
"""
ABOUT_THE_RECORD: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.INVALID_MSG,
    }
)
"""Errors that are about the record: the topic will never take it, however often it is tried."""


log = logging.getLogger("consumer.dead_letters")


class DeadLetters:
    """Writes each dead letter to the partition with its record's number, if the topic has one."""

    def __init__(self, settings: Settings, post: Post, mask: Mask = lambda text: text) -> None:
        """`mask` removes secrets from what servers say of a record."""
        self._settings = settings
        self._post = post
        self._mask = mask
        self._requests: queue.SimpleQueue[WriteDeadLetter | None] = queue.SimpleQueue()
        self._again: list[tuple[WriteDeadLetter, Shape]] = []
        self._again_at = 0.0
        self._alone: deque[tuple[WriteDeadLetter, Shape]] = deque()
        """What the topic did not take, in its next shape. Each goes when nothing else is under way."""
        self._one_is_alone = False
        self._waiting: dict[Partition, deque[tuple[WriteDeadLetter, Shape]]] = {}
        """What there is no room for yet."""
        self._on_its_way_bytes: Counter[Partition] = Counter()
        """Bytes of letters that the client has and nobody has acknowledged."""
        self._partitions: int | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="dead-letters", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._producer = Producer(letters_config(self._settings), logger=logging.getLogger("librdkafka"))
        self._thread.start()

    def dead_letter(self, action: WriteDeadLetter) -> None:
        """Write one dead letter; `DeadLettered` follows, after any number of `DeadLetterFailed`."""
        self._requests.put(action)

    def stop(self) -> None:
        """End the thread. What is not acknowledged by now is read again after the next start."""
        self._stopping = True
        self._requests.put(None)
        self._thread.join(timeout=10)

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        run_edge("dead-letters", self._work, self._post)

    def _work(self) -> None:
        while not self._stopping:
            if self._alone or self._one_is_alone:
                self._producer.poll(POLL_SECONDS)
                self._produce_alone()
                continue
            self._producer.poll(POLL_SECONDS if self._waiting else 0)
            self._take_requests()
            if self._again and time.monotonic() >= self._again_at:
                again, self._again = self._again, []
                self._alone += [(action, shape) for action, shape in again if shape is not Shape.WHOLE]
                for action, shape in again:
                    if shape is Shape.WHOLE:
                        self._wait(action, shape)
            self._produce_waiting()
        self._producer.purge()
        self._producer.poll(0)

    def _take_requests(self) -> None:
        """All there are. If there is nothing else to do, wait for the next."""
        is_busy = len(self._producer) > 0 or bool(self._again)
        timeout_seconds = 0 if self._waiting else POLL_SECONDS if is_busy else IDLE_SECONDS
        try:
            request = self._requests.get(timeout=timeout_seconds) if timeout_seconds else self._requests.get_nowait()
            while True:
                if request is not None:
                    self._wait(request, self._first_shape(request.record))
                request = self._requests.get_nowait()
        except queue.Empty:
            pass

    def _wait(self, action: WriteDeadLetter, shape: Shape) -> None:
        self._waiting.setdefault(action.record.partition, deque()).append((action, shape))

    def _produce_waiting(self) -> None:
        """Give the client what it has room for. A partition that nobody acknowledges keeps no other one from writing.

        One letter of each may always be on its way, since one may be larger than all that a partition may have.
        """
        for partition, letters in list(self._waiting.items()):
            while letters and not self._stopping:
                on_its_way = self._on_its_way_bytes[partition]
                is_full = self._on_its_way_bytes.total() >= ON_ITS_WAY_BYTES_MAX
                if on_its_way and (is_full or on_its_way >= PARTITION_BYTES_MAX):
                    break
                self._produce(*letters.popleft())
            if not letters:
                del self._waiting[partition]

    def _first_shape(self, record: Record) -> Shape:
        shape = first_shape(record)
        if shape is not Shape.WHOLE:
            size = f"{value_bytes(record)} bytes and what is around them are more than a broker takes"
            self._post(DeadLetterFailed("value_omitted", f"{self._settings.dead_letter_topic}: {size}", record))
        return shape

    def _produce_alone(self) -> None:
        self._one_is_alone = len(self._producer) > 0 and self._one_is_alone
        if self._alone and len(self._producer) == 0:
            self._one_is_alone = True
            self._produce(*self._alone.popleft())

    def _produce(self, action: WriteDeadLetter, shape: Shape) -> None:
        """Give it to the client, which keeps a copy. It is made no sooner, so what waits costs the record alone."""
        settings = self._settings
        made = letter_of(action, shape, time.time(), settings.replay_topic, self._mask, rekeyed=settings.rekeyed)
        partition, size_bytes = action.record.partition, made.size_bytes

        def on_delivery(error: KafkaError | None, _message: Message) -> None:
            self._on_its_way_bytes[partition] -= size_bytes
            if not self._on_its_way_bytes[partition]:
                del self._on_its_way_bytes[partition]
            if error is None:
                self._post(DeadLettered(action))
            else:
                self._failed(action, error, shape)

        try:
            self._producer.produce(
                self._settings.dead_letter_topic,
                value=made.value,
                key=made.key,
                partition=made.origin.partition.number % self._partition_count(),
                timestamp=made.timestamp_ms,
                headers=cast("list[tuple[str, str | bytes | None]]", made.headers),
                on_delivery=on_delivery,
            )
            self._on_its_way_bytes[partition] += size_bytes
        except BufferError:  # the client has 100,000 of them
            self._later(action, shape)
        except KafkaException as problem:
            self._failed(action, problem.args[0], shape)

    def _failed(self, action: WriteDeadLetter, error: KafkaError, shape: Shape) -> None:
        if self._stopping:
            return
        if is_fatal(error):
            raise KafkaException(error)  # this producer will never work again: end, and be started again
        self._partitions = None  # the topic may have been made again
        if error.code() in ABOUT_THE_RECORD and shape is not Shape.BARE:
            if shape is not Shape.WHOLE:
                text = f"{self._settings.dead_letter_topic}: {error.str()}"
                self._post(DeadLetterFailed("value_omitted", text, action.record))
            # Not produced from here: this may be a callback, and list_topics inside one aborts the process (2.16.1).
            self._alone.append((action, NEXT_SHAPE[shape]))
            return
        topic = self._settings.dead_letter_topic
        said = explained(self._settings, error, Right("Write", "topic", topic))
        self._post(DeadLetterFailed("not_written", f"{topic}: {said}"))
        self._later(action, shape)

    def _later(self, action: WriteDeadLetter, shape: Shape) -> None:
        self._again.append((action, shape))
        self._again_at = time.monotonic() + RETRY_SECONDS

    def _partition_count(self) -> int:
        if self._partitions is None:
            name = self._settings.dead_letter_topic
            topic = self._producer.list_topics(name, timeout=5).topics[name]
            if topic.error is not None or not topic.partitions:
                raise KafkaException(topic.error or KafkaError(KafkaError._UNKNOWN_TOPIC))
            self._partitions = len(topic.partitions)
        return self._partitions
