"""Follows partition 0 of the state topic for orders to pause and to resume, in every member.

A member does this also if it does not have the source's partition 0. It looks at keys only, so a record costs it a few
microseconds, and an idle topic two fetches a second.

Nothing is sent before the last order is known. But a silent partition is not waited for without end: if nothing was
heard of it for SILENT_SECONDS, what was known last holds (the order that an earlier process of this folder has read,
else that nobody has paused), and that is reported. So a partition 0 without a leader stops no member, and a pause that
is in force stays in force.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumer.kafka.client import is_fatal, reader_config
from consumer.ports.inbox import run_edge
from consumer.ports.inputs import PauseRead, Post
from consumer.state.pause_file import Followed, PauseFile
from consumer.state.pause_record import PAUSE_PARTITION, UnknownPauseRecord, decode_order, pause_key
from consumer.state.problems import Problems
from consumer.state.reader import OUT_OF_RANGE

if TYPE_CHECKING:
    from consumer.sequencing.pauses import PauseOrder
    from consumer.settings import Settings
    from consumer.state.topic import StateTopic

POLL_SECONDS: Final = 0.5
SLICE_RECORDS_MAX: Final = 1000
FETCH_WAIT_MS: Final = 500
"""How long the leader holds a fetch of an idle partition. A new record ends the wait; other questions to the leader
wait, too."""
QUEUED_KBYTES_MAX: Final = 4096
QUEUE_BACKOFF_MS: Final = 10
"""With librdkafka's default of 1 s, the queue stays empty after it was full: reading 300,000 records took 8.5 s
(measured)."""
SILENT_SECONDS: Final = 10.0
"""How long nothing may be heard of the partition before what was known last holds."""
CHECK_SECONDS: Final = 10.0
"""How often to ask the partition's leader for a sign of life, because an idle log gives none."""
ASK_SECONDS: Final = 2.0
FAR_FUTURE_MS: Final = 2**53


