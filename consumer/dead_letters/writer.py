"""The dead-letter edge: a producer with a thread of its own.

A dead letter is never dropped: it is tried until it is acknowledged by all in-sync replicas, and until then its offset
is not committed.

Headers are those of Kafka Connect (strings), so that tools which read its dead letters read ours, and `customfit.*`.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Final, cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from consumer.kafka.client import is_fatal, producer_config
from consumer.kafka.rights import Right, explained
from consumer.ports.inbox import run_edge
from consumer.ports.inputs import DeadLettered, DeadLetterFailed, Post
from consumer.sequencing.actions import WriteDeadLetter
from consumer.sequencing.dead_letter_headers import (
    BATCH_INDEX,
    FAILED_AT,
    MESSAGE,
    OFFSET,
    PARTITION,
    REASON,
    REPLAYS,
    STATUS,
    TIMESTAMP,
    TOPIC,
    VALUE_OMITTED,
    carried,
    origin_of,
)
from consumer.sequencing.events import DeadLetterReason, Headers, Record

if TYPE_CHECKING:
    from consumer.settings import Settings

RETRY_SECONDS: Final = 1.0
POLL_SECONDS: Final = 0.05
EXCEPTION_CLASSES: Final = {
    DeadLetterReason.UNDECODABLE: "consumer.Undecodable",
    DeadLetterReason.INVALID_EVENT: "consumer.InvalidEvent",
    DeadLetterReason.TOO_LARGE: "consumer.TooLarge",
    DeadLetterReason.REFUSED: "consumer.Refused",
    DeadLetterReason.UNIDENTIFIED: "consumer.Unidentified",
    DeadLetterReason.GAVE_UP: "consumer.GaveUp",
}
DETAIL_CHARACTERS_MAX: Final = 500
RECORD_BYTES_MAX: Final = 100_000_000
"""A broker closes the connection on a request above socket.request.max.bytes (104,857,600) instead of refusing it, so
that a larger record would be tried for ever: a compressed batch of 1 MB can hold one."""
ABOUT_THE_RECORD: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.INVALID_MSG,
    }
)
"""What the topic will never take, however often it is tried."""


class Shape(Enum):
    """How much of the record goes along: less when the topic refuses it, so that it never blocks its partition."""

    WHOLE = "whole"
    ALONE = "alone"
    """Whole, in a batch of its own: the broker refuses a batch as a whole, the small ones beside a large one too."""
    VALUELESS = "valueless"
    BARE = "bare"
    """Only our own headers: where it was, and why it is here."""


NEXT_SHAPE: Final = {Shape.WHOLE: Shape.ALONE, Shape.ALONE: Shape.VALUELESS, Shape.VALUELESS: Shape.BARE}

log = logging.getLogger("consumer.dead_letters")


def dead_letter_headers(
    action: WriteDeadLetter, failed_at: float, replay_topic: str, *, with_own: bool = True
) -> Headers:
    """The record's own headers, unchanged, and why it is here. Appended: a reader takes the last of a name.

    Of a replayed record: those it had before it was a dead letter, and where it lay at first.
    """
    origin = origin_of(action.record, replay_topic)
    own, replays = carried(action.record, replay_topic)
    ours = {
        TOPIC: origin.partition.topic,  # the first: what is behind it is ours
        PARTITION: str(origin.partition.number),
        OFFSET: str(origin.offset),
        "__connect.errors.exception.class.name": EXCEPTION_CLASSES[action.reason],
        MESSAGE: action.detail[:DETAIL_CHARACTERS_MAX],
        REASON: action.reason.value,
        "customfit.attempts": str(action.attempts),
        FAILED_AT: _iso(failed_at),
    }
    if origin.timestamp_ms >= 0:
        ours[TIMESTAMP] = str(origin.timestamp_ms)
    if origin.batch_index is not None:
        ours[BATCH_INDEX] = str(origin.batch_index)
    if replays:
        ours[REPLAYS] = str(replays)
    headers: Headers = [*(own if with_own else []), *((name, text.encode()) for name, text in ours.items())]
    if action.status is not None:
        headers.append((STATUS, str(action.status).encode()))
        headers.append(("customfit.http.body", action.body))
    return headers


def _iso(seconds: float) -> str:
    moment = time.gmtime(seconds)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', moment)}.{int(seconds % 1 * 1000):03d}Z"


class DeadLetters:
    """Writes dead letters, each to the partition of its own number where the topic has so many."""

    def __init__(self, settings: Settings, post: Post) -> None:
        self._settings = settings
        self._post = post
        self._requests: queue.SimpleQueue[WriteDeadLetter | None] = queue.SimpleQueue()
        self._again: list[tuple[WriteDeadLetter, Shape]] = []
        self._again_at = 0.0
        self._alone: deque[tuple[WriteDeadLetter, Shape]] = deque()
        """What the topic did not take, in the shape that comes next: each goes when nothing else is under way."""
        self._one_is_alone = False
        self._partitions: int | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="dead-letters", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._producer = Producer(producer_config(self._settings), logger=logging.getLogger("librdkafka"))
        self._thread.start()

    def dead_letter(self, action: WriteDeadLetter) -> None:
        """Write one dead letter; `DeadLettered` follows, after any number of `DeadLetterFailed`."""
        self._requests.put(action)

    def stop(self) -> None:
        """End the thread; what is not acknowledged by now is read again after the next start."""
        self._stopping = True
        self._requests.put(None)
        self._thread.join(timeout=10)

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        run_edge("dead-letters", self._work, self._post)

    def _work(self) -> None:
        while not self._stopping:
            is_careful = bool(self._alone) or self._one_is_alone
            self._producer.poll(POLL_SECONDS if is_careful else 0)
            if is_careful:
                self._produce_alone()
                continue
            waiting = len(self._producer) > 0
            try:
                request = self._requests.get(timeout=POLL_SECONDS if waiting or self._again else 1.0)
                if request is not None:
                    self._produce(request, self._first_shape(request.record))
            except queue.Empty:
                pass
            if self._again and time.monotonic() >= self._again_at:
                again, self._again = self._again, []
                self._alone += [(action, shape) for action, shape in again if shape is not Shape.WHOLE]
                for action, shape in again:
                    if shape is Shape.WHOLE:
                        self._produce(action, shape)
        self._producer.purge()
        self._producer.poll(0)

    def _first_shape(self, record: Record) -> Shape:
        around = len(record.key or b"") + sum(len(value or b"") for _, value in record.headers or ())
        size = around + len(record.value or b"")
        if size <= RECORD_BYTES_MAX:
            return Shape.WHOLE
        detail = f"{self._settings.dead_letter_topic}: {size} bytes are more than a broker takes"
        self._post(DeadLetterFailed("value_omitted", detail))
        return Shape.VALUELESS if around <= RECORD_BYTES_MAX else Shape.BARE

    def _produce_alone(self) -> None:
        self._one_is_alone = len(self._producer) > 0 and self._one_is_alone
        if self._alone and len(self._producer) == 0:
            self._one_is_alone = True
            self._produce(*self._alone.popleft())

    def _produce(self, action: WriteDeadLetter, shape: Shape) -> None:
        record = action.record
        origin = origin_of(record, self._settings.replay_topic)
        headers = dead_letter_headers(
            action, time.time(), self._settings.replay_topic, with_own=shape is not Shape.BARE
        )
        is_whole = shape in (Shape.WHOLE, Shape.ALONE)
        if not is_whole and record.value is not None:
            headers.append((VALUE_OMITTED, str(len(record.value)).encode()))

        def on_delivery(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                self._post(DeadLettered(action))
            else:
                self._failed(action, error, shape)

        try:
            self._producer.produce(
                self._settings.dead_letter_topic,
                value=record.value if is_whole else None,
                key=None if shape is Shape.BARE else record.key,
                partition=origin.partition.number % self._partition_count(),
                timestamp=0 if shape is Shape.BARE else max(origin.timestamp_ms, 0),
                headers=cast("list[tuple[str, str | bytes | None]]", headers),
                on_delivery=on_delivery,
            )
        except BufferError:
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
                self._post(DeadLetterFailed("value_omitted", f"{self._settings.dead_letter_topic}: {error.str()}"))
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
