"""Which dead letters are meant, and in which order they are replayed. Pure.

Kept of each is what a list shows and an order needs, some 500 bytes; values are read again when it is their turn.

Order. A dead-letter topic is not in the order of its origin: one that had to be written again stands behind later
ones, and one that failed again after a replay comes at the end. So all that is selected is sorted by its place at the
origin, and written to the replay partition of the origin's number (modulo; there is one unless somebody made more):
there a user's events are in the order in which they were produced, as far as they were selected together. A replay is
the receipt of its dead letter, and receipts appear in this order: what is interrupted goes on in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec

from consumer.avro.known_schemas import Read, Unreadable
from consumer.avro.wire_format import Encoded, wire_format
from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.dead_letter_headers import (
    BATCH_OMITTED,
    BODY,
    FAILED_AT,
    MESSAGE,
    REASON,
    STATUS,
    VALUE_OMITTED,
    Receipt,
    dead_letter_receipt,
    tail,
)
from consumer.sequencing.events import Batch, DeadLetterReason, Event, Kind, Record

DETAIL_CHARACTERS_MAX: Final = 120
BODY_CHARACTERS_MAX: Final = 120
NO_REASON: Final = "unknown"
"""The reason of a dead letter that somebody else wrote, with Kafka Connect's headers alone."""
UNREAD: Final = "unread"
"""The type of an event in Avro whose schema only the registry has."""
RUN_GAP_MAX: Final = 500
"""Reading past so many unwanted records costs less than a new fetch elsewhere (some milliseconds)."""

# Whatever is set for `run`: here the question is only whose event it is.
_ANY_EVENT: Final = DecodingRules(anonymous="forward", integrations="ignore", record_bytes_max=2**63)


REASONS: Final = (*(reason.value for reason in DeadLetterReason), NO_REASON)
"""All reasons that a dead letter may have: the list is closed."""


class DeadLetter(msgspec.Struct, frozen=True, gc=False):
    """A dead letter without its key, value and headers."""

    partition: int
    offset: int
    """Its own offset, in the dead-letter topic."""
    receipt: Receipt
    """Which record it is, and how often that has been replayed before."""
    reason: str
    detail: str
    status: str
    body: str
    """The beginning of what the destination answered."""
    failed_at_ms: int
    type: str
    user: str | None
    """The event's user. If the event can't be read: the record's key, which should be the user's id."""
    size_bytes: int
    value_omitted: bool
    batch_omitted: bool
    """Whether what decides is missing, so that only the whole batch says how the item ends."""

    @property
    def is_identify(self) -> bool:
        """Whether its traits could overwrite newer ones, or nobody here can say.

        One that this version can't read is none: the service, of the same version, won't send it either. But the
        registry may have a schema by now.
        """
        return self.type in (UNREAD, Kind.IDENTIFY.value)


Shorten = Callable[[str, int], str]
"""Gives the beginning of what a server said, without secrets: earlier versions wrote some down."""


def _beginning(text: str, characters_max: int) -> str:
    return text[:characters_max]


def read_dead_letter(record: Record, readers: Mapping[bytes, Read], shorten: Shorten = _beginning) -> DeadLetter | None:
    """A record of the dead-letter topic as a dead letter; None: it does not say where it came from.

    `readers`: those of single objects, by the fingerprint of their schema.
    """
    receipt = dead_letter_receipt(record)
    if receipt is None:
        return None
    said = tail(record.headers)
    type_, user = _whose(record, readers)
    return DeadLetter(
        record.partition.number,
        record.offset,
        receipt,
        _shared(_text(said.get(REASON)) or NO_REASON),
        shorten(_text(said.get(MESSAGE)), DETAIL_CHARACTERS_MAX),
        _shared(_text(said.get(STATUS))),
        _shared(shorten(_text(said.get(BODY)), BODY_CHARACTERS_MAX)),
        _milliseconds(_text(said.get(FAILED_AT)), record.timestamp_ms),
        _shared(type_),
        user,
        len(record.value or b""),
        VALUE_OMITTED in said,
        BATCH_OMITTED in said,
    )


@lru_cache(maxsize=64)
def _shared(text: str) -> str:
    """One object for each of the few texts that most of them share."""
    return text


def _json_of(record: Record, readers: Mapping[bytes, Read]) -> bytes | None:
    """The text of the event; None: only a schema of the registry reads it, and the registry is not asked here."""
    encoded = wire_format(record, "auto")
    if not isinstance(encoded, Encoded):
        return record.value
    read = readers.get(encoded.schema) if isinstance(encoded.schema, bytes) else None
    if read is None:  # behind the id of a JSON Schema stands JSON
        return encoded.payload if encoded.payload[:1] == b"{" else None
    try:
        return read(encoded.payload)
    except Unreadable:
        return record.value


