"""Golden pairs: the bytes of a Segment record, and the bytes that CustomFit is sent for it, in both dialects."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple

import pytest

from consumer.choices import ApiDialect
from consumer.customfit.mapping import (
    test_identify as identify_of_a_test_user,  # its own name would be collected as a test
)
from consumer.emulator.contract import read_call
from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.events import Event
from consumer.sequencing.rule import DeliveryKind
from tests.segment.given_events import RECORD_TIME, body, event, record

FORWARD = DecodingRules(anonymous="forward")


class Golden(NamedTuple):
    record: bytes
    destination: bytes
    sdk: bytes


IDENTIFIES = {
    "identify": Golden(
        b'{"type":"identify","userId":"u1","traits":{"plan":"pro","age":31},"messageId":"m1","timestamp":'
        b'"2026-11-23T10:00:00.123Z","context":{"traits":{"plan":"old"},"ip":"8.8.8.8"},"anonymousId":"a1"}',
        b'{"user":{"user_customer_id":"u1","anonymous":false,"properties":{"plan":"pro","age":31}},"events":'
        b'[{"event_type":"identify","insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
        b'{"user":{"user_customer_id":"u1","anonymous":false,"properties":{"plan":"pro","age":31}},"events":[]}',
    ),
    "identify with empty traits": Golden(
        b'{"type":"identify","userId":"u1","traits":{},"messageId":"m1","timestamp":"2026-11-23T10:00:00.123Z"}',
        b'{"user":{"user_customer_id":"u1","anonymous":false,"properties":{}},"events":'
        b'[{"event_type":"identify","insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
        b'{"user":{"user_customer_id":"u1","anonymous":false,"properties":{}},"events":[]}',
    ),
    "identify without traits": Golden(
        b'{"type":"identify","userId":"u1","messageId":"m1","timestamp":"2026-11-23T10:00:00.123Z",'
        b'"context":{"traits":{"plan":"old"}},"name":"not the name of a page"}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":'
        b'[{"event_type":"identify","insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":[]}',
    ),
    "identify of an anonymous visitor": Golden(
        b'{"type":"identify","userId":null,"anonymousId":"a1","traits":{"plan":"pro"},"messageId":"m1",'
        b'"timestamp":"2026-11-23T10:00:00.123Z"}',
        b'{"user":{"user_customer_id":"a1","anonymous":true,"properties":{"plan":"pro"}},"events":'
        b'[{"event_type":"identify","insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
        b'{"user":{"user_customer_id":"a1","anonymous":true,"properties":{"plan":"pro"}},"events":[]}',
    ),
    "Engage: computed trait": Golden(
        b'{"type":"identify","userId":"u1","traits":{"total_revenue_180_days":450.0},"messageId":"m1","timestamp":'
        b'"2026-11-23T10:00:00.123Z","integrations":{"All":false,"Webhooks":true},"context":{"personas":'
        b'{"computation_class":"trait","computation_key":"total_revenue_180_days","space_id":"spa_1"}}}',
        b'{"user":{"user_customer_id":"u1","anonymous":false,"properties":{"total_revenue_180_days":450.0}},"events":'
        b'[{"event_type":"identify","insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
        b'{"user":{"user_customer_id":"u1","anonymous":false,"properties":{"total_revenue_180_days":450.0}},'
        b'"events":[]}',
    ),
    "Engage: audience": Golden(
        b'{"type":"identify","userId":"u1","traits":{"first_time_shopper": true},"messageId":"m1","timestamp":'
        b'"2026-11-23T10:00:00.123Z","context":{"personas":'
        b'{"computation_class":"audience","computation_key":"first_time_shopper"}}}',
        b'{"user":{"user_customer_id":"u1","anonymous":false,"properties":{"first_time_shopper": true}},"events":'
        b'[{"event_type":"identify","insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
        b'{"user":{"user_customer_id":"u1","anonymous":false,"properties":{"first_time_shopper": true}},"events":[]}',
    ),
    "Engage: journey, a boolean as text": Golden(
        b'{"type":"identify","userId":"u1","traits":{"b":"true","in_journey":"true","big": 12345678901234567890123},'
        b'"messageId":"m1","timestamp":"2026-11-23T10:00:00.123Z","context":{"personas":'
        b'{"computation_class":"audience","computation_key":"in_journey"}}}',
        b'{"user":{"user_customer_id":"u1","anonymous":false,"properties":'
        b'{"b":"true","in_journey":true,"big":12345678901234567890123}},"events":'
        b'[{"event_type":"identify","insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
        b'{"user":{"user_customer_id":"u1","anonymous":false,"properties":'
        b'{"b":"true","in_journey":true,"big":12345678901234567890123}},"events":[]}',
    ),
}

EVENTS = {
    "track": Golden(
        b'{"type":"track","userId":"u1","event":"Order Completed","properties":{"total":27.5},"messageId":"m1",'
        b'"timestamp":"2026-11-23T10:00:00.123Z","context":{"traits":{"plan":"old"},"ip":"8.8.8.8"}}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":[{"event_type":"track",'
        b'"event_customer_id":"Order Completed","properties":{"total":27.5},"insert_id":"m1",'
        b'"event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":[{"event_type":"TRACK",'
        b'"event_customer_id":"Order Completed","properties":{"total":27.5},"insert_id":"m1",'
        b'"event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
    ),
    "track without properties": Golden(
        b'{"type":"track","userId":"u1","event":"Signed Out","messageId":"m1","timestamp":"2026-11-23T10:00:00.123Z",'
        b'"name":"not the event"}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":[{"event_type":"track","event_customer_id":'
        b'"Signed Out","properties":{},"insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":[{"event_type":"TRACK","event_customer_id":'
        b'"Signed Out","properties":{},"insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
    ),
    "page": Golden(
        b'{"type":"page","userId":"u1","name":"Pricing","properties":{"path":"/p"},"messageId":"m1",'
        b'"timestamp":"2026-11-23T10:00:00.123Z"}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":[{"event_type":"pageview","name":"Pricing",'
        b'"properties":{"path":"/p"},"insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":[{"event_type":"TRACK","event_customer_id":'
        b'"Pricing","properties":{"path":"/p"},"insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
    ),
    "page without name": Golden(
        b'{"type":"page","userId":"u1","name":"","messageId":"m1","timestamp":"2026-11-23T10:00:00.123Z"}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":[{"event_type":"pageview",'
        b'"properties":{},"insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":[{"event_type":"TRACK","event_customer_id":'
        b'"pageview","properties":{},"insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
    ),
    "screen": Golden(
        b'{"type":"screen","userId":"u1","name":"Home","properties":{"tab":1},"messageId":"m1",'
        b'"timestamp":"2026-11-23T10:00:00.123Z"}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":[{"event_type":"screenview","name":"Home",'
        b'"properties":{"tab":1},"insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":[{"event_type":"TRACK","event_customer_id":'
        b'"Home","properties":{"tab":1},"insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
    ),
    "screen without name": Golden(
        b'{"type":"screen","userId":"u1","messageId":"m1","timestamp":"2026-11-23T10:00:00.123Z"}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":[{"event_type":"screenview",'
        b'"properties":{},"insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":[{"event_type":"TRACK","event_customer_id":'
        b'"screenview","properties":{},"insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
    ),
    "track of an anonymous visitor": Golden(
        b'{"type":"track","userId":"","anonymousId":"a1","event":"Viewed","messageId":"m1",'
        b'"timestamp":"2026-11-23T10:00:00.123Z"}',
        b'{"user":{"user_customer_id":"a1","anonymous":true},"events":[{"event_type":"track","event_customer_id":'
        b'"Viewed","properties":{},"insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
        b'{"user":{"user_customer_id":"a1","anonymous":true},"events":[{"event_type":"TRACK","event_customer_id":'
        b'"Viewed","properties":{},"insert_id":"m1","event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
    ),
    "Engage: Audience Entered stays a track, its text stays text": Golden(
        b'{"type":"track","userId":"u1","event":"Audience Entered","properties":{"audience_key":"vip","vip":"true"},'
        b'"messageId":"m1","timestamp":"2026-11-23T10:00:00.123Z","context":{"personas":'
        b'{"computation_class":"audience","computation_key":"vip"}}}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":[{"event_type":"track","event_customer_id":'
        b'"Audience Entered","properties":{"audience_key":"vip","vip":"true"},"insert_id":"m1",'
        b'"event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
        b'{"user":{"user_customer_id":"u1","anonymous":false},"events":[{"event_type":"TRACK","event_customer_id":'
        b'"Audience Entered","properties":{"audience_key":"vip","vip":"true"},"insert_id":"m1",'
        b'"event_timestamp":"2026-11-23 10:00:00.123Z"}]}',
    ),
    "ids, names and values of any script and type": Golden(
        '{"type":"track","userId":9007199254740993,"event":"Käse \\u2603 \\"x\\"","messageId":7,"properties":'
        ' { "z" : [ 1, 2.50, 1e2 ],\n\t"a": 123456789012345678901234567890, "\\u00e9":"é\\/", "z": null } ,'
        '"timestamp":"2026-11-23T10:00:00.123Z"}'.encode(),
        '{"user":{"user_customer_id":"9007199254740993","anonymous":false},"events":[{"event_type":"track",'
        '"event_customer_id":"Käse ☃ \\"x\\"","properties":{ "z" : [ 1, 2.50, 1e2 ],\n\t'
        '"a": 123456789012345678901234567890, "\\u00e9":"é\\/", "z": null },"insert_id":"7",'
        '"event_timestamp":"2026-11-23 10:00:00.123Z"}]}'.encode(),
        '{"user":{"user_customer_id":"9007199254740993","anonymous":false},"events":[{"event_type":"TRACK",'
        '"event_customer_id":"Käse ☃ \\"x\\"","properties":{ "z" : [ 1, 2.50, 1e2 ],\n\t'
        '"a": 123456789012345678901234567890, "\\u00e9":"é\\/", "z": null },"insert_id":"7",'
        '"event_timestamp":"2026-11-23 10:00:00.123Z"}]}'.encode(),
    ),
}
ALL = {**IDENTIFIES, **EVENTS}


@pytest.mark.parametrize("golden", ALL.values(), ids=ALL.keys())
def test_golden_pairs(golden: Golden) -> None:
    """These bytes in, exactly these bytes out."""
    assert golden.destination == body(event(golden.record, FORWARD))
    assert golden.sdk == body(event(golden.record, FORWARD), dialect="sdk")


@pytest.mark.parametrize("golden", ALL.values(), ids=ALL.keys())
def test_golden_pairs_keep_the_contract(golden: Golden) -> None:
    """What is written down above passes the emulator's check of the contract, for the dialect it is in."""
    assert "destination" == read_call(golden.destination).dialect
    assert "sdk" == read_call(golden.sdk).dialect


