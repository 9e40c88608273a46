"""The loop of `rekey`: read, merge by time, write in transactions. One thread does all of it.

    fetch → merge (one order) → rewrite (under users' keys) → gather for 50 ms → one transaction → again

Nothing is polled while a transaction is open, so none is open when partitions move. What is gathered and not written is
in memory alone: it is written with the next transaction, or dropped when its partition is taken away.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError

from consumer.log_codes import Code, fields
from consumer.rekey.figures import Figures, produced_at
from consumer.rekey.growth import Remembered
from consumer.rekey.logs import Logs
from consumer.rekey.member import Member
from consumer.rekey.merge import Merge
from consumer.rekey.reading import Reading, Text
from consumer.rekey.rewriting import Unit, passed_on, rewritten, rules_of, with_other_times
from consumer.rekey.writer import Aborted, Writer
from consumer.sequencing.events import Partition, Record

if TYPE_CHECKING:
    from consumer.settings import Settings

POLL_SECONDS: Final = 0.05
BUSY_POLL_SECONDS: Final = 0.005
"""While something waits: for an answer that is not a record."""
GATHER_SECONDS: Final = 0.05
"""For how long records are gathered, from the first that may be written: a transaction costs some ten requests."""
TRANSACTION_RECORDS_MAX: Final = 5_000
TRANSACTION_BYTES_MAX: Final = 8 * 1024 * 1024
LAGS_SECONDS: Final = 1.0
CROWDED: Final = 1.5
"""At this many times the buffer's limit, every partition is paused of which something waits."""

log = logging.getLogger("consumer.rekey")


