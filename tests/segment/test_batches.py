"""Batches: one record, many events, as Segment's HTTP API takes them; what each of them is."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from consumer.segment.decoding import BATCH_ITEMS_MAX, DecodingRules, decode
from consumer.sequencing.events import (
    Batch,
    DeadLetterReason,
    Decoded,
    Event,
    Headers,
    Record,
    Rejected,
    Skipped,
    SkipReason,
    User,
)
from tests.segment.given_events import PARTITION, RECORD_MS, RECORD_TIME, segment

TRACK: Final = {"type": "track", "userId": "u1", "event": "Signed Up"}
KEY: Final = b"u1"


def batch(*items: Any, **more: Any) -> bytes:
    """The JSON of a batch with these events."""
    return json.dumps({"batch": items, **more}).encode()


def decoded(value: bytes, rules: DecodingRules | None = None, headers: Headers | None = None) -> Decoded | Batch:
    """What a record with this value is."""
    record = Record(PARTITION, 42, RECORD_MS, KEY, value, headers, 0.0, len(KEY) + len(value))
    return decode(record, rules or DecodingRules())


def items(value: bytes, rules: DecodingRules | None = None, headers: Headers | None = None) -> list[Decoded]:
    """The items of a record that is a batch."""
    made = decoded(value, rules, headers)
    assert isinstance(made, Batch), made
    return list(made.items)


def events(value: bytes, rules: DecodingRules | None = None) -> list[Event]:
    """The same, where all of them are events."""
    made = [item for item in items(value, rules) if isinstance(item, Event)]
    assert len(made) == len(items(value, rules))
    return made


# --- what a batch is


@pytest.mark.parametrize("more", [{}, {"type": None}, {"type": "batch"}, {"writeKey": "k", "messageId": "m", "x": [1]}])
def test_every_item_is_an_event(more: dict[str, Any]) -> None:
    """In the order of the array, each with its own user, kind and payload."""
    made = events(batch({"type": "identify", "userId": "u2", "traits": {"a": 10**30}}, TRACK, **more))

    assert [("identify", User("u2")), ("track", User("u1"))] == [(one.type, one.user) for one in made]
    assert [b'{"a": 1000000000000000000000000000000}', None] == [one.payload for one in made]


@pytest.mark.parametrize("extra", [{"batch": [TRACK]}, {"batch": "7"}, {"batch": None}])
def test_an_event_with_a_field_called_batch_is_an_event(extra: dict[str, Any]) -> None:
    """It has a type of its own."""
    assert isinstance(decoded(segment(extra)), Event)


@pytest.mark.parametrize("value", ['{"batch":"x"}', '{"batch":{}}', '{"batch":null}', '{"type":5,"batch":[]}', "{}"])
def test_what_is_no_batch_is_no_event_either(value: str) -> None:
    """Neither a type nor an array of events."""
    made = decoded(value.encode())

    assert isinstance(made, Rejected)
    assert DeadLetterReason.INVALID_EVENT == made.reason


def test_an_empty_batch_is_skipped() -> None:
    """There is nothing to do for it, and it is counted."""
    made = decoded(batch())

    assert isinstance(made, Skipped)
    assert (SkipReason.EMPTY_BATCH, "unknown") == (made.reason, made.type)


def test_a_batch_has_as_many_events_as_segment_takes() -> None:
    """2,500, which bounds what a record may turn into; one more and the record is kept aside whole."""
    assert 2500 == BATCH_ITEMS_MAX == len(items(batch(*[TRACK] * 2500)))

    made = decoded(batch(*[TRACK] * 2501))

    assert isinstance(made, Rejected)
    assert (DeadLetterReason.TOO_LARGE, "a batch of 2501 events; the limit is 2500") == (made.reason, made.detail)


def test_items_without_messageid_are_told_apart() -> None:
    """`topic-partition-offset-index`: the same whenever the record is read again."""
    made = events(batch(TRACK, {**TRACK, "messageId": "m1"}, {**TRACK, "messageId": ""}))

    assert ["segment-events-3-42-0", "m1", "segment-events-3-42-2"] == [one.insert_id for one in made]


# --- an item that is not as it should be


@pytest.mark.parametrize(
    ("item", "detail"),
    [
        (None, "item 1 of the batch: Expected `object`, got `null`"),
        ("x", "item 1 of the batch: Expected `object`, got `str`"),
        ({}, "item 1 of the batch: Object missing required field `type`"),
        ({"type": 7}, "item 1 of the batch: Expected `str`, got `int` - at `$.type`"),
        ({"batch": [TRACK]}, "item 1 of the batch: a batch"),
        ({"batch": []}, "item 1 of the batch: a batch"),
        ({"type": "batch", "batch": [TRACK]}, "item 1 of the batch: a batch"),
        ({"type": "track", "userId": "u1"}, "a track without `event`"),
        ({"type": "track", "event": "e"}, "neither userId nor anonymousId is a non-empty string or an integer"),
    ],
)
def test_a_bad_item_ends_alone(item: Any, detail: str) -> None:
    """Its neighbours are sent; it says which item it was, and shares the record's value with them."""
    first, bad, last = items(batch(TRACK, item, TRACK))

    assert isinstance(first, Event)
    assert isinstance(last, Event)
    assert isinstance(bad, Rejected)
    assert (DeadLetterReason.INVALID_EVENT, detail) == (bad.reason, bad.detail)
    assert 1 == bad.record.item_index
    assert first.record.value is bad.record.value


@pytest.mark.parametrize("broken", [b'{"type":"track"', b'"x', b"", b"[[1]", b"}", b"1]["])
def test_an_item_without_an_end_breaks_the_record(broken: bytes) -> None:
    """Nobody can say where the next one begins; nothing of it can be trusted."""
    made = decoded(b'{"batch":[%s,%s]}' % (segment(), broken))

    assert isinstance(made, Rejected)
    assert DeadLetterReason.UNDECODABLE == made.reason


