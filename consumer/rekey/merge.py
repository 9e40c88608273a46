"""Partitions into one order, by the times of their records, with a bounded wait. Pure.

A topic without keys has one user's events in all of its partitions. What is read of them comes in any order: a
partition after the other when there is a backlog, by the broker's answers when there is none. Here each partition has a
queue, and of the queues' heads the oldest goes first. It has to wait while a queue is empty which may still bring an
older record. Such a queue is not waited for

    once its log was seen to end where we have read to, by a question that was asked after the head was fetched:
    what is appended later is later, where the broker gives records their time
    or when the head has waited `wait_seconds`, counted from when it was fetched and the queue became empty

So an idle partition, or one without a leader, holds back no record for longer than that. If an answer says that a
partition has more, its records are on their way: its wait begins again with each such answer, for BEHIND_SECONDS_MAX at
most.

Within a partition the order of the log stays, whatever its times say. A record that claims to be of the future counts
as `wait_seconds` ahead at most, by our clock, so it can't hold back its partition for longer either.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from consumer.sequencing.events import Partition, Record

NEVER: Final = -math.inf
BEHIND_SECONDS_MAX: Final = 30.0
"""A fetch may take seconds where broker or network are busy; of a backlog, all that is behind would lose its order."""


@dataclass(slots=True, eq=False)
class _Queue:
    position: int
    """The next offset that may come."""
    empty_since: float
    """Meaningful while it is empty, or set aside."""
    ended_at: float = NEVER
    """When it was asked for its end last, of the answers that named our position."""
    behind_at: float = NEVER
    """The same of those answers that named a later one."""
    records: deque[tuple[int, Record]] = field(default_factory=deque)
    """With the time that counts, in ms."""
    set_aside: bool = False
    """Its head can't be written yet: the others do not wait for it."""


class Merge:
    """Records in, one order out. `head` says which is next, `pop` takes it."""

    def __init__(self, wait_seconds: float) -> None:
        self.records = 0
        self.size_bytes = 0
        self._wait_seconds = wait_seconds
        self._queues: dict[Partition, _Queue] = {}
        self._heads: list[tuple[int, Partition, int]] = []
        """Time, partition and offset of heads: a heap, in which those that are none any longer may be left."""
        self._lacking: set[Partition] = set()
        """Empty or set aside."""

    @property
    def partitions(self) -> Iterable[Partition]:
        """The partitions that are ours."""
        return self._queues.keys()

    # ------------------------------------------------------------------ in

    def assigned(self, partition: Partition, position: int, now: float) -> None:
        """The partition is ours, and is read from `position`. `now`: monotonic seconds, here and below."""
        self._queues[partition] = _Queue(position, now)
        self._lacking.add(partition)

    def gone(self, partition: Partition) -> None:
        """The partition is no longer ours: what waits of it is read again by whoever has it next."""
        queue = self._queues.pop(partition, None)
        self._lacking.discard(partition)
        if queue is not None:
            self.records -= len(queue.records)
            self.size_bytes -= sum(record.size_bytes for _, record in queue.records)

    def add(self, records: Iterable[Record], wall_ms: int) -> None:
        """Take fetched records, in the order of each partition. `wall_ms`: now, in milliseconds since 1970."""
        latest_ms = wall_ms + int(self._wait_seconds * 1000)
        for record in records:
            queue = self._queues.get(record.partition)
            if queue is None:
                continue
            time_ms = min(record.timestamp_ms, latest_ms)
            queue.records.append((time_ms, record))
            queue.position = record.offset + 1
            self.records += 1
            self.size_bytes += record.size_bytes
            if len(queue.records) == 1:
                self._lacking.discard(record.partition)
                heapq.heappush(self._heads, (time_ms, record.partition, record.offset))

    def read_to(self, partition: Partition, offset: int) -> None:
        """All below `offset` is read: behind the last record there may be markers of transactions, or nothing."""
        if (queue := self._queues.get(partition)) is not None:
            queue.position = max(queue.position, offset)

    def ended(self, ends: Mapping[Partition, int], asked_at: float) -> None:
        """Where logs ended, by a question that was asked then."""
        for partition, end in ends.items():
            queue = self._queues.get(partition)
            if queue is not None and queue.position >= end:
                queue.ended_at = max(queue.ended_at, asked_at)
            elif queue is not None:
                queue.behind_at = max(queue.behind_at, asked_at)

    # ------------------------------------------------------------------ out

    def head(self, now: float) -> Record | None:
        """The next record; None: there is none, or it has to wait."""
        while self._heads:
            _, partition, offset = self._heads[0]
            queue = self._queues.get(partition)
            if queue is None or queue.set_aside or not queue.records or queue.records[0][1].offset != offset:
                heapq.heappop(self._heads)
                continue
            record = queue.records[0][1]
            return record if not self._lacking or record.fetched_at <= self._free_until(now) else None
        return None

    def pop(self, record: Record, now: float) -> None:
        """Take this record, which is the head."""
        queue = self._queues[record.partition]
        heapq.heappop(self._heads)
        queue.records.popleft()
        self.records -= 1
        self.size_bytes -= record.size_bytes
        if queue.records:
            time_ms, following = queue.records[0]
            heapq.heappush(self._heads, (time_ms, record.partition, following.offset))
        else:
            queue.empty_since = now
            self._lacking.add(record.partition)

    def set_aside(self, partition: Partition, now: float) -> None:
        """Its head can't be written yet; the others go on, after the wait."""
        queue = self._queues[partition]
        queue.set_aside, queue.empty_since, queue.ended_at, queue.behind_at = True, now, NEVER, NEVER
        self._lacking.add(partition)

    def take_back(self, partition: Partition) -> None:
        """What was set aside is tried again."""
        queue = self._queues.get(partition)
        if queue is None or not queue.set_aside:
            return
        queue.set_aside = False
        if queue.records:
            self._lacking.discard(partition)
            time_ms, record = queue.records[0]
            heapq.heappush(self._heads, (time_ms, partition, record.offset))

    def waited_for(self) -> list[Partition]:
        """The partitions that may still bring an older record than one that waits: worth asking where they end."""
        if self.records == 0:
            return []
        return [partition for partition in self._lacking if not self._queues[partition].set_aside]

    def waiting(self, partition: Partition) -> int:
        """How many records of the partition wait."""
        queue = self._queues.get(partition)
        return 0 if queue is None else len(queue.records)

    def oldest_ms(self, partition: Partition) -> int | None:
        """The time of the partition's next record, in milliseconds since 1970; None: none of it waits."""
        queue = self._queues.get(partition)
        return queue.records[0][1].timestamp_ms if queue is not None and queue.records else None

    def position(self, partition: Partition) -> int:
        """The offset up to which the partition is read."""
        return self._queues[partition].position

    def _free_until(self, now: float) -> float:
        """Heads that were fetched by then need not wait for what is lacking."""
        free = math.inf
        waited = now - self._wait_seconds
        for partition in self._lacking:
            queue = self._queues[partition]
            since = max(queue.empty_since, min(queue.behind_at, queue.empty_since + BEHIND_SECONDS_MAX))
            patience = waited if waited >= since else NEVER
            free = min(free, max(queue.ended_at, patience))
        return free
