"""Finds where partitions are read from, in a thread of its own, so that no rebalance waits for an answer.

A partition that was granted is assigned to the client when its start is known. Until then it waits alone: if it has no
leader, or the coordinator does not answer, no other partition waits for it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from confluent_kafka import OFFSET_INVALID, Consumer, IsolationLevel, KafkaError, KafkaException
from confluent_kafka.admin import OffsetSpec

from consumer.kafka.client import OUTDATED_ERRORS, admin_client, consumer_config
from consumer.kafka.log_offsets import answered
from consumer.kafka.topic_ids import TopicIds
from consumer.kafka.translate import topic_partitions_of
from consumer.ports.inbox import run_edge
from consumer.ports.inputs import Post, StartPoint
from consumer.sequencing.events import Partition

if TYPE_CHECKING:
    from consumer.settings import Settings

ASK_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 0.2

log = logging.getLogger("consumer.kafka")


class Grant:
    """One time that the group gave us a partition. An answer to an earlier time says nothing about this one."""


Granted = Mapping[Partition, Grant]
Found = Callable[[Mapping[Partition, tuple[Grant, StartPoint]], str], None]
"""Takes grants with their starts, and the cluster's id; called in the thread of this file."""


class Starts:
    """Finds the start of granted partitions. `found` gets those that are known, `failed` why others are not yet."""

    def __init__(self, settings: Settings, found: Found, failed: Callable[[KafkaError, str], None], post: Post) -> None:
        self._settings = settings
        self._post = post
        self._found = found
        self._failed = failed
        self._asked: queue.SimpleQueue[Granted | None] = queue.SimpleQueue()
        self._wanted: dict[Partition, Grant] = {}
        self._cluster_id = ""
        self._thread = threading.Thread(target=self._run, name="starts", daemon=True)

    def start(self, ids: TopicIds) -> None:
        """Start the thread."""
        self._ids = ids
        self._admin = admin_client(self._settings)
        # It only asks what the group has committed, and never joins. The admin client can't be asked: with librdkafka
        # 2.16 that ends the process (SIGSEGV) while the coordinator is moving or not there yet.
        self._consumer = Consumer(consumer_config(self._settings), logger=logging.getLogger("librdkafka"))
        self._thread.start()

    def ask(self, granted: Granted) -> None:
        """Find the starts of these, which are all that is wanted now. Others are not looked for any longer."""
        self._asked.put(dict(granted))

    def stop(self) -> None:
        """End the thread, without waiting for it."""
        self._asked.put(None)

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        run_edge("starts", self._work, self._post)

    def _work(self) -> None:
        try:
            while self._take():
                self._round()
        finally:
            self._consumer.close()

    def _take(self) -> bool:
        """Take what was asked meanwhile; False: end the thread."""
        wait_seconds = RETRY_SECONDS if self._wanted else None
        while True:
            try:
                asked = self._asked.get(timeout=wait_seconds)
            except queue.Empty:
                return True
            if asked is None:
                return False
            self._wanted = dict(asked)
            wait_seconds = 0

    def _round(self) -> None:
        """Ask once for all that is wanted, and hand on what is known."""
        if not self._wanted:
            return
        try:
            starts = self._starts(list(self._wanted))
        except KafkaException as error:
            self._told(error.args[0])
            return
        found = {partition: (self._wanted.pop(partition), start) for partition, start in starts.items()}
        if found:
            self._found(found, self._cluster_id)

    def _starts(self, partitions: list[Partition]) -> dict[Partition, StartPoint]:
        """The committed offset; without one, the start of the log (`prepare` has set up a new group)."""
        topics = {partition.topic for partition in partitions}
        if not self._cluster_id:
            self._cluster_id = str(self._admin.list_topics(timeout=ASK_SECONDS).cluster_id)
        seen = self._ids.seen(topics, ASK_SECONDS)
        for topic, error in seen.errors.items():
            self._failed(error, topic)  # partitions of the other topics start
        ids = {topic: one.topic_id for topic, one in seen.known.items() if one.partitions is not None}
        partitions = [partition for partition in partitions if partition.topic in ids]
        if not partitions:
            return {}
        committed: dict[Partition, tuple[int, str | None]] = {}
        for known in self._consumer.committed(topic_partitions_of(partitions), timeout=ASK_SECONDS):
            if known.error is not None:
                self._told(known.error)
            else:
                committed[Partition(known.topic, known.partition)] = known.offset, known.metadata
        new = [partition for partition, (offset, _) in committed.items() if offset == OFFSET_INVALID]
        beginnings = self._beginnings(new) if new else {}
        return {
            partition: StartPoint(beginnings.get(partition, offset), metadata, ids[partition.topic])
            for partition, (offset, metadata) in committed.items()
            if offset != OFFSET_INVALID or partition in beginnings
        }

    def _beginnings(self, partitions: list[Partition]) -> dict[Partition, int]:
        """Partition → where its log begins, of those whose leader answers."""
        asked = self._admin.list_offsets(
            {where: OffsetSpec.earliest() for where in topic_partitions_of(partitions)},
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=ASK_SECONDS,
        )
        beginnings = {}
        for partition, told in answered(asked, time.monotonic() + ASK_SECONDS + 1):
            if isinstance(told, int):
                beginnings[partition] = told
                continue
            if told.code() in OUTDATED_ERRORS:
                self._admin = admin_client(self._settings)
            self._told(told)
        return beginnings

    def _told(self, error: KafkaError) -> None:
        self._failed(error, self._settings.kafka_topic)
