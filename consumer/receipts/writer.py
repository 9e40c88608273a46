"""The receipt edge: a producer with a thread of its own.

A receipt is tried until all in-sync replicas have it. Until then, the offsets of its records are not committed. No more
receipts are under way than events may be uncommitted. When their partition has gone to another member, nobody waits for
them, and they are not tried again: the partition's next owner sends its events again, and writes their receipts.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from consumer.kafka.client import is_fatal, producer_config
from consumer.kafka.rights import Right, explained
from consumer.ports.inbox import run_edge
from consumer.ports.inputs import Post, Receipted, ReceiptFailed
from consumer.receipts.receipt import beginning_of, encode_receipt, receipt_of, without_insert_ids
from consumer.sequencing.actions import WriteReceipt
from consumer.sequencing.assignment import Assignment

if TYPE_CHECKING:
    from consumer.settings import Settings

RETRY_SECONDS: Final = 1.0
POLL_SECONDS: Final = 0.005
"""While some are under way. The commit of what waits for them is later by this much."""
IDLE_SECONDS: Final = 1.0
TOO_LARGE: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE})


class _Waiting:
    """A receipt on its way."""

    __slots__ = ("action", "assignment", "value")

    def __init__(self, assignment: Assignment, value: bytes, action: WriteReceipt | None = None) -> None:
        self.assignment = assignment
        self.value = value
        self.action = action
        """None: it only says from where on there are receipts, and nobody waits for it."""


class Receipts:
    """Writes each receipt to the partition with its records' number, if the topic has one."""

    def __init__(self, settings: Settings, post: Post) -> None:
        assert settings.receipt_topic is not None
        self._settings = settings
        self._topic = settings.receipt_topic
        self._post = post
        self._requests: queue.SimpleQueue[Sequence[WriteReceipt] | Assignment | None] = queue.SimpleQueue()
        self._waiting: deque[_Waiting] = deque()
        """What the client does not have yet."""
        self._again: list[_Waiting] = []
        self._again_at = 0.0
        self._acknowledged: list[WriteReceipt] = []
        self._problem: str | None = None
        self._partitions: int | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="receipts", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        config = {"compression.type": "lz4", **producer_config(self._settings)}
        self._producer = Producer(config, logger=logging.getLogger("librdkafka"))
        self._thread.start()

    def begin(self, assignment: Assignment) -> None:
        """Write from which offset on everything that is finished has a receipt."""
        self._requests.put(assignment)

    def write(self, actions: Sequence[WriteReceipt]) -> None:
        """Write receipts. `Receipted` follows for each, after any number of `ReceiptFailed`."""
        self._requests.put(actions)

    def stop(self) -> None:
        """End the thread. What is not acknowledged by now is sent again after the next start."""
        self._stopping = True
        self._requests.put(None)
        self._thread.join(timeout=10)

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        run_edge("receipts", self._work, self._post)

    def _work(self) -> None:
        while not self._stopping:
            self._take_requests()
            if self._again and time.monotonic() >= self._again_at:
                self._try_again()
            self._produce_waiting()
            self._producer.poll(POLL_SECONDS if self._waiting else 0)
            self._report()
        self._producer.purge()
        self._producer.poll(0)

    def _take_requests(self) -> None:
        """All there are. If there is nothing else to do, wait for the next."""
        is_busy = len(self._producer) > 0 or bool(self._again)
        timeout_seconds = 0.0 if self._waiting else POLL_SECONDS if is_busy else IDLE_SECONDS
        at_ms = 0
        try:
            request = self._requests.get(timeout=timeout_seconds) if timeout_seconds else self._requests.get_nowait()
            at_ms = time.time_ns() // 1_000_000
            while True:
                self._take(request, at_ms)
                request = self._requests.get_nowait()
        except queue.Empty:
            pass

    def _take(self, request: Sequence[WriteReceipt] | Assignment | None, at_ms: int) -> None:
        if isinstance(request, Assignment):
            self._waiting.append(_Waiting(request, encode_receipt(beginning_of(request, at_ms))))
        elif request is not None:
            for action in request:
                value = encode_receipt(receipt_of(action, at_ms))
                self._waiting.append(_Waiting(action.lane.assignment, value, action))

    def _try_again(self) -> None:
        """What failed goes next, except what nobody waits for any more: rebalances would add more and more of it."""
        again, self._again = self._again, []
        self._waiting.extend(receipt for receipt in again if not receipt.assignment.dropped)

    def _produce_waiting(self) -> None:
        while self._waiting and not self._stopping:
            try:
                partitions = self._partition_count()
            except KafkaException as problem:  # true of all of them, and asking for each might take 5 s each time
                waiting, self._waiting = self._waiting, deque()
                self._failed(waiting, problem.args[0])
                return
            try:
                self._produce(self._waiting[0], partitions)
            except BufferError:  # the client has 100,000 of them
                return
            except KafkaException as problem:
                self._failed([self._waiting[0]], problem.args[0])
            self._waiting.popleft()

    def _produce(self, receipt: _Waiting, partitions: int) -> None:
        number = receipt.assignment.partition.number % partitions
        self._producer.produce(self._topic, receipt.value, partition=number, on_delivery=self._on_delivery(receipt))

    def _on_delivery(self, receipt: _Waiting) -> Callable[[KafkaError | None, Message], None]:
        def on_delivery(error: KafkaError | None, _message: Any) -> None:
            if error is not None:
                self._failed([receipt], error)
            elif receipt.action is not None:
                self._acknowledged.append(receipt.action)

        return on_delivery

    def _failed(self, receipts: Collection[_Waiting], error: KafkaError) -> None:
        if self._stopping:
            return
        if is_fatal(error):
            raise KafkaException(error)  # this producer will never work again: end, and be started again
        if error.code() in TOO_LARGE:
            for receipt in receipts:
                receipt.value = without_insert_ids(receipt.value)
        else:
            self._partitions = None  # the topic may have been made again
        self._problem = f"{self._topic}: {explained(self._settings, error, Right('Write', 'topic', self._topic))}"
        if not self._again:
            self._again_at = time.monotonic() + RETRY_SECONDS
        self._again.extend(receipts)

    def _report(self) -> None:
        """Report all that has come of them at once: each input costs the loop a turn."""
        if self._acknowledged:
            acknowledged, self._acknowledged = self._acknowledged, []
            self._post(Receipted(acknowledged))
        if self._problem is not None:
            problem, self._problem = self._problem, None
            self._post(ReceiptFailed(problem))

    def _partition_count(self) -> int:
        if self._partitions is None:
            topic = self._producer.list_topics(self._topic, timeout=5).topics[self._topic]
            if topic.error is not None or not topic.partitions:
                raise KafkaException(topic.error or KafkaError(KafkaError._UNKNOWN_TOPIC))
            self._partitions = len(topic.partitions)
        return self._partitions
