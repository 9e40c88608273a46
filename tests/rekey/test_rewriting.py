"""What is written of a record: `run` makes the same of it as of the record itself."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.dead_letters.letter import Shape, letter_of
from consumer.kafka.murmur2 import partition_of
from consumer.rekey.rewriting import End, Unit, rewritten, rules_of, with_other_times
from consumer.segment.decoding import DecodingRules, decode
from consumer.segment.usual_event import usual_event
from consumer.sequencing.actions import WriteDeadLetter
from consumer.sequencing.assignment import Assignment
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
from consumer.sequencing.rekeyed_headers import ORIGIN, ORIGIN_KEY, ORIGIN_LIFE, ORIGIN_TIMESTAMP
from tests.segment.given_events import PARTITION, RECORD_MS, record, segment

PARTITIONS: Final = 12
TARGET: Final = "segment-events.by-user"
RULES: Final = rules_of(1_048_576)
REKEYED: Final = DecodingRules(anonymous="forward", rekeyed=True)
DIRECT: Final = DecodingRules(anonymous="forward")


def rekeyed(given_record: Record, text: bytes | None = None, life: bytes = b"") -> Unit:
    """What `rekey` writes of it."""
    return rewritten(given_record, text, RULES, PARTITIONS, life)


def read_back(unit: Unit) -> list[Record]:
    """The records of the target, as `run` fetches them."""
    return [
        Record(Partition(TARGET, one.partition), 900 + at, one.timestamp_ms, one.key, one.value, one.headers)
        for at, one in enumerate(unit.written)
    ]


def items(made: Decoded | Batch) -> list[Decoded]:
    """One or more."""
    return list(made.items) if isinstance(made, Batch) else [made]


def said(made: Decoded) -> tuple[object, ...]:
    """What it says, wherever it lies."""
    match made:
        case Event():
            mended = made.replaced_surrogates
            return made.kind, made.user, made.insert_id, made.timestamp, made.name, made.payload, mended
        case Skipped():
            return made.type, made.reason
        case Rejected():
            return made.type, made.reason, made.detail


def batch(*events: dict[str, Any], **shared: Any) -> bytes:
    """As Segment's HTTP API takes it."""
    return json.dumps({"batch": events, **shared}).encode()


def dead_letter(made: Decoded | Batch, *, is_rekeyed: bool) -> Any:
    """Of the first event in it."""
    one = items(made)[0].record
    assignment = Assignment(one.partition, OffsetTracker(0))
    action = WriteDeadLetter(assignment, one, DeadLetterReason.REFUSED, "no")
    return letter_of(action, Shape.WHOLE, 0.0, "replays", rekeyed=is_rekeyed)


def test_an_event_gets_its_user_s_key() -> None:
    """Value, time and the producer's headers stay."""
    given_record = Record(PARTITION, 42, RECORD_MS, None, segment(userId="ann"), [("trace", b"1")])
    [one] = rekeyed(given_record).written
    assert b"ann" == one.key
    assert partition_of(b"ann", PARTITIONS) == one.partition
    assert (given_record.value, RECORD_MS) == (one.value, one.timestamp_ms)
    assert [("trace", b"1"), (ORIGIN, b"segment-events/3/42")] == one.headers


def test_run_finds_the_same_event_and_the_same_insert_id() -> None:
    """Also without a messageId: it is that of the record's own place."""
    for value in (segment(userId="ann"), segment(userId="ann", messageId="m-1"), segment(anonymousId="x", userId=None)):
        unit = rekeyed(record(value))
        [back] = read_back(unit)
        assert said(items(decode(record(value), DIRECT))[0]) == said(items(decode(back, REKEYED))[0])


@pytest.mark.parametrize("life", [b"", b"kq2y1kD5"], ids=["of an earlier version", "the first topic"])
def test_the_first_topic_of_a_name_has_insert_ids_without_its_id(life: bytes) -> None:
    """So do records that an earlier version of `rekey` has written, which say nothing of their topic."""
    [back] = read_back(rekeyed(record(segment(userId="ann")), life=life))
    [made] = items(decode(back, REKEYED))
    assert isinstance(made, Event)
    assert f"{PARTITION}-42" == made.insert_id


def test_a_topic_made_again_has_other_insert_ids_as_run_itself_would_give_them() -> None:
    """A whole record, an item of a batch, and the dead letter that would become of it."""
    direct = DecodingRules(anonymous="forward", topic_life="kq2y1kD5")
    values = segment(userId="ann"), batch({"type": "track", "userId": "b", "event": "e"}), segment(messageId="m-1")
    for value in values:
        [back] = read_back(rekeyed(record(value), life=b"@kq2y1kD5"))
        [made], [wanted] = items(decode(back, REKEYED)), items(decode(record(value), direct))
        assert isinstance(made, Event)
        assert isinstance(wanted, Event)
        assert wanted.insert_id == made.insert_id
        assert "kq2y1kD5" == dead_letter(made, is_rekeyed=True).origin.topic_life


def test_the_short_way_reads_what_rekey_has_written() -> None:
    """Its headers alone do not make an event unusual, where they are believed."""
    value = segment(userId="ann", messageId="m-1", timestamp="2026-11-23T10:00:00.123Z")
    [back] = read_back(rekeyed(record(value), life=b"@kq2y1kD5"))
    assert isinstance(usual_event(back, REKEYED), Event)
    assert usual_event(back, DIRECT) is None


def test_without_the_setting_nothing_of_it_is_believed() -> None:
    """Whoever may write to a topic could say where a record lay."""
    [back] = read_back(rekeyed(record(segment(userId="ann"))))
    made = decode(back, DIRECT)
    assert isinstance(made, Event)
    assert str(back.partition) in made.insert_id


