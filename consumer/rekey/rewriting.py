"""One record → what is written of it under the ids of its users. Pure.

A record with one event is written as it is, with the user's id as its key. A batch is written item by item, since its
users have different keys: each as a dead letter of an item would have it (dead_letters/letter.py), which `run` reads.
Whatever has no user, or can't be read, is passed on as it is, so that one place decides what becomes of it: `run`,
which knows from the headers where it lay.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from consumer.dead_letters.letter import headers_bytes, value_of
from consumer.kafka.murmur2 import partition_of
from consumer.segment.batch_part import DECIDING_BYTES_MAX
from consumer.segment.decoding import DecodingRules, decode
from consumer.segment.usual_event import usual_event
from consumer.sequencing.dead_letter_headers import BATCH_INDEX, ITEM_INDEX
from consumer.sequencing.events import Batch, Decoded, Event, Headers, Record
from consumer.sequencing.rekeyed_headers import ORIGIN_TIMESTAMP, origin_tail, without_claims


class End(StrEnum):
    """What became of a record: the label of a counter."""

    KEYED = "keyed"
    SPLIT = "split"
    """A batch, of which each item is written."""
    PASSED_ON = "passed_on"
    """It has no user, or can't be read."""
    BATCH_PASSED_ON = "batch_passed_on"
    """A batch whose items would each take along more than a dead letter may: it is written whole."""


class Written(NamedTuple):
    """A record of the target."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    partition: int


class Unit(NamedTuple):
    """All that is written of one record: it is committed together or not at all."""

    record: Record
    end: End
    written: tuple[Written, ...]


SHARED_BYTES_MAX: Final = DECIDING_BYTES_MAX
"""Of key and headers that each item of a batch takes along: without a limit 2,500 items of 1 MB could make 2 GB."""
NAMES_AN_ITEM: Final = frozenset({ITEM_INDEX, BATCH_INDEX})
KEYS_CACHED: Final = 100_000

_partition_of = lru_cache(KEYS_CACHED)(partition_of)
"""Chosen here and not by the client: when a topic grows, a client that hears of it spreads keys over more partitions
from one record to the next, and a user's events would lie in two."""


def rules_of(record_bytes_max: int) -> DecodingRules:
    """Rules that leave out nobody's events: which are wanted is decided by `run`."""
    return DecodingRules(anonymous="forward", integrations="ignore", record_bytes_max=record_bytes_max)


def rewritten(record: Record, text: bytes | None, rules: DecodingRules, partitions: int, life: bytes = b"") -> Unit:
    """What is written of a record.

    `text`: its JSON where it is Avro; `partitions`: how many the target has; `life`: what is said of its topic.
    """
    usual = usual_event(record, rules) if text is None else None
    decoded = decode(record, rules, text) if usual is None else usual
    if isinstance(decoded, Event):
        return Unit(record, End.KEYED, (_whole(record, decoded.user.id.encode(), partitions, life),))
    if not isinstance(decoded, Batch):
        return passed_on(record, partitions, life)
    if _takes_too_much(decoded):
        return Unit(record, End.BATCH_PASSED_ON, (_whole(record, None, partitions, life),))
    items = tuple(_item(item, partitions, life) for item in decoded.items)
    return Unit(record, End.SPLIT, items)


def passed_on(record: Record, partitions: int, life: bytes = b"") -> Unit:
    """A record that is written as it is, with its own key."""
    return Unit(record, End.PASSED_ON, (_whole(record, None, partitions, life),))


def with_other_times(unit: Unit, now_ms: int) -> Unit:
    """The same for a topic that does not take records' times: it has the time of now, and a header the record's own."""
    own = (ORIGIN_TIMESTAMP, str(max(unit.record.timestamp_ms, 0)).encode())
    changed = [one._replace(timestamp_ms=now_ms, headers=[*one.headers, own]) for one in unit.written]
    return unit._replace(written=tuple(changed))


def _whole(record: Record, user_key: bytes | None, partitions: int, life: bytes) -> Written:
    headers = without_claims(record.headers) + origin_tail(record, life)
    return _written(record, user_key, record.value, headers, partitions)


def _item(item: Decoded, partitions: int, life: bytes) -> Written:
    record = item.record
    assert record.item is not None
    # What named an item before was about this one, and is said again.
    own = [header for header in without_claims(record.headers) if header[0] not in NAMES_AN_ITEM]
    index: Headers = [(ITEM_INDEX, str(record.item.index).encode())]
    user_key = item.user.id.encode() if isinstance(item, Event) else None
    return _written(record, user_key, value_of(record), own + origin_tail(record, life) + index, partitions)


def _written(record: Record, user_key: bytes | None, value: bytes | None, headers: Headers, partitions: int) -> Written:
    key = record.key if user_key is None else user_key
    # Without any key it stays with its neighbours: there is no order among them that could be kept better.
    to = record.partition.number % partitions if key is None else _partition_of(key, partitions)
    return Written(key, value, headers, max(record.timestamp_ms, 0), to)


def _takes_too_much(batch: Batch) -> bool:
    item = batch.items[0].record.item
    if item is None or item.batch.items == 1:
        return item is not None and bool(item.batch.omitted_bytes)
    shared = len(batch.record.key or b"") + headers_bytes(batch.record.headers or [])
    return bool(item.batch.omitted_bytes) or shared > SHARED_BYTES_MAX