class Rekeyer:
    """One membership of the group and one producer, until one of them ends."""

    def __init__(  # noqa: PLR0917  the process names them once
        self,
        settings: Settings,
        remembered: Remembered,
        writer: Writer,
        reading: Reading,
        logs: Logs,
        figures: Figures,
        backoff: Callable[[int], float],
    ) -> None:
        """`remembered`: of the topics, as they are now; it is what each commit says."""
        self._writer = writer
        self._reading = reading
        self._logs = logs
        self._figures = figures
        self._backoff = backoff
        self._partitions = remembered.target_partitions
        self._life = remembered.life
        self._metadata = str(remembered)
        self._rules = rules_of(settings.record_bytes_max)
        self._events_max = settings.buffer_events_max
        self._bytes_max = settings.buffer_bytes_max
        self._merge = Merge(settings.rekey_wait_seconds)
        self._pending: deque[Unit] = deque()
        """In order, to be written."""
        self._pending_records = 0
        self._pending_bytes = 0
        self._pending_since = 0.0
        self._write_at = 0.0
        self._failures = 0
        self._set_aside: set[Partition] = set()
        self._newest_ms = 0
        self._lags_at = 0.0
        self.member: Member | None = None

    def gone(self, partitions: Collection[Partition]) -> None:
        """These partitions are no longer ours; called inside a poll."""
        if not partitions:
            return
        for partition in partitions:
            self._merge.gone(partition)
            self._set_aside.discard(partition)
        left = [unit for unit in self._pending if unit.record.partition not in partitions]
        self._pending.clear()
        self._pending_records = self._pending_bytes = 0
        for unit in left:
            self._gather(unit)
        told = "%d partitions are no longer ours; what of them is not written is read by their next owner"
        log.info(told, len(partitions), extra=fields(Code.PARTITIONS_REVOKED))

    def turn(self, member: Member) -> None:
        """Once round. Raises what ends this membership or this producer."""
        now = time.monotonic()
        self._figures.turned_at = now
        self._figures.joined = member.joined
        started = member.start_granted(now)
        for partition, start in started.items():
            self._merge.assigned(partition, start.offset, now)
        if started:
            told = "reading %d partitions of %s"
            topic = next(iter(started)).topic
            log.info(told, len(list(self._merge.partitions)), topic, extra=fields(Code.PARTITIONS_ASSIGNED))
        self._read(member)
        self._take_answers()
        self._release()
        self._hold_back(member)
        self._write_if_due(member)
        self._show(member)

    # ------------------------------------------------------------------ in

    def _read(self, member: Member) -> None:
        is_busy = self._merge.records > 0 or bool(self._pending)
        fetched = member.fetch(BUSY_POLL_SECONDS if is_busy else POLL_SECONDS)
        self._merge.add(fetched.records, int(time.time() * 1000))
        for partition, offset in fetched.read_to.items():
            self._merge.read_to(partition, offset)

    def _take_answers(self) -> None:
        if self._logs.failure is not None:
            raise self._logs.failure
        for asked_at, ends in self._logs.answers():
            self._merge.ended(ends, asked_at)
        self._logs.want(self._merge.waited_for())
        if self._set_aside and self._reading.has_news(time.monotonic()):
            for partition in self._set_aside:
                self._merge.take_back(partition)
            self._set_aside.clear()

    def _hold_back(self, member: Member) -> None:
        """Above the limit, those partitions are paused that have more than their share of what waits."""
        events = self._merge.records / self._events_max
        size = self._merge.size_bytes / self._bytes_max
        used = max(events, size)
        ours = list(self._merge.partitions)
        if used >= 1:
            # What may go on is what is waited for, unless it is never taken.
            share = self._merge.records / len(ours) / 2 if used < CROWDED else 0
            member.pause([partition for partition in ours if self._merge.waiting(partition) > share])
        elif paused := member.paused:
            # One that runs empty would be waited for.
            few = self._events_max // (8 * max(len(ours), 1))
            member.resume(p for p in paused if used <= 0.5 or self._merge.waiting(p) <= few)

    # ------------------------------------------------------------------ out

    def _release(self) -> None:
        """What is next, as long as there is room in a transaction."""
        now = time.monotonic()
        while not self._is_full() and (record := self._merge.head(now)) is not None:
            unit = self._unit(record, now)
            if unit is None:
                self._merge.set_aside(record.partition, now)
                self._set_aside.add(record.partition)
                continue
            self._merge.pop(record, now)
            if not self._pending:
                self._pending_since = now
            self._gather(unit)

    def _unit(self, record: Record, now: float) -> Unit | None:
        text = self._reading.text_of(record, now)
        if text is Text.NOT_YET:
            return None
        if text is Text.NONE:
            return passed_on(record, self._partitions, self._life)
        json = None if isinstance(text, Text) else text
        return rewritten(record, json, self._rules, self._partitions, self._life)

    def _gather(self, unit: Unit) -> None:
        self._pending.append(unit)
        self._pending_records += len(unit.written)
        self._pending_bytes += unit.record.size_bytes

    def _is_full(self) -> bool:
        return self._pending_records >= TRANSACTION_RECORDS_MAX or self._pending_bytes >= TRANSACTION_BYTES_MAX

    def _write_if_due(self, member: Member) -> None:
        now = time.monotonic()
        if not self._pending:
            if not self._merge.records:
                self._figures.wrote_at = now
            return
        if now < self._write_at or not (self._is_full() or now >= self._pending_since + GATHER_SECONDS):
            return
        units = list(self._pending)
        metadata = dict.fromkeys(self._merge.partitions, self._metadata)
        try:
            count = self._writer.write(units, metadata, member.group())
        except Aborted as aborted:
            self._aborted(aborted, now)
            return
        self._committed(units[:count], now)

    def _committed(self, units: list[Unit], began: float) -> None:
        now = time.monotonic()
        for unit in units:
            self._pending.popleft()
            self._pending_records -= len(unit.written)
            self._pending_bytes -= unit.record.size_bytes
            time_ms = unit.record.timestamp_ms
            if time_ms < self._newest_ms:
                self._figures.older += 1
            else:
                self._newest_ms = time_ms
        self._pending_since = now
        self._failures = 0
        figures = self._figures
        figures.ends.update(Counter(unit.end for unit in units))
        figures.written += sum(len(unit.written) for unit in units)
        figures.committed += 1
        figures.transaction_seconds += now - began
        figures.wrote_at = now
        if figures.problem is not None:
            log.info("transactions are committed again", extra=fields(Code.REKEY_WRITES))
            figures.problem = None

    def _aborted(self, aborted: Aborted, began: float) -> None:
        if aborted.error.code() == KafkaError.INVALID_TIMESTAMP:
            now_ms = int(time.time() * 1000)
            self._pending = deque(with_other_times(unit, now_ms) for unit in self._pending)
        now = time.monotonic()
        figures = self._figures
        figures.aborted += 1
        figures.transaction_seconds += now - began
        self._write_at = now + self._backoff(self._failures)
        self._failures += 1
        problem = self._writer.explained(aborted.error)
        if figures.problem != problem:
            told = "a transaction was aborted, and is written again: %s"
            log.warning(told, problem, extra=fields(Code.REKEY_ABORTED))
        figures.problem = problem

    # ------------------------------------------------------------------ shown

    def _show(self, member: Member) -> None:
        figures = self._figures
        figures.denied = self._logs.denied
        figures.client_problem = member.problem or self._reading.problem
        figures.waiting = self._merge.records + len(self._pending)
        figures.waiting_bytes = self._merge.size_bytes + self._pending_bytes
        figures.set_aside = len(self._set_aside)
        if (now := time.monotonic()) >= self._lags_at:
            self._lags_at = now + LAGS_SECONDS
            self._show_lags(member, now)

    def _show_lags(self, member: Member, now: float) -> None:
        merge, before, wall_ms = self._merge, self._figures.since, int(time.time() * 1000)
        not_written = Counter(unit.record.partition for unit in self._pending)
        oldest_ms = {unit.record.partition: unit.record.timestamp_ms for unit in reversed(self._pending)}
        lags: dict[tuple[str, str], int] = {}
        since: dict[tuple[str, str], float | None] = {}
        for p in merge.partitions:
            labels = (p.topic, str(p.number))
            lags[labels] = lag = member.behind(p, merge.position(p)) + merge.waiting(p) + not_written[p]
            since[labels] = produced_at(lag, oldest_ms.get(p, merge.oldest_ms(p)), before.get(labels), now, wall_ms)
        self._figures.lags, self._figures.since = lags, since
