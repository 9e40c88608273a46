"""Who says that an event arrived: a ledger that the destination has kept, or the consumer's receipts. Pure.

A ledger knows events by their insert_id. Two records with one messageId are one event to it, as they are to the
destination. It is taken to hold all that was sent of the window. Receipts know records by their place, each record for
itself, from the offset on that the first of a run of receipts names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.audit.letters import ITEMS, Replay, TooMany
from consumer.audit.window import Stretch
from consumer.receipts.receipt import decode_receipt
from consumer.sequencing.dead_letter_headers import TOPIC_LIFE_CHARACTERS, Origin
from consumer.sequencing.events import Event, Kind, Partition, Record

if TYPE_CHECKING:
    from consumer.choices import ApiDialect

INSERT_IDS_MAX: Final = 5_000_000
OFFSETS_MAX: Final = 2_000_000_000
"""Most offsets in all stretches; a byte each.

A topic thinned out by compaction may have far more offsets than records.
"""
_NOT_READABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""The last one comes from a megabyte of brackets."""


class _Entry(msgspec.Struct):
    """What is read of a ledger's line. The emulator writes more, and another destination's ledger may, too."""

    insert_ids: list[str]
    accepted_at: float = 0.0


class NoLedger(Exception):
    """A line of the file is no entry of a ledger."""


_decode_entry: Final = msgspec.json.Decoder(_Entry).decode


class LedgerProof:
    """What a ledger holds. It keeps a hash of 64 bits for each insert_id: some 70 bytes."""

    def __init__(self, dialect: ApiDialect, topic_id: str | None, insert_ids_max: int = INSERT_IDS_MAX) -> None:
        self.began_ms: int | None = None
        """When its first request was accepted."""
        self.requests = 0
        self._hashes: set[int] = set()
        self._insert_ids_max = insert_ids_max
        self._identifies_have_ids = dialect == "destination"
        self._life = (topic_id or "")[:TOPIC_LIFE_CHARACTERS]

    def read(self, lines: Iterable[bytes]) -> None:
        """Take its lines. Raises NoLedger, TooMany."""
        hashes = self._hashes
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                break  # it is being written, and was not there when the commits were read
            try:
                entry = _decode_entry(line)
            except _NOT_READABLE as error:
                raise NoLedger(f"line {number} is no entry of a ledger: {error}") from None
            if self.began_ms is None:
                self.began_ms = round(entry.accepted_at * 1000)
            self.requests += 1
            for insert_id in entry.insert_ids:
                hashes.add(hash(insert_id))
            if len(hashes) > self._insert_ids_max:
                raise TooMany(f"the ledger has more than {self._insert_ids_max} insert_ids; give it in parts")

    def says(self, event: Event) -> bool | None:
        """Whether it arrived; None: the ledger would not know it by an insert_id."""
        if hash(event.insert_id) in self._hashes:
            return True
        if event.kind is Kind.IDENTIFY and not self._identifies_have_ids:
            return None
        record = event.record
        origin = Origin(record.partition, record.offset, record.timestamp_ms, record.item_index)
        if self._life and event.insert_id == str(origin):  # made from its place, maybe with the topic's life
            return hash(str(origin._replace(topic_life=self._life))) in self._hashes
        return False


class ReceiptProof:
    """What receipts say of stretches: a byte for each offset, and a number for each batch."""

    def __init__(
        self, stretches: dict[Partition, Stretch], topic_ids: dict[str, str], offsets_max: int = OFFSETS_MAX
    ) -> None:
        """Raises TooMany."""
        if (offsets := sum(end - low for low, end in stretches.values())) > offsets_max:
            raise TooMany(f"the window and its replays have {offsets} offsets, more than {offsets_max}; narrow it")
        self.receipts = 0
        self.foreign = 0
        """How many records of the receipt topic are no receipts."""
        self._stretches = stretches
        self._topic_ids = topic_ids
        self._whole = {where: bytearray(end - low) for where, (low, end) in stretches.items()}
        self._items: dict[Partition, dict[int, int]] = {where: {} for where in stretches}
        """For batches: a bit for each item."""
        self._begins: dict[Partition, int] = {}

    def add(self, record: Record) -> None:
        """Note a record of the receipt topic."""
        try:
            receipt = decode_receipt(record.value or b"")
        except _NOT_READABLE:
            self.foreign += 1
            return
        self.receipts += 1
        where = Partition(receipt.topic, receipt.partition)
        stretch = self._stretches.get(where)
        topic_id = self._topic_ids.get(receipt.topic)
        if stretch is None or (receipt.topic_id and topic_id and receipt.topic_id != topic_id):
            return
        if receipt.begins is not None:
            self._begins[where] = min(receipt.begins, self._begins.get(where, receipt.begins))
        items = receipt.items or [None] * len(receipt.offsets)
        for offset, item in zip(receipt.offsets, items, strict=False):
            if offset not in stretch:
                continue
            if item is None:
                self._whole[where][offset - stretch.low] = 1
            elif 0 <= item < ITEMS:  # whoever may write to the topic may write another number
                self._items[where][offset] = self._items[where].get(offset, 0) | 1 << item

    def says(self, record: Record, replay: Replay | None, replay_topic: str) -> bool | None:
        """Whether it, or its replay, has a receipt; None: receipts began after it."""
        if self._has(record.partition, record.offset, record.item_index):
            return True
        if replay is not None:
            where = Partition(replay_topic, replay.partition)
            if self._has(where, replay.offset, None) or replay.offset in self._items.get(where, ()):
                return True
            return False if self._covers(where, replay.offset) else None
        return False if self._covers(record.partition, record.offset) else None

    def _has(self, where: Partition, offset: int, item: int | None) -> bool:
        stretch = self._stretches.get(where)
        if stretch is None or offset not in stretch:
            return False
        if item is not None:
            return bool(self._items[where].get(offset, 0) >> item & 1)
        return bool(self._whole[where][offset - stretch.low])

    def _covers(self, where: Partition, offset: int) -> bool:
        return self._begins.get(where, offset + 1) <= offset


class Proof:
    """The ledger and the receipts as one. The ledger counts first: it is the destination's own word."""

    def __init__(self, ledger: LedgerProof | None, receipts: ReceiptProof | None, replay_topic: str) -> None:
        self.ledger = ledger
        self.receipts = receipts
        self._replay_topic = replay_topic

    def says(self, record: Record, event: Event | None, replay: Replay | None) -> bool | None:
        """Whether it arrived; None: nobody can say. `event`: what it decodes to, if it is an event."""
        if self.ledger is not None and event is not None:
            said = self.ledger.says(event)
            if said is not None:
                return said
        return None if self.receipts is None else self.receipts.says(record, replay, self._replay_topic)
