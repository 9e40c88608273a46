"""The made-up Kafka consumer of a member, like kafka/source.py in virtual time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Protocol

from consumer.ports.inputs import Assigned, Committed, Fetched, Granted, Input, Lost, Revoked, Revoking, ThreadEnded
from consumer.sequencing.events import Partition, Record
from consumer.sequencing.offsets import CommitPoint
from tests.simulation.broker import Broker
from tests.simulation.log import Entry, Log
from tests.simulation.options import Options
from tests.simulation.referee_commits import CLUSTER_ID
from tests.simulation.requests import Tenure
from tests.simulation.stage import Stage, Violation

DRAIN_GRACE_SECONDS = 5.0
POLL_SECONDS_MAX = 0.2


class Post(Protocol):
    """Into the member's inbox; `taken` is called when the member takes it out, in the turn that acts on it."""

    def __call__(self, item: Input, taken: Callable[[], None] | None = None) -> None: ...


class SimulatedSource:
    """Like kafka/source.py: fetches, commits, and blocks while partitions are being revoked."""

    def __init__(self, stage: Stage, options: Options, log: Log, broker: Broker, post: Post) -> None:
        self.limit_records = 0
        self.limit_bytes = 0
        self.tenures: dict[Partition, Tenure] = {}
        self.alive = True
        self.stopping = False
        self.frozen = False
        """The process is stopped (SIGSTOP): nothing of it moves."""
        self.cut_off = False
        """The group's coordinator can't be reached; partitions can be fetched."""
        self.heard_at = 0.0
        """When the group has last had a commit of this member."""
        self._stage = stage
        self._options = options
        self._log = log
        self._broker = broker
        self._post = post
        self._resting: set[Partition] = set()
        self._next: dict[Partition, int] = {}
        """Index of the next entry to fetch."""
        self._told_ends: dict[Tenure, int] = {}
        self._handed_records = 0
        self._handed_bytes = 0
        self._blocked = False
        self._commands: deque[Callable[[], None]] = deque()
        self._drained: tuple[Future[dict[Partition, CommitPoint]], list[Partition], Callable[[], None]] | None = None
        self._commit_arrives_at = 0.0
        self._drain_until = 0.0
        self._polls = False
        self._read: dict[tuple[Partition, int, float], tuple[Tenure, Entry]] = {}

    @property
    def blocked(self) -> bool:
        """Inside a rebalance callback."""
        return self._blocked

    def read(self, record: Record) -> tuple[Tenure, Entry]:
        """When a record was fetched, and what it is."""
        return self._read[record.partition, record.offset, record.fetched_at]

    # ------------------------------------------------------------------ called by the loop

    def commit(self, points: Mapping[Partition, CommitPoint]) -> None:
        self._command(lambda: self._commit(points))

    def resume(self, partition: Partition) -> None:
        self._command(lambda: self._resume(partition))

    def rest(self, partition: Partition) -> None:
        self._stage.exercised["partitions halted"] += 1
        self._command(lambda: self._resting.add(partition))

    def stop(self) -> None:
        self.stopping = True
        self._command(self._leave)

    def _command(self, command: Callable[[], None]) -> None:
        """The thread does it now, or when its callback is over."""
        if self._blocked:
            self._commands.append(command)
        else:
            command()

    # ------------------------------------------------------------------ fetching

    def _resume(self, partition: Partition) -> None:
        self._resting.discard(partition)
        self.wake()

    def wake(self) -> None:
        """There may be something to fetch, or room for it."""
        if not self._polls and not self._blocked and self.limit_records > self._handed_records:
            seconds = self._seconds_until_more()
            if seconds is not None:
                self._polls = True
                self._stage.after(seconds + self._stage.between(0.0, POLL_SECONDS_MAX), self._poll)

    def _seconds_until_more(self) -> float | None:
        """When there is a record to fetch, or an end to be told of; None for never."""
        more = None
        for partition, tenure in self.tenures.items():
            if partition not in self._resting:
                entries, index = self._log.entries[partition], self._next[partition]
                if index == len(entries):
                    at = 0.0 if self._told_ends[tenure] < self._log.ends[partition] else None
                else:
                    at = entries[index].appended_at
                if at is not None:
                    more = at if more is None else min(more, at)
        return None if more is None else max(more - self._stage.now, 0.0)

    def _poll(self) -> None:
        self._polls = False
        fetchable = [partition for partition in self.tenures if partition not in self._resting]
        if self._blocked or self.frozen or not fetchable:
            return
        if len(fetchable) > 1:
            self._stage.random.shuffle(fetchable)
        room = self.limit_records - self._handed_records if self._handed_bytes < self.limit_bytes else 0
        self._stage.exercised["polls without room"] += room <= 0
        count = min(room, self._stage.random.randint(1, self._options.fetch_records_max))
        records: list[Record] = []
        ends: dict[Partition, int] = {}
        for partition in fetchable:
            records += self._fetch(partition, count - len(records))
            self._note_end(partition, ends)
        if records or ends:
            self._handed_records += len(records)
            self._handed_bytes += sum(record.size_bytes for record in records)
            self._post(Fetched(records, ends))
        if room > 0:
            self.wake()

    def _fetch(self, partition: Partition, count: int) -> list[Record]:
        entries, tenure, now = self._log.entries[partition], self.tenures[partition], self._stage.now
        records: list[Record] = []
        index = self._next[partition]
        while len(records) < count and index < len(entries) and entries[index].appended_at <= now:
            entry = entries[index]
            key = entry.user.id.encode()
            record = Record(
                partition,
                entry.offset,
                int(now * 1000),
                key,
                entry.value,
                None,
                now,
                len(key or b"") + len(entry.value or b""),
            )
            self._read[partition, entry.offset, now] = (tenure, entry)
            tenure.fetched_at[entry.offset] = now
            tenure.position = entry.offset + 1
            records.append(record)
            index += 1
        self._next[partition] = index
        return records

    def _note_end(self, partition: Partition, ends: dict[Partition, int]) -> None:
        tenure, entries, index = self.tenures[partition], self._log.entries[partition], self._next[partition]
        if index == len(entries):
            end = self._log.ends[partition]
            self._stage.exercised["ends behind a marker"] += end > tenure.position
        elif entries[index].appended_at > self._stage.now:
            end = entries[index - 1].offset + 1 if index else self._log.starts[partition]
        else:
            return
        if end > self._told_ends[tenure]:
            self._told_ends[tenure] = end
            tenure.position = max(tenure.position, end)
            ends[partition] = end

    # ------------------------------------------------------------------ commits

    def _commit(self, points: Mapping[Partition, CommitPoint]) -> None:
        owned = {self.tenures[partition]: point for partition, point in points.items() if partition in self.tenures}
        if not owned:
            self._post(Committed(points, [], None))
            return
        # In the order they were sent: one connection.
        arrives_at = max(self._commit_arrives_at, self._stage.now + self._commit_seconds())
        self._commit_arrives_at = arrives_at
        self._stage.after(arrives_at - self._stage.now, lambda: self._commit_arrives(points, owned))

    def _commit_arrives(self, asked: Mapping[Partition, CommitPoint], owned: Mapping[Tenure, CommitPoint]) -> None:
        committed = self._apply_commit(asked, owned)
        self._stage.after(self._commit_seconds(), lambda: self._post_committed(committed, owned))

    def _commit_seconds(self) -> float:
        return self._stage.between(0.001, 1.0 if self._stage.chance(self._options.slow_commits) else 0.1)

    def _apply_commit(self, asked: Mapping[Partition, CommitPoint], owned: Mapping[Tenure, CommitPoint]) -> Committed:
        stage, failures = self._stage, self._options.commit_failures
        if self.cut_off:
            stage.exercised["commits that never arrive"] += 1
            return Committed(asked, [], "the coordinator can't be reached")
        self.heard_at = stage.now
        stage.exercised["commits"] += 1
        stage.exercised["commits with metadata"] += any(point.metadata for point in owned.values())
        if stage.chance(failures):
            stage.exercised["commits failed"] += 1
            return Committed(asked, [], "broker not available")
        done = [tenure.partition for tenure, point in owned.items() if self._broker.commit(tenure, point)]
        if stage.chance(failures):
            stage.exercised["commits done whose answer was lost"] += 1
            return Committed(asked, [], "timed out")
        return Committed(asked, done, None if len(done) == len(owned) else "illegal generation")

    def _post_committed(self, committed: Committed, owned: Mapping[Tenure, CommitPoint]) -> None:
        recorded = [(tenure, point) for tenure, point in owned.items() if tenure.partition in committed.accepted]
        self._post(committed, lambda: self._note_recorded(recorded))

    def _note_recorded(self, recorded: list[tuple[Tenure, CommitPoint]]) -> None:
        for tenure, point in recorded:
            self._broker.note_recorded(tenure, point)

    # ------------------------------------------------------------------ rebalances

    def assign(self, tenure: Tenure) -> None:
        partition = tenure.partition
        entries = self._log.entries[partition]
        self.tenures[partition] = tenure
        self._broker.note_assigned(tenure)
        self._resting.add(partition)
        self._next[partition] = next(
            (index for index, entry in enumerate(entries) if entry.offset >= tenure.start), len(entries)
        )
        tenure.position = self._told_ends[tenure] = tenure.start
        self._post(Assigned({partition: self._broker.start(partition)}, CLUSTER_ID))

    def give_up(self, partitions: list[Partition], then: Callable[[], None], *, shutdown: bool = False) -> None:
        """Revoked with notice: block until the loop says which offsets to commit."""
        assert not self._blocked
        self._blocked = True
        drained: Future[dict[Partition, CommitPoint]] = Future()
        self._drained = (drained, partitions, then)
        self._drain_until = self._stage.now + self._options.drain_seconds
        self._post(Revoking(partitions, drained, shutdown=shutdown), lambda: self._close(partitions))
        self._stage.after(self._options.drain_seconds + DRAIN_GRACE_SECONDS, lambda: self._check_answered(drained))

    def _close(self, partitions: list[Partition]) -> None:
        for partition in partitions:
            if partition in self.tenures:  # else it was lost in the meantime
                self.tenures[partition].closing = True
                self.tenures[partition].over(self._stage.now)

    def _check_answered(self, drained: Future[dict[Partition, CommitPoint]]) -> None:
        if self.alive and self._drained is not None and self._drained[0] is drained:
            raise Violation("drain", "a revoke was not answered within its time")

    def after_turn(self) -> None:
        """See whether the loop has answered a revoke."""
        if self._drained is not None and self._drained[0].done():
            drained, partitions, then = self._drained
            self._drained = None
            for partition in partitions:
                tenure = self.tenures[partition]
                tenure.note_drained()
                if not tenure.is_drained and self._stage.now < self._drain_until:
                    raise Violation("drain", f"{tenure} is given back with work under way, before time is up")
            # Behind the commits that were sent before: one connection.
            seconds = max(self._stage.between(0.0, 0.1), self._commit_arrives_at - self._stage.now)
            self._stage.after(seconds, lambda: self._finish_revoke(drained.result(), partitions, then))

    def _finish_revoke(
        self, points: dict[Partition, CommitPoint], partitions: list[Partition], then: Callable[[], None]
    ) -> None:
        if not self.alive:
            return
        committed = Committed(points, [], None)
        if points:
            owned = {self.tenures[partition]: point for partition, point in points.items()}
            committed = self._apply_commit(points, owned)
            self._post_committed(committed, owned)
        for partition in partitions:
            if partition in committed.accepted or partition not in points:
                self._broker.note_left(self.tenures[partition])
        self._forget(partitions)
        self._post(Revoked(partitions, committed.error))
        self._blocked = False
        then()
        while self._commands and not self._blocked:
            self._commands.popleft()()
        self.wake()

    def lose(self, partitions: list[Partition]) -> None:
        """Taken away without notice."""
        lost = [self.tenures[partition] for partition in partitions]
        self._forget(partitions)
        self._post(Lost(partitions), lambda: self._note_lost(lost))
        self._post(Granted([]))  # it joins again; what it is given then is told apart

    def _note_lost(self, tenures: list[Tenure]) -> None:
        for tenure in tenures:
            tenure.over(self._stage.now)

    def _forget(self, partitions: list[Partition]) -> None:
        for partition in partitions:
            self.tenures.pop(partition).ended = True
            self._resting.discard(partition)

    def _leave(self) -> None:
        self._stage.exercised["shutdowns"] += 1
        partitions = sorted(self.tenures)
        if partitions:
            self.give_up(partitions, lambda: self._post(ThreadEnded("kafka", None)), shutdown=True)
        else:
            self._post(ThreadEnded("kafka", None))