@pytest.mark.parametrize("golden", ALL.values(), ids=ALL.keys())
def test_introduction(golden: Golden) -> None:
    """Whatever the event behind it says, an introduction says who the user is and nothing else."""
    behind = event(golden.record, FORWARD)
    user = b'{"user_customer_id":"%s","anonymous":%s}' % (
        behind.user.id.encode(),
        b"true" if behind.user.anonymous else b"false",
    )
    assert (
        b'{"user":%s,"events":[{"event_type":"identify","insert_id":"introduction-%s",'
        b'"event_timestamp":"2026-11-23 10:00:00.123Z"}]}' % (user, behind.insert_id.encode())
    ) == body(behind, kind=DeliveryKind.INTRODUCTION)
    assert b'{"user":%s,"events":[]}' % user == body(behind, kind=DeliveryKind.INTRODUCTION, dialect="sdk")


@pytest.mark.parametrize("dialect", ["destination", "sdk"])
def test_a_batch_is_its_events_in_order(dialect: ApiDialect) -> None:
    """Several events of a user make one request with the user once and each event as it would stand alone."""
    titles = ["track", "page", "page without name", "screen", "screen without name", "track without properties"]
    events = [event(EVENTS[title].record) for title in titles]
    alone = [body(one, dialect=dialect) for one in events]
    head = b'{"user":{"user_customer_id":"u1","anonymous":false},"events":['
    expected = head + b",".join(text.removeprefix(head).removesuffix(b"]}") for text in alone) + b"]}"

    assert expected == body(*events, dialect=dialect)


