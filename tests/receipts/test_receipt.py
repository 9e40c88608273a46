"""What a receipt says: places, insert_ids, status and time; nothing of whom or what."""

from __future__ import annotations

from consumer.receipts.receipt import (
    IDS_CHARACTERS_MAX,
    beginning_of,
    decode_receipt,
    encode_receipt,
    receipt_of,
    without_insert_ids,
)
from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.actions import WriteReceipt
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.commit_metadata import FinishedBefore
from consumer.sequencing.events import Batch, Event, Partition, Record
from consumer.sequencing.lanes import Lane
from consumer.sequencing.offsets import OffsetTracker


def events(value: bytes, offset: int = 7) -> list[Event]:
    """Of one record."""
    decoded = decode(Record(Partition("events", 3), offset, 0, None, value), DecodingRules())
    items = decoded.items if isinstance(decoded, Batch) else [decoded]
    return [item for item in items if isinstance(item, Event)]


def receipt(*found: Event) -> bytes:
    """Of a request with these."""
    lane = Lane(Assignment(Partition("events", 3), OffsetTracker(0, topic_id="id-of-it")), found[0].user, True)
    return bytes(encode_receipt(receipt_of(WriteReceipt(lane, found, 202), 1234)))


def track(message_id: str) -> bytes:
    """A track with a secret in it."""
    text = '{"type":"track","userId":"secret","event":"secret","properties":{"secret":1},"messageId":"%s"}'
    return (text % message_id).encode()


def test_a_receipt_is_one_compact_line_without_user_or_payload() -> None:
    """Whoever may read it learns nothing of anybody."""
    expected = (
        b'{"topic":"events","partition":3,"at_ms":1234,"topic_id":"id-of-it","begins":0,"offsets":[7,8],"insert_ids":["a","b"],'
        b'"status":202}'
    )

    assert expected == receipt(*events(track("a")), *events(track("b"), 8))


def test_items_of_batches_are_named_beside_their_offset() -> None:
    """And a record of one event among them has none."""
    batch = b'{"batch":[' + track("a") + b"," + track("b") + b"]}"
    read = decode_receipt(receipt(events(batch)[1], *events(track("c"), 8)))

    assert ([7, 8], [1, None]) == (read.offsets, read.items)


def test_insert_ids_that_are_too_long_together_are_left_out_and_the_places_stay() -> None:
    """Producers make messageIds as long as they like; a receipt that its topic can't take would hold its offset."""
    read = decode_receipt(receipt(*events(track("x" * (IDS_CHARACTERS_MAX + 1)))))

    assert ([7], []) == (read.offsets, read.insert_ids)


def test_receipts_begin_behind_what_earlier_owners_have_finished() -> None:
    """They may not have written any."""
    fresh = Assignment(Partition("events", 3), OffsetTracker(5))
    taken_over = Assignment(Partition("events", 3), OffsetTracker(5, FinishedBefore(5, [1, 2, 3, 4])))

    assert [5, 15] == [beginning_of(one, 0).begins for one in (fresh, taken_over)]


def test_where_receipts_begin_is_as_it_was_at_the_start_however_late_it_is_written() -> None:
    """The writer has a thread of its own: what was read meanwhile is to have receipts, too."""
    assignment = Assignment(Partition("events", 3), OffsetTracker(5))
    assignment.offsets.received(5, 0)
    assignment.offsets.reached_end(90)

    assert 5 == beginning_of(assignment, 0).begins


def test_each_receipt_says_where_they_begin() -> None:
    """The first one of a long assignment may be gone from the topic, or lie far before an audit's window."""
    assignment = Assignment(Partition("events", 3), OffsetTracker(7))
    [event] = events(track("a"))

    assert 7 == receipt_of(WriteReceipt(Lane(assignment, event.user, True), [event], 200), 0).begins


def test_a_receipt_without_insert_ids_still_names_its_records() -> None:
    """For a topic that takes only less."""
    read = decode_receipt(without_insert_ids(receipt(*events(track("a")))))

    assert ([7], [], 202) == (read.offsets, read.insert_ids, read.status)
