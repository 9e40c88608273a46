"""A window to be judged without a broker: records, and what ledger, receipts, letters and commits say of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final, Literal

from consumer.audit.commits import Commit, Finished
from consumer.audit.gaps import Run
from consumer.audit.judge import Judge, Judgement
from consumer.audit.letters import Letters
from consumer.audit.proof import LedgerProof, Proof, ReceiptProof
from consumer.audit.redecoding import Decoder
from consumer.audit.window import Stretch
from consumer.avro.known_schemas import KnownSchemas
from consumer.choices import ApiDialect
from consumer.dead_letters.letter import Shape, letter_of
from consumer.receipts.receipt import Receipt, encode_receipt
from consumer.rekey.rewriting import rewritten, rules_of
from consumer.segment.decoding import DecodingRules
from consumer.sequencing.actions import WriteDeadLetter
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.commit_metadata import encode
from consumer.sequencing.dead_letter_headers import dead_letter_receipt, replay_headers
from consumer.sequencing.events import Batch, DeadLetterReason, Event, Partition, Record
from consumer.sequencing.offsets import OffsetTracker

SOURCE: Final = Partition("events", 0)
REPLAYS: Final = Partition("replays", 0)
TOPIC_ID: Final = "AbCdEfGhIjKlMnOpQrStUv"
CLUSTER: Final = "cluster"
OFFSETS_MAX: Final = 1000

By = Literal["ledger", "receipts"]


class Given:
    """One partition; offsets begin where it is told."""

    def __init__(
        self, by: By | None = None, *, dialect: ApiDialect = "destination", begins: int = 0, rekeyed: bool = False
    ) -> None:
        self.by = by
        self.records: list[Record] = []
        self.dead: list[Record] = []
        self.replays: list[Record] = []
        self.lines: list[bytes] = []
        self.receipts: list[Receipt] = [
            Receipt(topic, 0, 0, TOPIC_ID, begins=begins) for topic in ("events", "replays")
        ]
        self.commit = Commit(0)
        self.replay_commit = Commit(0)
        self.judged: list[Judgement] = []
        self._begins = begins
        self._dialect: ApiDialect = dialect
        self._rekeyed = rekeyed
        rules = DecodingRules(replay_topic="replays", rekeyed=rekeyed)
        self._decoder = Decoder(rules, "auto", KnownSchemas({}, has_registry=False))

    # ------------------------------------------------------------------ what happened

    def produce(self, value: dict[str, Any] | bytes | None, offset: int | None = None) -> Record:
        """A record, behind the last."""
        at = (self.records[-1].offset + 1 if self.records else 0) if offset is None else offset
        raw = json.dumps(value).encode() if isinstance(value, dict) else value
        record = Record(SOURCE, at, 1_000_000 + at, b"ann", raw)
        self.records.append(record)
        return record

    def rekey(self, value: dict[str, Any] | bytes, offset: int, number: int = 2) -> list[Record]:
        """What `rekey` writes of a record of another topic, behind the last."""
        raw = json.dumps(value).encode() if isinstance(value, dict) else value
        read = Record(Partition("unkeyed", number), offset, 2_000_000 + offset, None, raw)
        written = rewritten(read, None, rules_of(1_048_576), 1).written
        first = self.records[-1].offset + 1 if self.records else 0
        records = [
            Record(SOURCE, at, one.timestamp_ms, one.key, one.value, one.headers)
            for at, one in enumerate(written, first)
        ]
        self.records += records
        return records

    def track(self, offset: int | None = None, **more: Any) -> Record:
        """A track with a messageId of its own."""
        number = len(self.records)
        return self.produce(
            {"type": "track", "userId": "ann", "event": "Bought", "messageId": f"m{number}", **more}, offset
        )

    def tracks(self, count: int) -> list[Record]:
        """So many."""
        return [self.track() for _ in range(count)]

    def deliver(self, *records: Record, items: Iterable[int] | None = None) -> None:
        """One request with these, or with these items of one: accepted, in the ledger, and receipted."""
        events = [event for record in records for event in self._events(record)]
        if items is not None:
            events = [event for event in events if event.record.item_index in set[int | None](items)]
        insert_ids = [event.insert_id for event in events]
        self.lines.append(json.dumps({"accepted_at": 1.0, "insert_ids": insert_ids}).encode() + b"\n")
        indexes = [event.record.item_index for event in events]
        where = records[0].partition
        self.receipts.append(
            Receipt(
                where.topic,
                where.number,
                0,
                TOPIC_ID,
                self._begins,
                [event.record.offset for event in events],
                None if indexes == [None] * len(indexes) else indexes,
                insert_ids,
                200,
            )
        )

    def dead_letter(
        self, record: Record, reason: DeadLetterReason = DeadLetterReason.REFUSED, item: int | None = None
    ) -> Record:
        """It is written to the dead-letter topic."""
        assignment = Assignment(record.partition, OffsetTracker(0))
        of = record if item is None else [one.record for one in self._items(record)][item]
        letter = letter_of(
            WriteDeadLetter(assignment, of, reason, "why"), Shape.WHOLE, 0.0, "replays", rekeyed=self._rekeyed
        )
        dead = Record(Partition("dead", 0), len(self.dead), 9_000_000, letter.key, letter.value, letter.headers)
        self.dead.append(dead)
        return dead

    def replay(self, dead: Record) -> Record:
        """It is written to the replay topic."""
        receipt = dead_letter_receipt(dead)
        assert receipt is not None
        headers = replay_headers(dead, receipt)
        record = Record(REPLAYS, len(self.replays), 9_000_001, dead.key, dead.value, headers)
        self.replays.append(record)
        return record

    def commit_to(
        self, offset: int, runs: list[int] | None = None, *, topic_id: str | None = TOPIC_ID, cluster: str = CLUSTER
    ) -> None:
        """The group commits; `runs`: unfinished and finished ones in turn, from there on."""
        self.commit = Commit(offset, encode(offset, runs or [], cluster, topic_id).text)

    # ------------------------------------------------------------------ what is said of it

    def judge(self, topic_id: str | None = TOPIC_ID) -> Judge:
        """Judge all of it."""
        low = self.records[0].offset
        stretch = Stretch(low, self.records[-1].offset + 1)
        letters = Letters("events", {0: stretch}, topic_id, rekeyed=self._rekeyed)
        for dead in self.dead:
            letters.add(dead)
        replays_finished = Finished(self.replay_commit, CLUSTER, None)
        for replay in self.replays:
            letters.add_replay(replay, is_finished=replay.offset in replays_finished)
        finished = {0: Finished(self.commit, CLUSTER, topic_id)}
        judge = Judge(self._decoder, finished, letters, self._proof(stretch, topic_id))
        self.judged = []
        for record in self.records:
            judged = judge.judge(record)
            assert isinstance(judged, list)
            self.judged += judged
        judge.gaps.close({0: stretch.end})
        return judge

    def ends(self) -> list[str]:
        """Of each event, in order."""
        self.judge()
        return [f"{one.end.value} {one.reason}".rstrip() for one in self.judged]

    def gaps(self) -> list[Run]:
        """As runs."""
        return self.judge().gaps.runs

    def _proof(self, stretch: Stretch, topic_id: str | None) -> Proof:
        if self.by == "ledger":
            ledger = LedgerProof(self._dialect, topic_id)
            ledger.read(self.lines)
            return Proof(ledger, None, "replays")
        if self.by == "receipts":
            ids = {"events": topic_id, "replays": topic_id} if topic_id is not None else {}
            receipts = ReceiptProof({SOURCE: stretch, REPLAYS: Stretch(0, OFFSETS_MAX)}, ids)
            for receipt in self.receipts:
                receipts.add(Record(Partition("receipts", 0), 0, 0, None, encode_receipt(receipt)))
            return Proof(None, receipts, "replays")
        return Proof(None, None, "replays")

    def _items(self, record: Record) -> list[Any]:
        decoded = self._decoder.decode(record)
        return list(decoded.items) if isinstance(decoded, Batch) else [decoded]

    def _events(self, record: Record) -> list[Event]:
        return [item for item in self._items(record) if isinstance(item, Event)]