def _whose(record: Record, readers: Mapping[bytes, Read]) -> tuple[str, str | None]:
    key = None if record.key is None else _text(record.key)
    text = _json_of(record, readers)
    if text is None and record.value is not None:
        return UNREAD, key
    decoded = decode(record, _ANY_EVENT, text)
    items = decoded.items if isinstance(decoded, Batch) else [decoded]
    if len(items) == 1 and isinstance(items[0], Event):
        return items[0].type, items[0].user.id
    # For a batch as a whole, one identify among its events is enough to be careful.
    types = [item.type for item in items]
    type_ = Kind.IDENTIFY.value if Kind.IDENTIFY.value in types else types[0]
    return type_, key


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")


def _milliseconds(text: str, otherwise: int) -> int:
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return otherwise


@dataclass(frozen=True, slots=True)
class Filters:
    """Which dead letters are meant; empty or None: any."""

    reasons: frozenset[str] = frozenset()
    user: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def match(self, letter: DeadLetter) -> bool:
        """Whether it is meant. Since and until are about the moment when it became a dead letter."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (self.user is None or letter.user == self.user)
            and (self.since_ms is None or letter.failed_at_ms >= self.since_ms)
            and (self.until_ms is None or letter.failed_at_ms < self.until_ms)
        )


class TooMany(Exception):
    """More dead letters match than are kept in memory."""


class Selection:
    """Dead letters that match, at most `letters_max`. A record with two dead letters, as after a crash, counts once."""

    def __init__(
        self, filters: Filters, letters_max: int, readers: Mapping[bytes, Read], shorten: Shorten = _beginning
    ) -> None:
        self.foreign = 0
        """How many records of the topic are dead letters of neither ours nor Kafka Connect's."""
        self.replayed: list[DeadLetter] = []
        self._filters = filters
        self._letters_max = letters_max
        self._readers = readers
        self._shorten = shorten
        self._pending: dict[Receipt, DeadLetter] = {}
        self._more: dict[Receipt, list[DeadLetter]] = {}
        """The second and later dead letters of the same failure."""
        self._count = 0

    def add(self, record: Record) -> None:
        """Look at a record of the dead-letter topic. Raises TooMany."""
        letter = read_dead_letter(record, self._readers, self._shorten)
        if letter is None:
            self.foreign += 1
            return
        if not self._filters.match(letter):
            return
        if self._count == self._letters_max:
            raise TooMany
        self._count += 1
        if letter.receipt in self._pending:
            self._more.setdefault(letter.receipt, []).append(letter)
        else:
            self._pending[letter.receipt] = letter

    def note_replayed(self, receipt: Receipt) -> None:
        """There is a replay of it."""
        if (letter := self._pending.pop(receipt, None)) is not None:
            self.replayed += [letter, *self._more.pop(receipt, [])]

    @property
    def pending(self) -> list[DeadLetter]:
        """One dead letter for each failure that is not replayed, in the order of replay."""
        return sorted(self._pending.values(), key=_at_origin)

    @property
    def all(self) -> list[DeadLetter]:
        """Everything that matches and is not replayed, in the order of the topic."""
        again = (letter for letters in self._more.values() for letter in letters)
        return sorted([*self._pending.values(), *again], key=_in_topic)


def _at_origin(letter: DeadLetter) -> tuple[str, int, str, int, int, int]:
    (topic, number), offset, _, item_index, topic_life = letter.receipt.origin
    return topic, number, topic_life, offset, item_index or 0, letter.receipt.replays


def _in_topic(letter: DeadLetter) -> tuple[int, int]:
    return letter.partition, letter.offset


def replayable(letters: Iterable[DeadLetter], *, identifies: bool) -> tuple[list[DeadLetter], dict[str, int]]:
    """Those that can be replayed; and how many can't, by reason."""
    chosen = []
    left = {"identify": 0, "value_omitted": 0, "batch_omitted": 0}
    for letter in letters:
        if letter.value_omitted:
            left["value_omitted"] += 1
        elif letter.batch_omitted:
            left["batch_omitted"] += 1
        elif letter.is_identify and not identifies:
            left["identify"] += 1
        else:
            chosen.append(letter)
    return chosen, left


def batches(letters: Sequence[DeadLetter], letters_max: int, bytes_max: int) -> Iterator[list[DeadLetter]]:
    """In order, each within both limits. A larger one goes alone."""
    batch: list[DeadLetter] = []
    size_bytes = 0
    for letter in letters:
        if batch and (len(batch) == letters_max or size_bytes + letter.size_bytes > bytes_max):
            yield batch
            batch, size_bytes = [], 0
        batch.append(letter)
        size_bytes += letter.size_bytes
    if batch:
        yield batch


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of one partition to be read in one go."""

    partition: int
    first: int
    last: int


def runs(letters: Iterable[DeadLetter]) -> list[Run]:
    """The stretches of the dead-letter topic that hold these."""
    found: list[Run] = []
    for partition, offset in sorted(_in_topic(letter) for letter in letters):
        if found and found[-1].partition == partition and offset - found[-1].last <= RUN_GAP_MAX:
            found[-1] = Run(partition, found[-1].first, offset)
        else:
            found.append(Run(partition, offset, offset))
    return found
