"""What a dead letter is made of: key, value and headers, in the shape that its topic takes. Pure.

Headers are those of Kafka Connect (strings), so that tools which read its dead letters read ours, and `customfit.*`.

The dead letter of an item of a batch is a batch of that item alone: its text as it was received, and what of its batch
decides how it ends (segment/batch_part.py). The header `customfit.item_index` names the item. Each item of a batch may
become a dead letter and take key and headers of the record along, so these are bounded: all dead letters of a record
together have at most its own size and 6 KiB an item. Longer ones are left out, and a header says how large they were.

A letter is made when it is its turn to be written: until then it is the record, which all items of a batch share.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Final, NamedTuple

from consumer.segment.batch_part import DECIDING_BYTES_MAX
from consumer.sequencing.actions import WriteDeadLetter
from consumer.sequencing.dead_letter_headers import (
    BATCH_OMITTED,
    BODY,
    FAILED_AT,
    HEADERS_OMITTED,
    ITEM_INDEX,
    KEY_OMITTED,
    MESSAGE,
    OFFSET,
    PARTITION,
    REASON,
    REPLAYS,
    STATUS,
    TIMESTAMP,
    TOPIC,
    TOPIC_LIFE,
    VALUE_OMITTED,
    Origin,
    carried,
    named_item,
    omitted,
    origin_of,
)
from consumer.sequencing.events import DeadLetterReason, Headers, Record
from consumer.sequencing.rekeyed_headers import said_key

EXCEPTION_CLASSES: Final = {
    DeadLetterReason.UNDECODABLE: "consumer.Undecodable",
    DeadLetterReason.INVALID_EVENT: "consumer.InvalidEvent",
    DeadLetterReason.TOO_LARGE: "consumer.TooLarge",
    DeadLetterReason.REFUSED: "consumer.Refused",
    DeadLetterReason.UNIDENTIFIED: "consumer.Unidentified",
    DeadLetterReason.GAVE_UP: "consumer.GaveUp",
}
DETAIL_BYTES_MAX: Final = 500
RECORD_BYTES_MAX: Final = 100_000_000
"""Largest record that is tried at all: above socket.request.max.bytes (104,857,600) a broker closes the connection.

It does not refuse the request, so a larger record would be tried for ever: a compressed batch of 1 MB can hold one.
"""
_LEFT_OUT: Final = (BATCH_OMITTED, KEY_OMITTED, HEADERS_OMITTED)
HEADER_BYTES: Final = 10
"""What a header takes beside its name and value, at most: two numbers of up to five bytes."""

Mask = Callable[[str], str]


class Shape(Enum):
    """How much of the record goes along: less if the topic refuses it, so that it never blocks its partition."""

    WHOLE = "whole"
    ALONE = "alone"
    """Whole, in a batch of its own: the broker refuses batches as a whole, small records beside a large one, too."""
    VALUELESS = "valueless"
    BARE = "bare"
    """Only our own headers: where the record was, and why it is here."""


NEXT_SHAPE: Final = {Shape.WHOLE: Shape.ALONE, Shape.ALONE: Shape.VALUELESS, Shape.VALUELESS: Shape.BARE}


class Letter(NamedTuple):
    """A dead letter as it is written to the topic."""

    origin: Origin
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int

    @property
    def size_bytes(self) -> int:
        """About how many bytes it takes on its way."""
        return len(self.key or b"") + len(self.value or b"") + headers_bytes(self.headers)


def letter_of(
    action: WriteDeadLetter,
    shape: Shape,
    failed_at: float,
    replay_topic: str,
    mask: Mask = lambda text: text,
    *,
    rekeyed: bool = False,
) -> Letter:
    """Make the dead letter. That of a replayed record is made of the record as it was produced at first.

    Our headers are appended to the record's, since readers take the last one of a name. `mask` removes secrets from
    what a server has said. The destination's body was masked when it arrived, before it was cut. `rekeyed`: the record
    says where it lay, and with which key, before `rekey` wrote it.
    """
    record = action.record
    origin = origin_of(record, replay_topic, rekeyed=rekeyed)
    is_replay = record.partition.topic == replay_topic
    if not is_replay and origin.partition == record.partition:
        origin = origin._replace(topic_life=action.assignment.topic_life)
    own, replays = carried(record, replay_topic, rekeyed=rekeyed)
    key = said_key(record) if rekeyed and not is_replay else record.key
    value = value_of(record)
    # What an earlier dead letter of this record left out is missing in this one too.
    left_out = {name: size for name in _LEFT_OUT if (size := omitted(record.headers, name))}
    if record.item is not None and record.item.batch.omitted_bytes:
        left_out[BATCH_OMITTED] = record.item.batch.omitted_bytes
    if shape is Shape.BARE:
        own, key = [], None
    else:
        own, key = _within_limits(record, key, own, left_out)
    if shape in (Shape.VALUELESS, Shape.BARE) and value is not None:
        left_out[VALUE_OMITTED] = len(value)
        value = None
    headers = [*own, *_about(action, origin, replays, failed_at, mask)]
    headers += [(name, str(size).encode()) for name, size in left_out.items()]
    timestamp_ms = 0 if shape is Shape.BARE else max(origin.timestamp_ms, 0)
    return Letter(origin, key, value, headers, timestamp_ms)


def first_shape(record: Record) -> Shape:
    """Whole, unless that is more than any broker takes."""
    around = len(record.key or b"") + sum(len(value or b"") for _, value in record.headers or ())
    if around + value_bytes(record) <= RECORD_BYTES_MAX:
        return Shape.WHOLE
    return Shape.VALUELESS if around <= RECORD_BYTES_MAX else Shape.BARE


def value_bytes(record: Record) -> int:
    """About how large the value of its dead letter is."""
    if record.item is None:
        return len(record.value or b"")
    return len(memoryview(record.item.text)) + len(record.item.batch.deciding)


def headers_bytes(headers: Headers) -> int:
    """What headers take in a record, at most."""
    return sum(len(name.encode()) + len(value or b"") + HEADER_BYTES for name, value in headers)


def value_of(record: Record) -> bytes | None:
    """The record's value; of an item of a batch, a batch of that item alone."""
    item = record.item
    if item is None:
        return record.value
    deciding = b"," + item.batch.deciding if item.batch.deciding else b""
    return b"".join([b'{"batch":[', memoryview(item.text), b"]", deciding, b"}"])