@pytest.mark.parametrize("value", [b"true", b"false"])
def test_journey_membership_becomes_a_boolean(value: bytes) -> None:
    """The text "true" or "false" of an audience's own key becomes the boolean; other traits stay text."""
    traits = b'{"a":"%s","k":"%s","z":{"k":"%s"}}' % (value, value, value)
    personas = b'{"computation_class":"audience","computation_key":"k"}'
    sent = body(event(b'{"type":"identify","userId":"u1","traits":%s,"context":{"personas":%s}}' % (traits, personas)))

    assert b'"properties":{"a":"%s","k":%s,"z":{"k":"%s"}}}' % (value, value, value) in sent


@pytest.mark.parametrize(
    ("traits", "personas"),
    [
        ('{"k" :"true"}', '{"computation_class":"trait","computation_key":"k"}'),
        ('{"k" :"true"}', '{"computation_class":"audience","computation_key":"j"}'),
        ('{"k" :"true"}', '{"computation_class":"audience","computation_key":null}'),
        ('{"k" :"true"}', '{"computation_class":"audience","computation_key":["k"]}'),
        ('{"k" :"true"}', '{"computation_key":"k"}'),
        ('{"k" :"true"}', "{}"),
        ('{"k" :"true"}', "null"),
        ('{"k" :"true"}', '"k"'),
        ('{"k" :"True"}', '{"computation_class":"audience","computation_key":"k"}'),
        ('{"k" :"yes"}', '{"computation_class":"audience","computation_key":"k"}'),
        ('{"k" :1}', '{"computation_class":"audience","computation_key":"k"}'),
        ('{"k" :["true"]}', '{"computation_class":"audience","computation_key":"k"}'),
        ('{"x" :{"k" :"true"}}', '{"computation_class":"audience","computation_key":"k"}'),
    ],
)
def test_other_traits_are_not_touched(traits: str, personas: str) -> None:
    """No audience, no such key or no such text: the traits go on byte by byte."""
    value = f'{{"type":"identify","userId":"u1","traits":{traits},"context":{{"personas":{personas}}}}}'

    assert f'"properties":{traits}'.encode() in body(event(value.encode()))


