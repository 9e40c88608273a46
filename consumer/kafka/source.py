"""The Kafka edge: one thread owns the consumer, fetches, commits, pauses and answers rebalances.

There is one thread because, since confluent-kafka 2.16, every call on a consumer waits for the call that another thread
is making, and because rebalance callbacks run inside poll(). The loop talks to it by commands and by raising
`limit_records`.

    granted     the group gave us the partition (callback); another thread asks where it starts (starts.py)
    assigned    its start is known: the client has it, paused, and the loop may resume it
    revoked     drained by the loop, committed, given back (callback); step by step: sequencing/drains.py

What it must never do:
- commit anything that the loop did not give it;
- commit after partitions were lost, or what was read of another topic than the one that was assigned;
- hand over a record of a partition that is not assigned;
- wait inside a callback for anything but the loop's drain and its commit, which both have a time limit.
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
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumer.kafka.back_pressure import BackPressure
from consumer.kafka.client import consumer_config, is_fatal, partition_failure
from consumer.kafka.client_errors import ClientErrors
from consumer.kafka.commits import Commits
from consumer.kafka.handing_over import HandingOver
from consumer.kafka.leaving import close, leave_group
from consumer.kafka.starts import Grant, Starts
from consumer.kafka.topic_ids import TopicIds
from consumer.kafka.translate import partitions_of, resume_now, topic_partitions_of
from consumer.kafka.watch import Watch
from consumer.log_codes import Code, fields
from consumer.ports.inbox import run_edge
from consumer.ports.inputs import (
    Assigned,
    Granted,
    Lost,
    Post,
    Revoked,
    Revoking,
    StartPoint,
)
from consumer.sequencing.events import Partition

if TYPE_CHECKING:
    from consumer.sequencing.offsets import CommitPoint
    from consumer.settings import Settings

POLL_SECONDS: Final = 0.05
STALL_POLL_SECONDS: Final = 0.01
FETCH_RECORDS_MAX: Final = 1000
LEAVE_COMMIT_SECONDS: Final = 3.0
DRAIN_GRACE_SECONDS: Final = 5.0
"""The loop answers a revoke within the drain time. If it does not, the thread goes on without it after this much
longer."""

log = logging.getLogger("consumer.kafka")


class Source:
    """The consumer of the source topic and of the replay topic."""

    def __init__(self, settings: Settings, post: Post) -> None:
        self.limit_records = 0
        """Back-pressure: how many records may have been handed over in all. The loop raises it as it finishes them."""
        self.limit_bytes = 0
        """The same in bytes."""
        self.polled_at = time.monotonic()
        """When the thread last began a turn, in monotonic seconds."""
        self.member_id = ""
        """What the group calls us; empty until the group has answered."""
        self._settings = settings
        self._post = post
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopping = False
        self._leaving = False
        self._errors = ClientErrors(settings, post)
        self._granted: dict[Partition, Grant] = {}
        """The partitions that are ours, whether their start is known or not."""
        self._assigned: set[Partition] = set()
        """Those of them that the client has."""
        self._told: dict[Partition, Grant] = {}
        """The grant of which the loop was last told (`Assigned`). What the loop asks for is about that grant, or an
        earlier one."""
        self._resting: set[Partition] = set()
        """Assigned, but not to be fetched: not yet restored, or failed."""
        self._handing = HandingOver(post, self._on_message_error)
        self._back_pressure = BackPressure(settings.buffer_events_max)
        self._ids = TopicIds(settings)
        self._watch = Watch(settings, post)
        self._starts = Starts(settings, self._on_starts, self._on_no_start, post)
        self._thread = threading.Thread(target=self._run, name="kafka", daemon=True)

    # ------------------------------------------------------------------ called by the loop

    def start(self, topics: list[str]) -> None:
        """Join the group for these topics."""
        self._topics = topics
        self._consumer = Consumer(
            {
                **consumer_config(self._settings),
                "on_commit": self._on_commit,
                "error_cb": self._errors.on_error,
                "stats_cb": self._errors.on_statistics,
            },
            logger=logging.getLogger("librdkafka"),
        )
        self._ids.start()
        self._commits = Commits(self._consumer, self._ids, self._post, self._errors.report, self._commands.put)
        self._starts.start(self._ids)
        self._watch.start(topics, self._ids)
        self._thread.start()

    def commit(self, points: Mapping[Partition, CommitPoint]) -> None:
        """Commit without waiting; `Committed` follows."""
        self._commands.put(lambda: self._commits.ask(points))

    def resume(self, partition: Partition) -> None:
        """Fetch the partition: its state is ready."""
        told = self._told.get(partition)
        self._commands.put(lambda: self._resting.discard(partition) if self._is_still(partition, told) else None)

    def rest(self, partition: Partition) -> None:
        """Fetch nothing more of the partition."""
        told = self._told.get(partition)
        self._commands.put(lambda: self._resting.add(partition) if self._is_still(partition, told) else None)

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
        self._commits.watch()
        room_bytes = self.limit_bytes - self._handing.size_bytes
        room = self._back_pressure.room(self.limit_records - self._handing.records, room_bytes)
        self._pause_and_resume(room)
        if room <= 0 and not self._back_pressure.held_back:
            self._wait_out()
            return
        first = self._consumer.poll(POLL_SECONDS)
        if first is None:
            return
        messages = [first]
        if room > 1:
            messages += self._consumer.consume(min(room, FETCH_RECORDS_MAX) - 1, 0)
        self._hand_over(messages)

    def _wait_out(self) -> None:
        """A short stall: wait for the loop. If the loop waits for a commit, only polling brings the answer."""
        records, size_bytes = self.limit_records - self._handing.records, self.limit_bytes - self._handing.size_bytes
        if self._commits.is_waiting and self._back_pressure.may_poll_for_an_answer(records, size_bytes):
            # Before any command: after a command to rest, a record would be dropped, and the client is past it already.
            message = self._consumer.poll(0)
            self._hand_over([message] if message is not None else [])
        with contextlib.suppress(queue.Empty):
            self._commands.get(timeout=STALL_POLL_SECONDS)()

    def _pause_and_resume(self, room: int) -> None:
        change = self._back_pressure.change(room, self._assigned, self._resting, time.monotonic())
        if change.pause:
            self._consumer.pause(topic_partitions_of(change.pause))
        if change.resume:
            resume_now(self._consumer, change.resume)

    def _hand_over(self, messages: list[Message]) -> None:
        self._handing.hand_over(messages, self._is_read, time.monotonic())

    def _is_read(self, partition: Partition) -> bool:
        return partition in self._assigned and partition not in self._resting

    def _on_message_error(self, partition: Partition, error: KafkaError) -> None:
        if (failure := partition_failure(self._settings, partition, error)) is not None:
            if partition in self._assigned:
                self._resting.add(partition)
            self._post(failure)
        elif is_fatal(error):
            self._errors.end(error)
        else:
            self._errors.report(error, partition.topic)

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        self._commits.answered(error, partitions)

    # ------------------------------------------------------------------ rebalances: run inside poll()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._errors.joined = True
        self.member_id = consumer.memberid() or ""
        consumer.incremental_assign([])  # later, when their starts are known: a callback asks nothing
        if self._leaving:  # the next owner gets them
            return
        granted = partitions_of(partitions)
        self._granted |= {partition: Grant() for partition in granted}
        self._look_for_starts()
        self._post(Granted(sorted(granted)))  # none: we have joined, and there are more members than partitions

    def _look_for_starts(self) -> None:
        self._watch.partitions = frozenset(self._granted)
        self._starts.ask({p: grant for p, grant in self._granted.items() if p not in self._assigned})

    def _on_starts(self, found: Mapping[Partition, tuple[Grant, StartPoint]], cluster_id: str) -> None:
        """Take where partitions start; called in the thread that asks."""
        self._commands.put(lambda: self._assign(found, cluster_id))

    def _assign(self, found: Mapping[Partition, tuple[Grant, StartPoint]], cluster_id: str) -> None:
        """Have the client take granted partitions, each from its start; not inside a callback."""
        starts = {p: start for p, (grant, start) in found.items() if self._granted.get(p) is grant}
        if not starts:
            return
        try:
            self._consumer.incremental_assign(
                [TopicPartition(p.topic, p.number, start.offset) for p, start in sorted(starts.items())]
            )
        except KafkaException as error:  # a rebalance has begun: starts are asked for again after it
            self._errors.report(error.args[0], self._settings.kafka_topic)
            self._look_for_starts()
            return
        self._consumer.pause(topic_partitions_of(starts))
        self._assigned |= starts.keys()
        self._resting |= starts.keys()
        self._back_pressure.added(starts)
        self._commits.bind({partition: start.topic_id for partition, start in starts.items()})
        self._told |= {partition: self._granted[partition] for partition in starts}  # before the loop can ask
        self._post(Assigned(starts, cluster_id))

    def _is_still(self, partition: Partition, told: Grant | None) -> bool:
        """Whether the partition is assigned by the grant of which the loop was told.

        A slow loop may ask after the partition was taken away and given back, when its state is not read again yet.
        """
        return partition in self._assigned and self._granted[partition] is told

    def _on_no_start(self, error: KafkaError, topic: str) -> None:
        """Take why starts are not known; called in the thread that asks."""
        self._commands.put(lambda: self._no_start(error, topic))

    def _no_start(self, error: KafkaError, topic: str) -> None:
        if is_fatal(error):
            self._errors.end(error)
        self._errors.report(error, topic)  # asked again: to guess would lose events

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        revoked = partitions_of(partitions)
        given_back = topic_partitions_of(revoked & self._assigned)
        self._give_up(revoked & self._granted.keys(), shutdown=self._stopping)
        consumer.incremental_unassign(given_back)

    def _give_up(self, partitions: set[Partition], *, shutdown: bool, leaving: bool = False) -> None:
        """Drain, commit, forget. `leaving`: not inside a callback, so the client may be polled."""
        if not partitions:
            return
        drained: Future[dict[Partition, CommitPoint]] = Future()
        self._post(Revoking(sorted(partitions), drained, shutdown=shutdown))
        try:
            points = drained.result(self._settings.drain_seconds + DRAIN_GRACE_SECONDS)
        except FutureTimeoutError:
            log.error("the loop did not answer a revoke: nothing is committed", extra=fields(Code.REVOKE_UNANSWERED))
            points = {}
        error = self._commits.make(points)
        if error is not None and leaving:
            error = self._commit_again(points, error)
        self._forget(partitions)
        self._post(Revoked(sorted(partitions), error))

    def _commit_again(self, points: Mapping[Partition, CommitPoint], error: str) -> str | None:
        """Try the last commit for a while: the group may just have a new generation, and polling rejoins it."""
        deadline = time.monotonic() + LEAVE_COMMIT_SECONDS
        failed: str | None = error
        while failed is not None and time.monotonic() < deadline:
            self._consumer.poll(POLL_SECONDS)  # the next owner reads again what this fetches
            ours = {partition: point for partition, point in points.items() if partition in self._assigned}
            if not ours:
                break
            failed = self._commits.make(ours)
        return failed

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        lost = partitions_of(partitions)
        given_back = topic_partitions_of(lost & self._assigned)
        ours = lost & self._granted.keys()
        if ours:
            self._forget(ours)
            self._post(Lost(sorted(ours)))
        consumer.incremental_unassign(given_back)

    def _forget(self, partitions: set[Partition]) -> None:
        for partition in partitions:
            self._granted.pop(partition, None)
        self._assigned -= partitions
        self._resting -= partitions
        self._back_pressure.gone(partitions)
        self._commits.forget(partitions)
        self._look_for_starts()

    # ------------------------------------------------------------------ stop

    def _leave(self) -> None:
        self._leaving = True
        self._starts.stop()
        # Drain and commit before close(): inside it, the member has left already when on_revoke runs.
        self._give_up(set(self._granted), shutdown=True, leaving=True)
        self._watch.stop()
        leave_group(self._consumer, self._settings.kafka_properties, lambda: self._errors.joined)
        close(self._consumer)