class PauseFollower:
    """Posts `PauseRead`: at once that the order is not known yet, then the last order, then each new one."""

    def __init__(self, settings: Settings, post: Post) -> None:
        self._settings = settings
        self._post = post
        self._key = pause_key(settings.kafka_group_id)
        self._problems = Problems(settings, post)
        self._followed = Followed(0, None)
        self._is_known = False
        self._told: PauseOrder | None = None
        self._is_read_whole = False
        """Whether all of the partition up to its end was read, so that the last order in it is the one in force."""
        self._end: float = float("inf")
        """Where the partition ended when that was asked; infinity: not known."""
        self._heard_at = 0.0
        self._error: KafkaError | None = None
        """The client's last error of its connections, since something was heard of the partition."""
        self._saved: Followed | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pause", daemon=True)

    def start(self, topic: StateTopic) -> None:
        """Start the thread."""
        self._file = PauseFile(self._settings.state_dir / self._settings.kafka_group_id, topic.identity)
        self._post(PauseRead(None, is_known=False))
        self._thread.start()

    def stop(self) -> None:
        """End the thread, without waiting for it."""
        self._stopping.set()

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        run_edge("pause", self._follow, self._post)

    def _follow(self) -> None:
        self._followed = self._file.read() or self._followed
        self._heard_at = time.monotonic()
        config = {
            **reader_config(self._settings),
            "client.rack": "",  # read from the leader, like all of the state
            "fetch.wait.max.ms": FETCH_WAIT_MS,
            "queued.max.messages.kbytes": QUEUED_KBYTES_MAX,
            "fetch.queue.backoff.ms": QUEUE_BACKOFF_MS,
            "error_cb": self._on_error,
        }
        consumer = Consumer(config, logger=logging.getLogger("librdkafka"))
        try:
            self._look_for_end(consumer)
            self._assign(consumer, self._followed.next_offset)
            check_at = self._heard_at + CHECK_SECONDS
            self._tell_if_new()
            while not self._stopping.is_set():
                self._turn(consumer)
                if (now := time.monotonic()) >= check_at:
                    check_at = now + CHECK_SECONDS
                    self._check(consumer, now)
        finally:
            consumer.close()

    def _look_for_end(self, consumer: Consumer) -> None:
        """Ask for the end before fetching: who has read all of it need not wait for a fetch that finds nothing."""
        where = TopicPartition(self._settings.state_topic, PAUSE_PARTITION)
        try:
            _, self._end = consumer.get_watermark_offsets(where, timeout=ASK_SECONDS)
        except KafkaException:
            return  # a fetch will find it
        if self._followed.next_offset > self._end:  # the topic was made again under the same id, or has lost its end
            self._followed = Followed(0, None)
        self._is_read_whole = self._followed.next_offset >= self._end

    def _assign(self, consumer: Consumer, offset: int) -> None:
        start = offset or OFFSET_BEGINNING
        consumer.assign([TopicPartition(self._settings.state_topic, PAUSE_PARTITION, start)])

    def _turn(self, consumer: Consumer) -> None:
        first = consumer.poll(POLL_SECONDS)
        messages = [] if first is None else [first, *consumer.consume(SLICE_RECORDS_MAX, 0)]
        for message in messages:
            self._take(consumer, message)
        self._tell_if_new()
        if not self._is_known and time.monotonic() - self._heard_at >= SILENT_SECONDS:
            self._problem(self._error or KafkaError(KafkaError._TIMED_OUT))
            self._tell()

    def _tell_if_new(self) -> None:
        if self._is_read_whole and not (self._is_known and self._told == self._followed.order):
            self._tell()

    def _tell(self) -> None:
        self._is_known, self._told = True, self._followed.order
        self._post(PauseRead(self._told))
        if self._is_read_whole:
            self._save()

    def _take(self, consumer: Consumer, message: Message) -> None:
        error = message.error()
        if error is None:
            self._heard()
            order = self._followed.order
            if message.key() == self._key:
                order = self._order_of(message)
            self._followed = Followed((message.offset() or 0) + 1, order)
            self._is_read_whole = self._is_read_whole or self._followed.next_offset >= self._end
        elif error.code() == KafkaError._PARTITION_EOF:
            self._heard()
            self._is_read_whole = True
            self._followed = self._followed._replace(next_offset=message.offset() or 0)
        elif is_fatal(error):
            raise KafkaException(error)
        elif error.code() in OUT_OF_RANGE:  # made again; until it is read, the order stays in force
            self._is_read_whole, self._end = False, float("inf")
            self._followed = Followed(0, None)
            self._assign(consumer, 0)
        else:
            self._problem(error)

    def _order_of(self, message: Message) -> PauseOrder | None:
        try:
            return decode_order(message.value())
        except UnknownPauseRecord as error:
            place = f"{self._settings.state_topic}-{PAUSE_PARTITION} at {message.offset()}"
            self._problems.report("unknown_record", f"{place}: an order to pause or to go on: {error}")
            return self._followed.order

    def _on_error(self, error: KafkaError) -> None:
        if is_fatal(error):
            raise KafkaException(error)
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # the error before it says why
            self._error = error

    def _heard(self) -> None:
        self._heard_at = time.monotonic()
        self._error = None
        self._problems.fixed("not_followed")

    def _problem(self, error: KafkaError) -> None:
        self._problems.report_once("not_followed", self._problems.of_topic(error, "Read"))

    def _check(self, consumer: Consumer, now: float) -> None:
        """Ask the leader for a sign of life, and save how far the partition was followed."""
        error: KafkaError | None
        try:  # any question to the leader will do: only that it answers matters
            where = TopicPartition(self._settings.state_topic, PAUSE_PARTITION, FAR_FUTURE_MS)
            [answer] = consumer.offsets_for_times([where], timeout=ASK_SECONDS)
            error = answer.error
        except KafkaException as problem:
            error = problem.args[0]
        if error is not None:
            if now - self._heard_at >= SILENT_SECONDS:
                self._problem(error)
            return
        if self._is_known:
            self._heard()
        if self._is_read_whole:
            self._save()

    def _save(self) -> None:
        if self._saved != self._followed:
            self._saved = self._followed
            self._file.write(self._followed)
