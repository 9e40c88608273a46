"""What the emulator takes for a request that keeps the contract, and what it says of one that does not."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.customfit.mapping import request_body
from consumer.demo.samples import encoded_samples
from consumer.emulator.contract import Call, ContractError, read_call
from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.events import Event, Kind, Partition, Record, User
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.rule import DeliveryKind
from tests.emulator.emulator_calls import TIMESTAMP, events, identify, introduction, track, track_event

TOO_DEEP = "nested too deeply" if sys.version_info < (3, 14) else "truncated"
"""Python 3.14 has stack for so many brackets, and finds that they are never closed."""


def read(body: Any) -> Call:
    """The call in this JSON value."""
    return read_call(json.dumps(body).encode())


def problem(body: Any) -> str:
    """What is wrong with this JSON value, or with these bytes."""
    with pytest.raises(ContractError) as caught:
        read_call(body if isinstance(body, bytes) else json.dumps(body).encode())
    return str(caught.value)


PAGE = {"event_type": "pageview", "name": "Pricing", "insert_id": "p1", "event_timestamp": TIMESTAMP}
SDK_TRACK = track_event("s1", "Signed In", event_type="TRACK")


def test_an_identify_carries_its_traits() -> None:
    """An identify with properties is told from an introduction, which has none."""
    whole, introduced = read(identify("u1")), read(introduction("u1"))

    assert ("u1", "traits", ("identify",), ("identify-u1",)) == (
        whole.user_id,
        whole.identify,
        whole.kinds,
        whole.insert_ids,
    )
    assert b'{"plan": "pro"}' == bytes(whole.properties[0] or b"")
    assert ("introduction", (None,)) == (introduced.identify, introduced.properties)


def test_a_run_of_events_keeps_its_order() -> None:
    """Kinds, names and insert ids come in the order of the request; a page or screen may have no name."""
    screen = {"event_type": "screenview", "insert_id": "s1", "event_timestamp": TIMESTAMP, "properties": {}}
    call = read(events("u1", track_event("t1"), PAGE, screen))

    assert ("track", "pageview", "screenview") == call.kinds
    assert ("Order Completed", "Pricing", None) == call.names
    assert ("t1", "p1", "s1") == call.insert_ids
    assert call.identify is None


def test_the_sdk_dialect_is_taken_too() -> None:
    """`TRACK` for all events, and no event at all for an identify."""
    tracked = read(events("u1", SDK_TRACK))
    identified = read({"user": {"user_customer_id": "u1", "anonymous": False, "properties": {}}, "events": []})
    introduced = read(events("u1"))

    assert ("sdk", ("track",), ("Signed In",)) == (tracked.dialect, tracked.kinds, tracked.names)
    assert ("sdk", "traits", ()) == (identified.dialect, identified.identify, identified.insert_ids)
    assert introduced.identify == "introduction"


def test_values_are_not_looked_into() -> None:
    """Numbers that no 64 bits hold, and an id in any alphabet, are somebody's data."""
    body = json.dumps(events("ü" * 256, track_event())).replace("27.5", "1" * 400 + ',"e":1e999').encode()

    assert "ü" * 256 == read_call(body).user_id


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "not JSON: Input data was truncated"),
        (b'{"user":', "not JSON: Input data was truncated"),
        (b'{"user":"\xff"}', "not UTF-8: invalid start byte at byte 9"),
        ([], "Expected `object`, got `array`"),
        ({"events": []}, "Object missing required field `user`"),
        ({**track("u1"), "users": []}, "Object contains unknown field `users`"),
        ({"user": [], "events": []}, "Expected `object`, got `array` - at `$.user`"),
        (track(""), "Expected `str` of length >= 1 - at `$.user.user_customer_id`"),
        (track("ü" * 257), "514 bytes, at most 512 - at `$.user.user_customer_id`"),
        ({**track("u1"), "user": {"user_customer_id": 7, "anonymous": False}}, "Expected `str`, got `int` - at"),
        (
            {**track("u1"), "user": {"user_customer_id": "u1"}},
            "Object missing required field `anonymous` - at `$.user`",
        ),
        ({**track("u1"), "user": {"user_customer_id": "u1", "anonymous": "no"}}, "Expected `bool`, got `str` - at"),
        ({**track("u1"), "user": identify("u1")["user"]}, "properties on an identify only - at `$.user.properties`"),
        ({"user": {**introduction("u1")["user"], "properties": [1]}, "events": []}, "must be an object - at `$.user.p"),
        ({"user": {**introduction("u1")["user"], "traits": {}}, "events": []}, "unknown field `traits` - at `$.user`"),
        (events("u1", track_event(event_type="click")), "Invalid value 'click' - at `$.events[0].event_type`"),
        (events("u1", track_event(insert_id="")), "length >= 1 - at `$.events[0].insert_id`"),
        (
            events("u1", track_event(), {**PAGE, "insert_id": 5}),
            "Expected `str`, got `int` - at `$.events[1].insert_id`",
        ),
        (events("u1", {**PAGE, "event_customer_id": "x"}), "unknown field `event_customer_id` - at `$.events[0]`"),
        (events("u1", {**PAGE, "name": ""}), "length >= 1 - at `$.events[0].name`"),
        (events("u1", {**PAGE, "name": None}), "Expected `str`, got `null` - at `$.events[0].name`"),
        (events("u1", track_event(properties=None)), "must be an object - at `$.events[0].properties`"),
        (events("u1", track_event(data={})), "unknown field `data` - at `$.events[0]`"),
        (identify("u1", properties={}), "unknown field `properties` - at `$.events[0]`"),
        ({"user": track("u1")["user"], "events": [*identify("u1")["events"], PAGE]}, "own - at `$.events[0]`"),
        ({"user": track("u1")["user"], "events": [PAGE, *identify("u1")["events"]]}, "own - at `$.events[1]`"),
        (events("u1", SDK_TRACK, PAGE), "`TRACK` and the other types are two dialects - at `$.events[1].event_type`"),
        (events("u1", PAGE, SDK_TRACK), "`TRACK` and the other types are two dialects - at `$.events[1].event_type`"),
        (b'{"user":{"user_customer_id":"u","properties":' + b"[" * 100_000, TOO_DEEP),
    ],
)
def test_the_first_problem_is_named_with_its_place(body: Any, expected: str) -> None:
    """Each broken rule has a reason that says where in the body it was broken."""
    assert expected in problem(body)