def test_claims_in_the_source_are_left_out() -> None:
    """Only `rekey` says where a record lay."""
    lies: Headers = [(ORIGIN, b"other/0/7"), ("mine", b"x"), (ORIGIN_KEY, b"k"), (ORIGIN_TIMESTAMP, b"1")]
    lies.append((ORIGIN_LIFE, b"@lies"))
    [one] = rekeyed(Record(PARTITION, 42, RECORD_MS, None, segment(), lies)).written
    assert [("mine", b"x"), (ORIGIN, b"segment-events/3/42")] == one.headers


def test_a_batch_is_split_into_its_items() -> None:
    """Each goes to its own user, and `run` sees the same events with the same insert ids."""
    value = batch(
        {"type": "identify", "userId": "ann", "traits": {"plan": "pro"}},
        {"type": "track", "userId": "bob", "event": "Signed Up"},
        {"type": "track", "event": "nobody's"},
        sentAt="2026-11-23T10:00:00.123Z",
        integrations={"CustomFit.ai": True},
    )
    unit = rekeyed(record(value))
    assert End.SPLIT is unit.end
    assert [b"ann", b"bob", b"u1"] == [one.key for one in unit.written]
    direct = [said(item) for item in items(decode(record(value), DIRECT))]
    assert direct == [said(items(decode(back, REKEYED))[0]) for back in read_back(unit)]


def test_what_has_no_user_is_passed_on_as_it_is() -> None:
    """`run` decides what becomes of it, and names the place where it lay."""
    for value in (None, b"not json", segment(userId=""), b'{"type":"group","userId":"ann"}', b'{"batch":[]}'):
        unit = rekeyed(record(value))
        assert End.PASSED_ON is unit.end
        [one] = unit.written
        assert (b"u1", value) == (one.key, one.value)


def test_without_any_key_it_stays_with_its_neighbours() -> None:
    """There is nothing by which to choose a partition."""
    [one] = rekeyed(Record(PARTITION, 42, RECORD_MS, None, b"not json")).written
    assert (None, PARTITION.number) == (one.key, one.partition)


def test_a_batch_whose_items_take_along_too_much_is_passed_on_whole() -> None:
    """2,500 items with 1 MB of headers each would be 2 GB."""
    value = batch({"type": "track", "userId": "a", "event": "e"}, {"type": "track", "userId": "b", "event": "e"})
    large = Record(PARTITION, 42, RECORD_MS, None, value, [("h", b"x" * 5000)])
    assert End.BATCH_PASSED_ON is rekeyed(large).end
    key = {"personas": {"computation_class": "audience", "computation_key": "k" * 5000}}
    assert End.BATCH_PASSED_ON is rekeyed(record(batch({"type": "identify", "userId": "a"}, context=key))).end


def test_avro_is_keyed_by_what_its_text_says() -> None:
    """The value stays as it was."""
    [one] = rekeyed(record(b"\x00\x00\x00\x00\x07avro"), segment(userId="ann")).written
    assert (b"ann", b"\x00\x00\x00\x00\x07avro") == (one.key, one.value)


@pytest.mark.parametrize("key", [None, b"", b"theirs"])
def test_a_dead_letter_is_that_of_the_record_as_it_was_produced(key: bytes | None) -> None:
    """Key, value, headers, time and place: as if there were no `rekey`."""
    given_record = Record(PARTITION, 42, RECORD_MS, key, segment(userId="ann"), [("trace", b"1")])
    [back] = read_back(rekeyed(given_record))
    direct = dead_letter(decode(given_record, DIRECT), is_rekeyed=False)
    assert direct == dead_letter(decode(back, REKEYED), is_rekeyed=True)


def test_a_dead_letter_of_an_item_is_too() -> None:
    """With its index, and without the header that `rekey` has added."""
    value = batch({"type": "track", "userId": "a", "event": "e"}, {"type": "track", "userId": "b", "event": "e"})
    given_record = Record(PARTITION, 42, RECORD_MS, None, value, [("trace", b"1")])
    [back, _] = read_back(rekeyed(given_record))
    direct = dead_letter(decode(given_record, DIRECT), is_rekeyed=False)
    assert direct == dead_letter(decode(back, REKEYED), is_rekeyed=True)


def test_a_time_that_the_target_does_not_take_is_kept_in_a_header() -> None:
    """The event's own time is still that of the record."""
    unit = with_other_times(rekeyed(record(segment(userId="ann"))), RECORD_MS + 999)
    [back] = read_back(unit)
    assert RECORD_MS + 999 == back.timestamp_ms
    made = decode(back, REKEYED)
    assert isinstance(made, Event)
    assert "2026-11-23 10:00:00.456Z" == made.timestamp


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["u1", "track", "identify"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
events = st.dictionaries(
    st.sampled_from(["type", "userId", "anonymousId", "event", "properties", "traits", "messageId", "timestamp"]),
    json_values,
    max_size=6,
)


@given(events | st.fixed_dictionaries({"batch": st.lists(events, max_size=4)}, optional={"context": json_values}))
def test_run_makes_the_same_of_whatever_was_produced(value: dict[str, Any]) -> None:
    """Events, batches and what is neither."""
    given_record = record(json.dumps(value).encode())
    direct = [said(item) for item in items(decode(given_record, DIRECT))]
    backs = read_back(rekeyed(given_record))
    assert direct == [said(item) for back in backs for item in items(decode(back, REKEYED))]


@given(st.binary(max_size=60))
def test_and_of_bytes_that_are_nothing(value: bytes) -> None:
    """It is passed on, and ends as it would have."""
    given_record = record(value)
    direct = [type(item) for item in items(decode(given_record, DIRECT))]
    assert direct == [type(item) for back in read_back(rekeyed(given_record)) for item in items(decode(back, REKEYED))]