def _within_limits(
    record: Record, key: bytes | None, own: Headers, left_out: dict[str, int]
) -> tuple[Headers, bytes | None]:
    """The record's headers and key as far as they go along; notes the size of what does not."""
    if record.item is None or record.item.batch.items == 1:
        return own, key
    # What decides goes first. The rest is for whoever looks for the event.
    left = DECIDING_BYTES_MAX - len(record.item.batch.deciding)
    if key is not None and len(key) > left:
        left_out[KEY_OMITTED] = len(key)
        key = None
    if (size := headers_bytes(own)) > left - len(key or b""):
        left_out[HEADERS_OMITTED] = size
        own = []
    return own, key


def _index_header(record: Record) -> str:
    """A replay that could not be read goes back as it came, with the header that fits its value."""
    found = None if record.item is not None else named_item(record.headers)
    return ITEM_INDEX if found is None else found[0]


def _about(action: WriteDeadLetter, origin: Origin, replays: int, failed_at: float, mask: Mask) -> Headers:
    ours = {
        TOPIC: origin.partition.topic,  # the first: what is behind it is ours
        PARTITION: str(origin.partition.number),
        OFFSET: str(origin.offset),
        "__connect.errors.exception.class.name": EXCEPTION_CLASSES[action.reason],
        MESSAGE: mask(action.detail).encode(errors="replace")[:DETAIL_BYTES_MAX].decode(errors="ignore"),
        REASON: action.reason.value,
        "customfit.attempts": str(action.attempts),
        FAILED_AT: _iso(failed_at),
    }
    if origin.timestamp_ms >= 0:
        ours[TIMESTAMP] = str(origin.timestamp_ms)
    if origin.item_index is not None:
        ours[_index_header(action.record)] = str(origin.item_index)
    if origin.topic_life:
        ours[TOPIC_LIFE] = origin.topic_life
    if replays:
        ours[REPLAYS] = str(replays)
    headers: Headers = [(name, text.encode()) for name, text in ours.items()]
    if action.status is not None:
        headers.append((STATUS, str(action.status).encode()))
        headers.append((BODY, action.body))
    return headers


def _iso(seconds: float) -> str:
    return f"{datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%dT%H:%M:%S}.{int(seconds % 1 * 1000):03d}Z"
