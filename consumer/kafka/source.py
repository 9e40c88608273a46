"""The Kafka edge: one thread owns the consumer, fetches, commits, pauses and answers rebalances.

One thread because since confluent-kafka 2.16 every call on a consumer waits for the call that is running in another,
and because rebalance callbacks run inside poll(). The loop talks to it by commands and by raising `limit_records`.

What it must never do: commit anything the loop did not give it; commit after partitions were lost; hand over a record
of a partition that is not assigned.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import ListOffsetsResultInfo, OffsetSpec

from consumer.kafka.client import (
    PASSING_ERRORS,
    MissingRight,
    admin_client,
    consumer_config,
    headers_of,
    headers_size,
    is_fatal,
    is_in_group,
    partition_failure,
)
from consumer.kafka.rights import Right, fatal_refusal, group_right, is_denied, refusal
from consumer.kafka.translate import committed_of, partitions_of, resume_now, speaks_of, to_commit, topic_partitions_of
from consumer.ports.inbox import run_edge
from consumer.ports.inputs import (
    GROUP,
    AccessDenied,
    Assigned,
    Committed,
    EndOffsets,
    Fetched,
    KafkaProblem,
    Lost,
    Post,
    Revoked,
    Revoking,
    StartPoint,
)
from consumer.sequencing.buffer import BUFFER_FULL
from consumer.sequencing.events import Partition, Record

if TYPE_CHECKING:
    from consumer.sequencing.offsets import CommitPoint
    from consumer.settings import Settings

POLL_SECONDS: Final = 0.05
STALL_POLL_SECONDS: Final = 0.01
RESUME_SHARE: Final = 1 - BUFFER_FULL
FETCH_RECORDS_MAX: Final = 1000
FETCH_RECORDS_MIN: Final = 500
LEAVE_COMMIT_SECONDS: Final = 3.0
STALL_SECONDS_BEFORE_PAUSE: Final = 1.0
"""A pause throws away what is prefetched (librdkafka), so a short stall is waited out instead."""
END_OFFSETS_SECONDS: Final = 1.0
REQUEST_SECONDS: Final = 10.0
DRAIN_GRACE_SECONDS: Final = 5.0
"""The loop answers a revoke within the drain time; this much later the thread goes on without it."""

T = TypeVar("T")
log = logging.getLogger("consumer.kafka")


class _StopAsked(Exception):
    """The stop came while a rebalance waited for the broker: nothing of it was assigned yet."""


class Source:
    """The consumer of the source topic and of the replay topic."""

    def __init__(self, settings: Settings, post: Post) -> None:
        self.limit_records = 0
        """How many records may have been handed over in all; raised by the loop as it finishes them. Back-pressure."""
        self.limit_bytes = 0
        self.polled_at = time.monotonic()
        self._settings = settings
        self._post = post
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopping = False
        self._leaving = False
        self._joined = False
        """Partitions, or none, were assigned at least once."""
        self._handed_records = 0
        self._handed_bytes = 0
        self._assigned: set[Partition] = set()
        self._resting: set[Partition] = set()
        """Assigned but not to be fetched: not yet restored, or failed."""
        self._paused: set[Partition] = set()
        """What the client was told to pause."""
        self._committing: Mapping[Partition, CommitPoint] | None = None
        self._stalled_since: float | None = None
        self._held_back = False
        """All partitions are paused, because the buffer has been full for a while."""
        self._end_offsets: dict[TopicPartition, Future[ListOffsetsResultInfo]] | None = None
        self._end_offsets_due = 0.0
        self._thread = threading.Thread(target=self._run, name="kafka", daemon=True)

    # ------------------------------------------------------------------ called by the loop

    def start(self, topics: list[str]) -> None:
        """Join the group for these topics."""
        self._topics = topics
        self._consumer = Consumer(
            {
                **consumer_config(self._settings),
                "on_commit": self._on_commit,
                "error_cb": self._on_error,
                "stats_cb": self._on_statistics,
            },
            logger=logging.getLogger("librdkafka"),
        )
        self._admin = admin_client(self._settings)
        self._thread.start()

    def commit(self, points: Mapping[Partition, CommitPoint]) -> None:
        """Commit without waiting; `Committed` follows."""
        self._commands.put(lambda: self._commit(points))

    def resume(self, partition: Partition) -> None:
        """Its state is ready: fetch it."""
        self._commands.put(lambda: self._resting.discard(partition))

    def rest(self, partition: Partition) -> None:
        """Fetch nothing more of it."""
        self._commands.put(lambda: self._resting.add(partition) if partition in self._assigned else None)

    def stop(self) -> None:
        """Drain all partitions (`Revoking` follows), commit, leave the group, end the thread (`ThreadEnded`)."""
        self._stopping = True

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        run_edge("kafka", self._member, self._post)

    def _member(self) -> None:
        """Be a member of the group, until told to stop."""
        self._consumer.subscribe(
            self._topics,
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )
        with contextlib.suppress(_StopAsked):
            while not self._stopping:
                self._turn()
        self._leave()

    def _turn(self) -> None:
        self.polled_at = time.monotonic()
        while True:
            try:
                command = self._commands.get_nowait()
            except queue.Empty:
                break
            command()
        self._ask_end_offsets()
        room = self._room()
        self._back_pressure(room)
        if room <= 0 and not self._held_back:
            # A short stall: wait for the loop to finish something instead of polling.
            with contextlib.suppress(queue.Empty):
                self._commands.get(timeout=STALL_POLL_SECONDS)()
            return
        first = self._consumer.poll(POLL_SECONDS)
        if first is None:
            return
        messages = [first]
        if room > 1:
            messages += self._consumer.consume(min(room, FETCH_RECORDS_MAX) - 1, 0)
        self._hand_over(messages)

    def _room(self) -> int:
        """How many more records the loop takes; 0 rather than a handful, so that batches stay worth their cost."""
        if self._handed_bytes >= self.limit_bytes:
            return 0
        room = self.limit_records - self._handed_records
        return room if room >= min(FETCH_RECORDS_MIN, self._settings.buffer_events_max // 4) else 0

    def _back_pressure(self, room: int) -> None:
        now = time.monotonic()
        if room <= 0:
            self._stalled_since = self._stalled_since or now
            self._held_back = self._held_back or now - self._stalled_since >= STALL_SECONDS_BEFORE_PAUSE
        elif not self._held_back or room >= RESUME_SHARE * self._settings.buffer_events_max:
            self._stalled_since = None
            self._held_back = False
        wanted = set(self._assigned) if self._held_back else set(self._resting)
        if extra := wanted - self._paused:
            self._consumer.pause(topic_partitions_of(extra))
        if missing := self._paused - wanted:
            resume_now(self._consumer, missing)
        self._paused = wanted

    def _hand_over(self, messages: list[Message]) -> None:
        now = time.monotonic()
        records = []
        ends = {}
        for message in messages:
            error = message.error()
            partition = Partition(message.topic() or "", message.partition() or 0)
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                self._on_message_error(partition, error)
                continue
            if partition not in self._assigned or partition in self._resting:
                continue  # a resting one starts from its first offset when it is resumed, or never again
            if error is not None:
                ends[partition] = message.offset() or 0
                continue
            key, value = message.key(), message.value()
            record = Record(
                partition,
                message.offset() or 0,
                message.timestamp()[1],
                key,
                value,
                headers := headers_of(message),
                now,
                len(key or b"") + len(value or b"") + headers_size(headers),
            )
            self._handed_bytes += record.size_bytes
            records.append(record)
        if records or ends:
            self._handed_records += len(records)
            self._post(Fetched(records, ends))

    def _on_message_error(self, partition: Partition, error: KafkaError) -> None:
        if (failure := partition_failure(self._settings, partition, error)) is not None:
            if partition in self._assigned:
                self._resting.add(partition)
            self._post(failure)
        elif is_fatal(error):
            self._end(error)
        else:
            self._problem(error, partition.topic)

    def _end(self, error: KafkaError) -> NoReturn:
        """The client will never work again."""
        if (denied := fatal_refusal(self._settings, error)) is not None:
            raise MissingRight(denied)
        raise KafkaException(error)

    def _problem(self, error: KafkaError, topic: str) -> None:
        """Report what the client is working on. Who may not join at the start is told so at once."""
        if not is_denied(error):
            self._post(KafkaProblem(error.name(), error.str()))
            return
        of_group = error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED or not topic
        right = group_right(self._settings) if of_group else Right("Read", "topic", topic)
        detail = f"{error.str()}: {refusal(self._settings, right)}"
        if of_group and not self._joined:
            raise MissingRight(detail)
        self._post(AccessDenied(GROUP if of_group else topic, detail))

    def _on_error(self, error: KafkaError) -> None:
        if is_fatal(error):
            self._end(error)
        self._post(KafkaProblem(error.name(), error.str()))

    def _on_statistics(self, statistics: str) -> None:
        if not self._joined and is_in_group(statistics):
            self._joined = True
            self._post(Assigned({}, ""))

    # ------------------------------------------------------------------ commits

    def _commit(self, points: Mapping[Partition, CommitPoint]) -> None:
        owned = {partition: point for partition, point in points.items() if partition in self._assigned}
        if not owned:
            self._post(Committed(points, [], None))
            return
        try:
            self._committing = points
            self._consumer.commit(offsets=to_commit(owned), asynchronous=True)
        except KafkaException as error:
            self._committing = None
            self._post(Committed(points, [], error.args[0].str()))

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """Take the answer to the asynchronous commit. The client may call back for a revoke's own commit as well."""
        points = self._committing
        if points is None or not speaks_of(points, partitions):
            return
        self._committing = None
        self._post(committed_of(points, error, partitions))
        for problem, topic in [(error, ""), *((p.error, p.topic) for p in partitions)]:
            if problem is not None and is_denied(problem):
                self._problem(problem, topic)

    def _commit_and_wait(self, points: Mapping[Partition, CommitPoint]) -> str | None:
        """Commit before giving up the partitions; gives the error, for people."""
        if not points:
            return None
        try:
            answer = self._consumer.commit(offsets=to_commit(points), asynchronous=False)
        except KafkaException as error:
            committed = Committed(points, [], error.args[0].str())
        else:
            committed = committed_of(points, None, answer or [])
        self._post(committed)
        return committed.error

    def _commit_again(self, points: Mapping[Partition, CommitPoint], error: str) -> str | None:
        """Try the last commit for a while: the group may have a new generation just now, and polling rejoins it."""
        deadline = time.monotonic() + LEAVE_COMMIT_SECONDS
        failed: str | None = error
        while failed is not None and time.monotonic() < deadline:
            self._consumer.poll(POLL_SECONDS)  # what it fetches is read again by the next owner
            ours = {partition: point for partition, point in points.items() if partition in self._assigned}
            if not ours:
                break
            failed = self._commit_and_wait(ours)
        return failed

    # ------------------------------------------------------------------ rebalances: run inside poll()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._joined = True
        if not partitions:  # more members than partitions: joined, and idle
            consumer.incremental_assign([])
            self._post(Assigned({}, ""))
            return
        if self._leaving:  # they are the next owner's: nothing is asked, so nothing can fail inside close()
            consumer.incremental_assign(partitions)
            return
        starts = self._starts(partitions)
        # Not the consumer's list_topics: inside a callback it aborts the process when another callback is due (2.16.1).
        ask = partial(self._admin.list_topics, self._settings.kafka_topic, timeout=REQUEST_SECONDS)
        cluster_id: str | None = self._patiently(ask).cluster_id
        consumer.incremental_assign([TopicPartition(p.topic, p.number, start.offset) for p, start in starts.items()])
        consumer.pause(topic_partitions_of(starts))
        self._assigned |= starts.keys()
        self._resting |= starts.keys()
        self._paused |= starts.keys()
        self._end_offsets_due = 0.0
        self._post(Assigned(starts, str(cluster_id)))

    def _starts(self, partitions: list[TopicPartition]) -> dict[Partition, StartPoint]:
        """The committed offset; where there is none, the start of the log (`prepare` has set up a new group)."""
        starts = {}
        for known in self._patiently(lambda: self._consumer.committed(partitions, timeout=REQUEST_SECONDS)):
            if known.error is not None:
                raise KafkaException(known.error)
            offset = known.offset
            if offset == OFFSET_INVALID:
                where = TopicPartition(known.topic, known.partition)
                ask = partial(self._consumer.get_watermark_offsets, where, timeout=REQUEST_SECONDS)
                offset, _ = self._patiently(ask)
            starts[Partition(known.topic, known.partition)] = StartPoint(offset, known.metadata)
        return starts

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Ask until the broker answers: without an answer nobody knows where to start, and a guess loses events."""
        while True:
            try:
                return ask()
            except KafkaException as error:
                problem: KafkaError = error.args[0]
                if not (problem.retriable() or problem.code() in PASSING_ERRORS or is_denied(problem)):
                    raise
                if self._stopping:
                    raise _StopAsked from None
                self._problem(problem, self._settings.kafka_topic)
            self.polled_at = time.monotonic()  # it works, and waits for the broker
            time.sleep(POLL_SECONDS)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._give_up(partitions_of(partitions) & self._assigned, shutdown=self._stopping)
        consumer.incremental_unassign(partitions)

    def _give_up(self, partitions: set[Partition], *, shutdown: bool, leaving: bool = False) -> None:
        """Drain, commit, forget. `leaving`: not inside a callback, so the client may be polled."""
        if not partitions:
            return
        drained: Future[dict[Partition, CommitPoint]] = Future()
        self._post(Revoking(sorted(partitions), drained, shutdown=shutdown))
        try:
            points = drained.result(self._settings.drain_seconds + DRAIN_GRACE_SECONDS)
        except FutureTimeoutError:
            log.error("the loop did not answer a revoke in time; its last offsets stay as they were committed")
            points = {}
        error = self._commit_and_wait(points)
        if error is not None and leaving:
            error = self._commit_again(points, error)
        self._forget(partitions)
        self._post(Revoked(sorted(partitions), error))

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        lost = partitions_of(partitions) & self._assigned
        if lost:
            self._forget(lost)
            self._post(Lost(sorted(lost)))
        consumer.incremental_unassign(partitions)

    def _forget(self, partitions: set[Partition]) -> None:
        self._assigned -= partitions
        self._resting -= partitions
        self._paused -= partitions

    # ------------------------------------------------------------------ lag, stop

    def _ask_end_offsets(self) -> None:
        """Ask where the logs end, once a second and without waiting: what a fetch says of it is stale while paused."""
        now = time.monotonic()
        if self._end_offsets is not None:
            # One was seen that never ended, though a request has its time-out (list_offsets, 2.16.1): it is let go.
            is_lost = now >= self._end_offsets_due + 2 * REQUEST_SECONDS
            if not is_lost and not all(future.done() for future in self._end_offsets.values()):
                return
            ends = {}
            for where, future in self._end_offsets.items():
                if future.done() and future.exception() is None:
                    ends[Partition(where.topic, where.partition)] = future.result().offset
            self._end_offsets = None
            self._post(EndOffsets(ends))
        elif now >= self._end_offsets_due and self._assigned:
            self._end_offsets_due = now + END_OFFSETS_SECONDS
            latest = {where: OffsetSpec.latest() for where in topic_partitions_of(self._assigned)}
            self._end_offsets = self._admin.list_offsets(
                latest, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=REQUEST_SECONDS
            )

    def _leave(self) -> None:
        self._leaving = True
        # Drained and committed before close(): inside close() the member has left already when on_revoke runs.
        self._give_up(set(self._assigned), shutdown=True, leaving=True)
        self._consumer.close()
