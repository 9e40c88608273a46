"""Gathers from Kafka what a window is judged by. It changes nothing, and joins no group.

The order matters: commits are read first. What a commit calls finished had its dead letter or its receipt before. So
the ends of those topics, which are asked for later, lie behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException

from consumer.audit.commits import Commit, Finished
from consumer.audit.letters import Letters
from consumer.audit.proof import LedgerProof, Proof, ReceiptProof
from consumer.audit.retention import demand_kept
from consumer.audit.window import Stretch, Window
from consumer.dead_letters.text import iso
from consumer.kafka.client import KafkaUnavailable
from consumer.kafka.reader import Bounds, TopicReader
from consumer.kafka.topic_ids import TopicIds
from consumer.sequencing.events import Partition, Record

if TYPE_CHECKING:
    from consumer.settings import Settings

ASK_SECONDS: Final = 5.0
LOOK_BACK_MS: Final = 3_600_000
"""How far before the window dead letters and receipts are read at first.

They are written after their records, but by the brokers' clock, and records have their producers' time. If something is
missing, all of them are read.
"""
DISORDER_RECORDS: Final = 1000
"""Times do not always rise with offsets. A stretch ends where this many records in a row are later than the window."""

Advance = Callable[[int], None]


@dataclass(slots=True)
class Evidence:
    """What there is to judge by."""

    stretches: dict[int, Stretch]
    ends: dict[int, int]
    """Where each partition ends."""
    finished: dict[int, Finished]
    letters: Letters
    proof: Proof
    is_whole: bool
    """Whether all dead letters and receipts that there are were read."""
    notes: list[str] = field(default_factory=list)


class Gathering:
    """Gathers for one window."""

    def __init__(self, settings: Settings, reader: TopicReader, window: Window, advance: Advance) -> None:
        self._settings = settings
        self._reader = reader
        self._window = window
        self._advance = advance
        self._ids: dict[str, str] = {}

    @property
    def topic_id(self) -> str | None:
        """The id of the source topic as it is now; None: the cluster gives topics no ids."""
        return self._ids.get(self._settings.kafka_topic)

    def gather(self, *, is_whole: bool, ledger: Callable[[LedgerProof], None] | None) -> Evidence:
        """Gather everything. `ledger` reads the ledger, if there is one.

        Raises TooOld, TooMany, NoLedger, KafkaUnavailable.
        """
        settings, reader = self._settings, self._reader
        source, replays = settings.kafka_topic, settings.replay_topic
        commits = {topic: reader.commits(topic, reader.partitions(topic)) for topic in (source, replays)}
        self._ids = _topic_ids(settings, source, replays)
        cluster_id = reader.cluster_id()
        bounds = self._bounds("kafka_topic")
        demand_kept(settings, reader, source, bounds, self._window)
        stretches = self._stretches(bounds)
        finished = {n: Finished(_commit(commits[source].get(n)), cluster_id, self.topic_id) for n in bounds}
        letters = Letters(source, stretches, self.topic_id, rekeyed=settings.rekeyed)
        read_whole = self._read_letters(letters, is_whole=is_whole)
        replay_bounds = reader.bounds(replays)
        self._read_replays(letters, replay_bounds, commits[replays], cluster_id)
        receipts, receipts_whole = self._receipts(stretches, replay_bounds, is_whole=is_whole)
        ledger_proof = None
        if ledger is not None:
            ledger_proof = LedgerProof(settings.api_dialect, self.topic_id)
            ledger(ledger_proof)
        proof = Proof(ledger_proof, receipts, replays)
        ends = {number: end for number, (_, end) in bounds.items()}
        evidence = Evidence(stretches, ends, finished, letters, proof, read_whole and receipts_whole)
        evidence.notes += _notes(source, finished, commits[source], ledger_proof, self._window)
        if receipts is not None and receipts.foreign:
            evidence.notes.append(f"{receipts.foreign} records of {settings.receipt_topic} are no receipts")
        return evidence

    def _bounds(self, setting: str) -> dict[int, Bounds]:
        topic = getattr(self._settings, setting)
        bounds = self._reader.bounds(topic)
        if not bounds:
            raise KafkaUnavailable(
                f"there is no topic {topic!r} ({self._settings.origin(setting)}) at "
                f"{self._settings.kafka_bootstrap_servers}, or this user may not see it"
            )
        return bounds

    def _stretches(self, bounds: Mapping[int, Bounds]) -> dict[int, Stretch]:
        topic, window = self._settings.kafka_topic, self._window
        starts = self._reader.offsets_at(topic, bounds, window.from_ms)
        ends = self._reader.offsets_at(topic, bounds, window.to_ms)
        found = {}
        for number, (low, end) in bounds.items():
            start = max(starts.get(number, end), low)
            found[number] = Stretch(start, max(ends.get(number, end), start))
        looked_at = {n: stretch.end for n, stretch in found.items() if stretch.end < bounds[n].end}
        while looked_at:
            ahead = {n: Bounds(at, min(at + DISORDER_RECORDS, bounds[n].end)) for n, at in looked_at.items()}
            lasts: dict[int, int] = {}
            for record in self._reader.read(topic, ahead):
                self._advance(0)
                if record.timestamp_ms < window.to_ms:
                    lasts[record.partition.number] = record.offset
            found |= {n: Stretch(found[n].low, last + 1) for n, last in lasts.items()}
            looked_at = {n: last + 1 for n, last in lasts.items() if last + 1 < bounds[n].end}
        return found

    def _from(self, topic: str, bounds: Mapping[int, Bounds], *, is_whole: bool) -> dict[int, Bounds]:
        """Where to begin reading for what was written after the window's records."""
        if is_whole:
            return dict(bounds)
        # A time below 0 would be one of Kafka's special values, such as "the end".
        starts = self._reader.offsets_at(topic, bounds, max(self._window.from_ms - LOOK_BACK_MS, 0))
        return {n: Bounds(max(starts.get(n, end), low), end) for n, (low, end) in bounds.items()}

    def _read_letters(self, letters: Letters, *, is_whole: bool) -> bool:
        """Whether all of them were read."""
        topic, bounds = self._settings.dead_letter_topic, self._bounds("dead_letter_topic")
        demand_kept(self._settings, self._reader, topic, bounds, self._window)
        stretches = self._from(topic, bounds, is_whole=is_whole)
        for record in self._reader.read(topic, stretches):
            letters.add(record)
            self._advance(1)
        return stretches == bounds

    def _read_replays(
        self,
        letters: Letters,
        bounds: Mapping[int, Bounds],
        commits: Mapping[int, tuple[int, str | None]],
        cluster_id: str,
    ) -> None:
        topic = self._settings.replay_topic
        topic_id = self._ids.get(topic)
        finished = {number: Finished(_commit(commits.get(number)), cluster_id, topic_id) for number in bounds}
        for record in self._reader.read(topic, bounds):
            letters.add_replay(record, is_finished=record.offset in finished[record.partition.number])
            self._advance(1)

    def _receipts(
        self, stretches: Mapping[int, Stretch], replays: Mapping[int, Bounds], *, is_whole: bool
    ) -> tuple[ReceiptProof | None, bool]:
        """What receipts say, and whether all of them were read."""
        settings, reader = self._settings, self._reader
        if settings.receipt_topic is None:
            return None, True
        bounds = self._bounds("receipt_topic")
        demand_kept(settings, reader, settings.receipt_topic, bounds, self._window)
        where = {Partition(settings.kafka_topic, number): stretch for number, stretch in stretches.items()}
        where |= {Partition(settings.replay_topic, number): Stretch(*bound) for number, bound in replays.items()}
        proof = ReceiptProof(where, self._ids)
        read_from = self._from(settings.receipt_topic, bounds, is_whole=is_whole)
        for record in reader.read(settings.receipt_topic, read_from):
            proof.add(record)
            self._advance(1)
        return proof, read_from == bounds

    def records(self, stretches: Mapping[int, Stretch]) -> Iterator[Record]:
        """The records of the window, in the order of each partition."""
        for record in self._reader.read(self._settings.kafka_topic, {n: Bounds(*one) for n, one in stretches.items()}):
            self._advance(1)
            if self._window.from_ms <= record.timestamp_ms < self._window.to_ms:
                yield record