@pytest.mark.parametrize("number", [b"1e400", b"9" * 5000])
def test_numbers_beyond_all_limits(number: bytes) -> None:
    """In a field that is only looked at they cost nothing, of an item or of its batch."""
    looked_at = b'{"type":"track","userId":"u1","event":"e","timestamp":%s}' % number
    unread = b'{"type":"track","userId":"u1","event":"e","properties":{"n":%s}}' % number
    needed = b'{"type":"track","userId":"u1","event":%s}' % number
    more = b'"sentAt":%s,"integrations":{"All":true,"Other":%s},"type":null,"x":%s' % (number, number, number)
    first, second, third = items(b'{"batch":[%s,%s,%s],%s}' % (looked_at, unread, needed, more))

    assert isinstance(first, Event)
    assert RECORD_TIME == first.timestamp
    assert isinstance(second, Event)
    assert b'{"n":%s}' % number == second.payload
    assert isinstance(third, Rejected)


def test_the_last_of_two_batches_counts() -> None:
    """As of any key that is there twice."""
    [only] = events(b'{"batch":[1,2,3],"batch":[%s]}' % segment(event="last"))

    assert "last" == only.name


def test_items_are_skipped_one_by_one() -> None:
    """Each for its own reason."""
    made = items(batch({"type": "group", "userId": "u1"}, {**TRACK, "integrations": {"All": False}}, {"type": "x"}))

    assert ["unsupported", "integrations", "unknown_type"] == [
        item.reason.value for item in made if isinstance(item, Skipped)
    ]


# --- what the batch says for all of its items


def test_the_batch_s_times_are_those_of_its_items() -> None:
    """An item's own sentAt and receivedAt come first, and before both its timestamp and originalTimestamp."""
    bare, own, receipt = (
        TRACK,
        {**TRACK, "timestamp": "2026-01-01T00:00:00.000Z"},
        {**TRACK, "receivedAt": "2026-01-02T00:00:00.000Z"},
    )
    sent_at = "2026-01-03T00:00:00.000Z"

    assert ["2026-01-03 00:00:00.000Z", "2026-01-01 00:00:00.000Z", "2026-01-03 00:00:00.000Z"] == [
        one.timestamp for one in events(batch(bare, own, receipt, sentAt=sent_at))
    ]
    assert ["2026-01-03 00:00:00.000Z", "2026-01-02 00:00:00.000Z"] == [
        one.timestamp for one in events(batch(bare, receipt, receivedAt=sent_at))
    ]
    assert [RECORD_TIME] == [one.timestamp for one in events(batch(bare, sentAt="soon"))]


OFF: Final = {"All": False}
ON: Final = {"All": True}
NAMED: Final = {"CustomFit.ai": True}


@pytest.mark.parametrize(
    ("of_batch", "of_item", "is_sent"),
    [
        (None, None, True),
        (OFF, None, False),
        (OFF, {}, False),
        (OFF, [], False),
        (OFF, ON, True),
        (OFF, NAMED, True),
        ({**OFF, **NAMED}, {"customfitai": None}, True),
        (NAMED, OFF, True),
        (ON, OFF, False),
        (None, OFF, False),
        ([], OFF, False),
        ({"CustomFit.ai": False}, {"CustomFit.ai": True}, True),
    ],
)
def test_integrations_of_the_batch_are_merged_with_the_item_s(of_batch: Any, of_item: Any, is_sent: bool) -> None:
    """As Segment's API does it: name by name, the item's first."""
    value = batch({**TRACK, "integrations": of_item}, integrations=of_batch)

    assert [is_sent] == [isinstance(item, Event) for item in items(value)]


def test_the_context_of_the_batch_is_its_items_too() -> None:
    """Only Engage's part of it concerns us; an item's own comes first."""
    audience = {"personas": {"computation_class": "audience", "computation_key": "vip"}}
    trait = {"personas": {"computation_class": "trait", "computation_key": "vip"}}
    identify = {"type": "identify", "userId": "u1", "traits": {"vip": "true"}}
    value = batch(identify, {**identify, "context": {"ip": "::1"}}, {**identify, "context": trait}, context=audience)

    assert [b'{"vip":true}', b'{"vip":true}', b'{"vip": "true"}'] == [one.payload for one in events(value)]


# --- a dead letter that is read again


def test_only_the_item_that_the_header_names_is_read_again() -> None:
    """With the insert_id it had; the others had their end the first time."""
    value = batch(TRACK, {**TRACK, "userId": "u2"}, {"type": "group"})
    [only] = items(value, headers=[("customfit.batch_index", b"0"), ("x", None), ("customfit.batch_index", b"1")])

    assert isinstance(only, Event)
    assert (User("u2"), "segment-events-3-42-1", 1) == (only.user, only.insert_id, only.record.item_index)


@pytest.mark.parametrize("index", [b"3", b"-1", b"", b"one", b"1.0", b"00000000001", "²".encode(), None])
def test_a_header_that_names_no_item(index: bytes | None) -> None:
    """Nobody guesses which one was meant, and sending all of them would send most of them twice."""
    made = decoded(batch(TRACK, TRACK, TRACK), headers=[("customfit.batch_index", index)])

    assert isinstance(made, Rejected)
    assert DeadLetterReason.INVALID_EVENT == made.reason


def test_the_header_means_nothing_on_a_record_that_is_no_batch() -> None:
    """An ordinary event is what it is."""
    assert isinstance(decoded(segment(), headers=[("customfit.batch_index", b"7")]), Event)