@pytest.mark.parametrize(
    ("message_id", "insert_id"),
    [
        (b'"m1"', "m1"),
        (b'" "', " "),
        (b"7", "7"),
        (b"0", "0"),
        (b"-123456789012345678901234567890", "-123456789012345678901234567890"),
        (b'""', "segment-events-3-42"),
        (b"null", "segment-events-3-42"),
        (b"true", "segment-events-3-42"),
        (b"1.5", "segment-events-3-42"),
        (b'["m1"]', "segment-events-3-42"),
        (b'{"m1":1}', "segment-events-3-42"),
    ],
)
def test_insert_id(message_id: bytes, insert_id: str) -> None:
    """The messageId where it is text or a whole number, else where the record stands in the log."""
    value = b'{"type":"track","userId":"u1","event":"e","messageId":%s}' % message_id

    assert (insert_id,) == read_call(body(event(value))).insert_ids


def test_insert_id_without_message_id() -> None:
    """No messageId at all: topic, partition and offset, which are the same when the record is read again."""
    made = decode(record(b'{"type":"track","userId":"u1","event":"e"}', offset=2**63 - 1), DecodingRules())

    assert isinstance(made, Event)
    assert "segment-events-3-9223372036854775807" == made.insert_id


@pytest.mark.parametrize(
    ("times", "event_timestamp"),
    [
        (
            b'"timestamp":"2026-01-01T00:00:00.001Z","originalTimestamp":"2026-01-01T00:00:00.002Z"',
            "2026-01-01 00:00:00.001Z",
        ),
        (b'"timestamp":"x","originalTimestamp":"2026-01-01T00:00:00.002Z"', "2026-01-01 00:00:00.002Z"),
        (
            b'"timestamp":null,"receivedAt":"2026-01-01T00:00:00.004Z","sentAt":"2026-01-01T01:00:00.003+01:00"',
            "2026-01-01 00:00:00.003Z",
        ),
        (b'"sentAt":"","receivedAt":1767225600004', "2026-01-01 00:00:00.004Z"),
        (b'"timestamp":{},"originalTimestamp":[],"sentAt":true,"receivedAt":-1', RECORD_TIME),
        (b'"version":1', RECORD_TIME),
    ],
)
def test_event_timestamp(times: bytes, event_timestamp: str) -> None:
    """The first of timestamp, originalTimestamp, sentAt, receivedAt that is a time; else the record's."""
    sent = body(event(b'{"type":"page","userId":"u1",%s}' % times))

    assert b'"event_timestamp":"%s"' % event_timestamp.encode() in sent


@pytest.mark.parametrize("dialect", ["destination", "sdk"])
def test_identify_of_the_test_user(dialect: ApiDialect) -> None:
    """What `check --send-test-event` makes up keeps the contract: an identify without properties, its time in UTC."""
    now = datetime(2026, 11, 24, 1, 30, 0, 123_456, tzinfo=timezone(timedelta(hours=2)))
    sent = identify_of_a_test_user("test-user", now, dialect)

    call = read_call(sent)
    assert ("test-user", False, dialect) == (call.user_id, call.anonymous, call.dialect)
    assert "introduction" == call.identify
    assert (dialect == "destination") == (b'"2026-11-23 23:30:00.123Z"' in sent)
