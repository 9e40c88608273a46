"""A dead letter of an item of a batch, read again: it ends as the item did in its batch."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.avro.wire_format import SCHEMA_HEADER, Encoded, wire_format
from consumer.dead_letters.selection import read_dead_letter, replayable
from consumer.segment.batch_part import DECIDING_BYTES_MAX
from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.dead_letter_headers import dead_letter_receipt
from consumer.sequencing.events import Batch, DeadLetterReason, Decoded, Event, Record, Rejected
from tests.dead_letters.given_item_letters import (
    ALL_RULES,
    BAD,
    PRODUCED_MS,
    REPLAYS,
    RULES,
    SOURCE,
    TRACK,
    end_of,
    in_topic,
    items_of,
    produced,
    replayed,
    written,
)

TIMES: Final[list[Any]] = ["2026-01-03T00:00:00.000Z", "2026-01-04T00:00:00+01:00", 1_795_000_000, 0.5]
NO_TIMES: Final[list[Any]] = [None, "soon", "x" * 101, 2**63, -1, {}]
times = st.sampled_from([*TIMES, *NO_TIMES])
choices: st.SearchStrategy[Any] = st.sampled_from([None, True, False, 0, "", {}, {"option": "x" * 5000}, []])
integrations = st.one_of(
    st.sampled_from([None, [], "x"]),
    st.dictionaries(st.sampled_from(["All", "CustomFit.ai", "customfitai", "Other"]), choices, max_size=4),
)
personas: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        {"personas": None},
        {"personas": {}},
        {"personas": 7},
        {"personas": {"computation_class": "audience", "computation_key": "vip"}},
        {"personas": {"computation_class": "audience", "computation_key": 7}},
        {"personas": {"computation_class": "trait", "computation_key": "vip", "computation_id": "x" * 5000}},
        {"ip": "personas"},
    ]
)


@st.composite
def items(draw: st.DrawFn) -> Any:
    """An item of any kind, most of them with little wrong."""
    kind = draw(st.sampled_from(["track", "identify", "page", "group", "delete", "nonsense", "batch", "broken"]))
    if kind == "broken":
        return draw(st.sampled_from([None, 7, "x", [], {}, {"batch": [TRACK]}, {"type": 7}]))
    fields = {
        "userId": draw(st.sampled_from(["u1", "", None, 7])),
        "anonymousId": draw(st.sampled_from([None, "a1"])),
        "messageId": draw(st.sampled_from([None, "m1"])),
        "event": draw(st.sampled_from([None, "E", 7])),
        "traits": draw(st.sampled_from([{"vip": "true"}, {"vip": "other"}, [], 7])),
        "sentAt": draw(times),
        "timestamp": draw(st.sampled_from([None, None, "2026-02-01T00:00:00.000Z"])),
        "integrations": draw(integrations),
        "context": draw(personas),
    }
    return {"type": kind} | {name: value for name, value in fields.items() if value is not None}


@given(
    st.lists(items(), min_size=1, max_size=4),
    st.fixed_dictionaries({"sentAt": times, "receivedAt": times, "integrations": integrations, "context": personas}),
    st.sampled_from(ALL_RULES),
    st.integers(1, 3),
)
@settings(deadline=None)
def test_a_replayed_item_ends_as_in_its_batch(
    made: list[Any], more: dict[str, Any], rules: DecodingRules, times_replayed: int
) -> None:
    """Sent with the same insert_id, time and traits, skipped or refused for the same reason; however often."""
    for item in items_of(produced(*made, **{name: value for name, value in more.items() if value is not None}), rules):
        again = item
        for _ in range(times_replayed):
            [again] = items_of(replayed(written(again)), rules)

        assert end_of(item) == end_of(again)
        assert written(item).value == written(again).value


BROKEN: Final = [
    b"NaN",
    b'"\xff"',
    b"[" * 200 + b"]" * 200,
    b'{"type":"track",}',
    b'{"a":"],[\\"\\\\"}x',
    b"\\",
    b"'x'",
    rb'{"type":"track","userId":"u1","event":"e","properties":{"a":"\ud83d"}}',
    rb'{"type":"track","userId":"\ud83d","event":"e"}',
    b'{"type":"track","userId":"u1","event":"e","timestamp":1e400}',
]


@given(
    st.lists(items().map(lambda item: json.dumps(item).encode()) | st.sampled_from(BROKEN), min_size=1, max_size=4),
    st.fixed_dictionaries({"sentAt": times, "integrations": integrations, "context": personas}),
    st.sampled_from(ALL_RULES),
)
@settings(deadline=None)
def test_a_replayed_item_that_is_no_json_ends_as_in_its_batch(
    made: list[bytes], more: dict[str, Any], rules: DecodingRules
) -> None:
    """Its letter is as broken as it was, and its neighbours in the batch are what they are without it."""
    value = b'{"batch":[%s],%s' % (b", ".join(made), json.dumps(more).encode()[1:])
    for item in items_of(Record(SOURCE, 42, PRODUCED_MS, b"u1", value), rules):
        letter = written(item)
        [again] = items_of(replayed(letter), rules)

        assert item.record.item is not None
        assert made[item.record.item.index] == bytes(item.record.item.text)
        assert end_of(item) == end_of(again)
        assert letter.value == written(again).value


def test_where_what_decides_is_too_large_it_is_not_sent_in_another_way() -> None:
    """The key of an audience may have any length: the letter says what is missing, and no replay of it is sent."""
    key = "k" * DECIDING_BYTES_MAX
    identify = {"type": "identify", "userId": "u1", "traits": {key: "true"}}
    record = produced(identify, context={"personas": {"computation_class": "audience", "computation_key": key}})
    [item] = items_of(record)
    first = written(item)

    assert isinstance(item, Event)
    assert b'{"batch":[%s]}' % json.dumps(identify).encode() == first.value
    for letter in (first, written(items_of(replayed(first))[0])):
        [again] = items_of(replayed(letter))
        assert isinstance(again, Rejected)
        assert DeadLetterReason.INVALID_EVENT == again.reason
        assert "the part that decides is missing" in again.detail
        assert DECIDING_BYTES_MAX < int(dict(letter.headers)["customfit.batch_omitted"] or 0)
        seen = read_dead_letter(in_topic(letter), {})
        assert seen is not None
        assert ([], {"identify": 0, "value_omitted": 0, "batch_omitted": 1}) == replayable([seen], identifies=True)


def test_a_replay_may_be_as_large_as_what_was_read() -> None:
    """What is put around the item may be longer than what was there; its batch was within the limit."""
    value = b'{"batch":[{"type":"track"}],"integrations":{"All":0}}'
    record = Record(SOURCE, 42, PRODUCED_MS, None, value)
    rules = DecodingRules(record_bytes_max=len(value), replay_topic=REPLAYS.topic)
    [item] = items_of(record, rules)
    letter = written(item)

    assert len(letter.value or b"") > rules.record_bytes_max
    assert end_of(item) == end_of(items_of(replayed(letter), rules)[0])


# --- letters of earlier versions, and headers that do not fit


def earlier(item: Decoded) -> Record:
    """The replay of a dead letter that holds the whole batch, as versions before wrote it."""
    letter = written(item)
    headers = [("customfit.batch_index" if name == "customfit.item_index" else name, v) for name, v in letter.headers]
    return replayed(letter._replace(value=item.record.value, headers=headers))


def test_a_letter_with_the_whole_batch_is_read_as_before() -> None:
    """Its replay ends as the item; when it fails again it becomes one of the item alone, with the same receipt."""
    record = produced(TRACK, {**TRACK, "userId": "u2"}, BAD, sentAt="2026-01-03T00:00:00.000Z")
    for item in items_of(record):
        replay = earlier(item)
        [again] = items_of(replay)

        assert end_of(item) == end_of(again)
        assert written(item).value == written(again).value
        receipt, receipt_again = dead_letter_receipt(in_topic(written(item))), dead_letter_receipt(replay)
        assert receipt is not None
        assert receipt_again == receipt._replace(replays=1)


def test_a_replay_that_cannot_be_read_keeps_its_form() -> None:
    """Of either form, whole: the schema it needs may be there the next time."""
    item = items_of(produced(TRACK, BAD))[1]
    for replay, name in ((earlier(item), "customfit.batch_index"), (replayed(written(item)), "customfit.item_index")):
        unread = Rejected(replay, "undecodable", DeadLetterReason.UNDECODABLE, "no schema")
        letter = written(unread)

        assert (replay.value, b"1") == (letter.value, dict(letter.headers)[name])
        assert end_of(item) == end_of(items_of(replayed(letter))[0])


@pytest.mark.parametrize("index", [b"2500", b"-1", b"", b"x", b"00000", None])
def test_an_index_that_no_item_has(index: bytes | None) -> None:
    """Nobody guesses which one was meant."""
    made = decode(produced(TRACK, headers=[("customfit.item_index", index)]), RULES)

    assert isinstance(made, Rejected)
    assert DeadLetterReason.INVALID_EVENT == made.reason


def test_one_item_is_named_and_several_are_there() -> None:
    """The value is not what the header says it is."""
    made = decode(produced(TRACK, TRACK, headers=[("customfit.item_index", b"1")]), RULES)

    assert isinstance(made, Rejected)
    assert "its header customfit.item_index names none of its 2 events" == made.detail


def test_an_item_of_an_avro_batch_is_json() -> None:
    """The headers still name the batch's schema, and the setting may allow Avro alone."""
    text = produced(TRACK, BAD).value
    record = Record(SOURCE, 42, PRODUCED_MS, b"u1", b"\x02avro", [(SCHEMA_HEADER, b"\x00\x00\x00\x00\x07")])
    assert isinstance(wire_format(record, "auto"), Encoded)
    decoded = decode(record, RULES, text)
    assert isinstance(decoded, Batch)

    for item in decoded.items:
        letter = written(item)
        assert wire_format(replayed(letter), "avro") is None
        assert end_of(item) == end_of(items_of(replayed(letter))[0])