def _topic_ids(settings: Settings, *topics: str) -> dict[str, str]:
    """The ids that the cluster tells. Without one, a topic that was made again is taken for the one before."""
    ids = TopicIds(settings)
    ids.start()
    try:
        seen = ids.seen(topics, ASK_SECONDS).known
    except KafkaException:
        return {}
    return {topic: one.topic_id for topic, one in seen.items() if one.topic_id is not None}


def _commit(known: tuple[int, str | None] | None) -> Commit | None:
    return None if known is None else Commit(*known)


def _notes(
    topic: str,
    finished: Mapping[int, Finished],
    commits: Mapping[int, object],
    ledger: LedgerProof | None,
    window: Window,
) -> list[str]:
    """What a reader of the verdict should know."""
    notes = []
    if others := [number for number, one in finished.items() if one.is_of_another_topic]:
        shown = ", ".join(map(str, others[:10]))
        notes.append(
            f"the commits of partition {shown} are of an earlier topic {topic}: they say nothing of these records"
        )
    if without := [number for number in finished if number not in commits]:
        notes.append(f"the group has committed nothing of partition {', '.join(map(str, without[:10]))}")
    if ledger is not None and ledger.began_ms is not None and ledger.began_ms > window.from_ms:
        notes.append(f"the ledger begins at {iso(ledger.began_ms)}, in the window: what arrived before is not in it")
    if ledger is not None and not ledger.requests:
        notes.append("the ledger is empty")
    return notes
