"""Dead letters of items of a batch, in their topic and replayed, for tests."""

from __future__ import annotations

import json
from typing import Any, Final

from consumer.dead_letters.letter import Letter, Shape, letter_of
from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.actions import WriteDeadLetter
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.dead_letter_headers import dead_letter_receipt, replay_headers
from consumer.sequencing.events import (
    Batch,
    DeadLetterReason,
    Decoded,
    Event,
    Headers,
    Partition,
    Record,
    Rejected,
    Skipped,
)
from consumer.sequencing.offsets import OffsetTracker

SOURCE: Final = Partition("segment-events", 3)
LETTERS: Final = Partition("segment-events.customfit-dlq", 3)
REPLAYS: Final = Partition("segment-events.customfit-replay", 0)
PRODUCED_MS: Final = 1_795_428_000_456
ALL_RULES: Final = [
    DecodingRules(anonymous, integrations, replay_topic=REPLAYS.topic)
    for anonymous in ("skip", "forward")
    for integrations in ("respect", "explicit", "ignore")
]
RULES: Final = ALL_RULES[0]
TRACK: Final = {"type": "track", "userId": "u1", "event": "Signed Up"}
BAD: Final = {"type": "track", "userId": "u"}


def produced(*items: Any, key: bytes | None = b"u1", headers: Headers | None = None, **more: Any) -> Record:
    """A batch record of the source topic, at offset 42."""
    value = json.dumps({"batch": items, **more}).encode()
    return Record(SOURCE, 42, PRODUCED_MS, key, value, headers)


def items_of(record: Record, rules: DecodingRules = RULES) -> list[Decoded]:
    """What the items of a batch are."""
    decoded = decode(record, rules)
    assert isinstance(decoded, Batch), decoded
    return list(decoded.items)


def written(item: Decoded, shape: Shape = Shape.WHOLE) -> Letter:
    """Its dead letter, with as much in its headers as there can be."""
    action = WriteDeadLetter(
        Assignment(item.record.partition, OffsetTracker(0)),
        item.record,
        DeadLetterReason.INVALID_EVENT,
        "é" * 1000,
        400,
        b"x" * 512,
        10_000_000,
    )
    return letter_of(action, shape, 1_795_428_100.0, REPLAYS.topic)


def in_topic(letter: Letter) -> Record:
    """As it lies in the dead-letter topic."""
    return Record(LETTERS, 7, PRODUCED_MS + 100_000, letter.key, letter.value, letter.headers)


def replayed(letter: Letter) -> Record:
    """As it lies in the replay topic."""
    there = in_topic(letter)
    receipt = dead_letter_receipt(there)
    assert receipt is not None
    return Record(REPLAYS, 0, PRODUCED_MS + 200_000, letter.key, letter.value, replay_headers(there, receipt))


def end_of(item: Decoded) -> tuple[object, ...]:
    """All that the rest of the program is told of an item, but for the record that it came in."""
    index = item.record.item_index
    match item:
        case Event():
            return index, item.kind, item.user, item.insert_id, item.timestamp, item.name, item.payload
        case Skipped():
            return index, item.type, item.reason
        case Rejected():
            return index, item.type, item.reason, item.detail


LARGE: Final = "x" * 400_000