@pytest.mark.parametrize(
    "timestamp",
    [
        "2026-11-23T10:00:00.123Z",
        "2026-11-23 10:00:00Z",
        "2026-11-23 10:00:00.123456Z",
        "2026-11-23 10:00:00.123+00:00",
        "2026-11-23 10:00:00.123",
        "2026-13-23 10:00:00.123Z",
        "2026-11-23 24:00:00.123Z",
        "2026-02-29 10:00:00.123Z",
        "0000-01-30 10:00:00.123Z",
        "2026-11-23 10:00:00.123Z\n",
        "٢٠٢٦-11-23 10:00:00.123Z",
        "",
    ],
)
def test_a_timestamp_has_one_form(timestamp: str) -> None:
    """A space, three digits of milliseconds, Z, and a day that exists."""
    assert "must be a UTC time as `YYYY-MM-DD HH:MM:SS.mmmZ` - at `$.events[1].event_timestamp`" == problem(
        events("u1", track_event(), track_event("t2", event_timestamp=timestamp))
    )
    assert read(events("u1", track_event(event_timestamp="2028-02-29 23:59:59.999Z"))).kinds == ("track",)


@given(
    st.binary()
    | st.recursive(st.none() | st.booleans() | st.text() | st.integers(), st.lists).map(repr).map(str.encode)
)
def test_whatever_the_bytes_the_answer_is_a_call_or_a_reason(body: bytes) -> None:
    """No body makes it fail in another way."""
    with suppress(ContractError):
        read_call(body)


@pytest.mark.parametrize("dialect", ["destination", "sdk"])
def test_the_consumers_own_requests_keep_the_contract(dialect: Any) -> None:
    """Every sample event, decoded and mapped as the consumer does it, is accepted as what it was."""
    kinds = {Kind.IDENTIFY: "identify", Kind.TRACK: "track", Kind.PAGE: "pageview", Kind.SCREEN: "screenview"}
    decoded = [
        decode(Record(Partition("t", 0), offset, 0, key, value), DecodingRules(anonymous="forward"))
        for offset, (key, value) in enumerate(encoded_samples(20, 500, 1))
    ]
    of_users = [event for event in decoded if isinstance(event, Event)]

    assert 450 < len(of_users)
    for event in of_users:
        kind = DeliveryKind.IDENTIFY if event.kind is Kind.IDENTIFY else DeliveryKind.EVENTS
        lane: Any = SimpleNamespace(user=event.user)  # all that the mapping asks of it
        call = read_call(request_body(Delivery(lane, kind, [event]), dialect))
        assert event.user == User(call.user_id, anonymous=call.anonymous)
        if dialect == "destination":
            assert ((kinds[event.kind],), (event.name,)) == (call.kinds, call.names)
