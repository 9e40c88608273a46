"""Records by their key, and what is said when many have none."""

from __future__ import annotations

from typing import Any

from consumer.loop.key_counts import KeyCounts
from consumer.ops.key_note import RECORDS_MIN, note
from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.events import Batch, Event, Record
from tests.segment.given_events import PARTITION, segment


def event(key: bytes | None, **fields: Any) -> Event:
    """Of a record with this key."""
    made = decode(Record(PARTITION, 1, 0, key, segment(fields)), DecodingRules())
    assert isinstance(made, Event)
    return made


def test_each_record_is_counted_by_its_key() -> None:
    """That of its user, another one, or none."""
    counts = KeyCounts(lambda: None)
    counts.note([event(b"u1"), event(b"u1"), event(b"tenant-1"), event(None)])
    assert {"user": 2, "other": 1, "none": 1} == counts.counts


def test_a_batch_is_one_record() -> None:
    """It is keyed by its user where it has one only."""
    counts = KeyCounts(lambda: None)
    for users in (("u1", "u1"), ("u1", "u2")):
        items = b",".join(segment(userId=user) for user in users)
        given_record = Record(PARTITION, 1, 0, b"u1", b'{"batch":[' + items + b"]}")
        made = decode(given_record, DecodingRules())
        assert isinstance(made, Batch)
        counts.note_items(given_record, made.items)
    assert {"user": 1, "other": 1, "none": 0} == counts.counts


def test_a_topic_without_keys_is_said_once() -> None:
    """After a thousand records, and not for a few of somebody's tests."""
    said: list[int] = []
    counts = KeyCounts(lambda: said.append(1))
    counts.note([event(b"u1")] * RECORDS_MIN)
    counts.note([event(None)] * 20)
    assert ([], None) == (said, note(counts.counts))
    counts.note([event(None)] * RECORDS_MIN)
    counts.note([event(None)] * RECORDS_MIN)
    assert [1] == said
    assert "rekey" in (note(counts.counts) or "")
