"""The dead letters of the window's records, and their replays, by the place of the record. Pure.

That is the place where it was produced. A record that `rekey` has written says it in a header, and its dead letters
name it. Since it may be any place of another topic, all dead letters are kept then.

A few numbers are kept of each, some 330 bytes. A record may have several: a crash between a dead letter and its commit
leaves two, and one that failed again after a replay has another. The last one counts: a replay of the last dead letter,
or a dead letter after the last replay.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from consumer.audit.window import Stretch
from consumer.sequencing.dead_letter_headers import (
    REASON,
    TIMESTAMP,
    Origin,
    Receipt,
    dead_letter_receipt,
    origin_of,
    replay_receipt,
    tail,
)
from consumer.sequencing.events import DeadLetterReason, Partition, Record

LETTERS_MAX: Final = 1_000_000
UNKNOWN_REASON: Final = "unknown"
REASONS: Final = {reason.value.encode(): reason.value for reason in DeadLetterReason}
ITEMS: Final = 4096
"""More items than a batch may have."""
Place = tuple[Partition, int]
"""Of a record or an item: its partition, and a number for offset and index."""


class TooMany(Exception):
    """The window has more than may be kept in memory. The text says what to narrow."""


class Fate(NamedTuple):
    """Why a record was dead-lettered last, and its last replay, if there is one."""

    reason: str
    """The reason of the last dead letter."""
    replay: Replay | None
    """The replay of that dead letter, if there is one."""


class Replay(NamedTuple):
    """Its place in the replay topic, and whether the group has finished it there."""

    partition: int
    offset: int
    is_finished: bool


class _Letter(NamedTuple):
    replays: int
    timestamp_ms: int | None
    """None: the letter does not say it."""
    reason: str


class _Replay(NamedTuple):
    replays: int
    timestamp_ms: int
    replay: Replay


class Letters:
    """Those of records in these stretches of the source topic."""

    def __init__(
        self,
        topic: str,
        stretches: dict[int, Stretch],
        topic_id: str | None,
        letters_max: int = LETTERS_MAX,
        *,
        rekeyed: bool = False,
    ) -> None:
        """`rekeyed`: the topic is written by `rekey`, whose headers say where each record was produced."""
        self.count = 0
        """How many dead letters and replays are kept."""
        self._topic = topic
        self._stretches = stretches
        self._topic_id = topic_id
        self._letters_max = letters_max
        self._rekeyed = rekeyed
        self._partitions: dict[Partition, Partition] = {}
        """One for all of its letters: a name for each of them would take more than the rest."""
        self._letters: dict[Place, list[_Letter]] = {}
        self._replays: dict[Place, list[_Replay]] = {}

    def add(self, record: Record) -> None:
        """Note a record of the dead-letter topic. Raises TooMany."""
        receipt = dead_letter_receipt(record)
        place = None if receipt is None else self._place(receipt)
        if receipt is None or place is None:
            return
        said = tail(record.headers)
        timestamp_ms = receipt.origin.timestamp_ms if TIMESTAMP in said else None
        letter = _Letter(receipt.replays, timestamp_ms, REASONS.get(said.get(REASON, b""), UNKNOWN_REASON))
        self._letters.setdefault(place, []).append(letter)
        self._note()

    def add_replay(self, record: Record, *, is_finished: bool) -> None:
        """Note a record of the replay topic; `is_finished`: by the group's commit. Raises TooMany."""
        receipt = replay_receipt(record)
        place = None if receipt is None else self._place(receipt)
        if receipt is None or place is None:
            return
        replay = Replay(record.partition.number, record.offset, is_finished)
        found = _Replay(receipt.replays, receipt.origin.timestamp_ms, replay)
        self._replays.setdefault(place, []).append(found)
        self._note()

    def of(self, record: Record) -> Fate | None:
        """What became of this record, or of this item of it, by its dead letters; None: it has none."""
        if not self._letters:
            return None
        origin = origin_of(record, "", rekeyed=self._rekeyed)
        place = _key(origin.partition, origin)
        letters = [one for one in self._letters.get(place, ()) if one.timestamp_ms in (None, origin.timestamp_ms)]
        if not letters:
            return None
        last = max(letters, key=lambda letter: letter.replays)
        replays = [
            one.replay
            for one in self._replays.get(place, ())
            if one.timestamp_ms == origin.timestamp_ms and one.replays >= last.replays
        ]
        return Fate(last.reason, replays[-1] if replays else None)

    def _place(self, receipt: Receipt) -> Place | None:
        """The record's place, if it may be one of the window. A letter may be about an earlier topic of that name."""
        origin = receipt.origin
        if origin.partition.topic == self._topic:
            stretch = self._stretches.get(origin.partition.number)
            if stretch is None or origin.offset not in stretch:
                return None
            if origin.topic_life and self._topic_id and not self._topic_id.startswith(origin.topic_life):
                return None
        elif not self._rekeyed:
            return None
        if origin.item_index is not None and origin.item_index >= ITEMS - 1:  # it would count for the next offset
            return None
        return _key(self._partitions.setdefault(origin.partition, origin.partition), origin)

    def _note(self) -> None:
        self.count += 1
        if self.count > self._letters_max:
            raise TooMany(f"more than {self._letters_max} dead letters and replays are to be kept; narrow the window")


def _key(partition: Partition, origin: Origin) -> Place:
    index = origin.item_index
    return partition, origin.offset * ITEMS + (0 if index is None else index + 1)
