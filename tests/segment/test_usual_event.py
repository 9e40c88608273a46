"""The short way from a record to its event: it finds what the whole way finds, or leaves it to that."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.choices import Integrations
from consumer.segment.decoding import DecodingRules
from consumer.segment.usual_event import usual_event
from consumer.sequencing.events import Event, Partition, Record, Skipped, SkipReason
from consumer.settings.name_filter import Globs, NameFilter
from tests.segment.given_events import decoded, record

USUAL: dict[str, Any] = {
    "messageId": "m1",
    "userId": "u1",
    "timestamp": "2026-11-23T10:00:00.123Z",
    "context": {"library": {"name": "analytics.js"}, "ip": "203.0.113.7"},
    "integrations": {},
    "sentAt": "2026-11-23T10:00:01.123Z",
}
OF_TYPE: dict[str, dict[str, Any]] = {
    "identify": {"traits": {"plan": "pro"}},
    "track": {"event": "Order Completed", "properties": {"total": 27.5}},
    "page": {"name": "Pricing", "properties": {}},
    "screen": {"name": None},
}


def short(fields: dict[str, Any], **rules: Any) -> Event | Skipped | None:
    """What the short way finds; what it finds is compared with what the whole way finds."""
    value = json.dumps(fields).encode()
    decoded(value, DecodingRules(**rules))
    return usual_event(record(value), DecodingRules(**rules))


@pytest.mark.parametrize("type_", OF_TYPE)
@pytest.mark.parametrize(
    "more", [{}, {"integrations": {"All": True}}, {"timestamp": "2026-11-23 10:00:00+01:00"}], ids=str
)
def test_what_is_usual_goes_the_short_way(type_: str, more: dict[str, Any]) -> None:
    """Of each type; otherwise it would be tried in vain, and cost more."""
    assert short({"type": type_, **USUAL, **OF_TYPE[type_], **more}) is not None


@pytest.mark.parametrize(
    "more",
    [
        {"type": "group"},
        {"type": "delete"},
        {"userId": 7},
        {"userId": None, "anonymousId": "a"},
        {"userId": "u" * 129},
        {"messageId": None},
        {"messageId": 7},
        {"event": ""},
        {"event": 7},
        {"properties": []},
        {"properties": 7},
        {"timestamp": None},
        {"timestamp": "yesterday"},
        {"timestamp": "2026-02-30T10:00:00.123Z"},
        {"timestamp": "2026-11-23T24:00:00.000Z"},
        {"context": {"personas": {"computation_class": "audience"}}},
        {"context": []},
        {"integrations": {"CustomFit.ai": False}},
        {"integrations": {"All": False}},
        {"integrations": 7},
        {"properties": json.loads("[" * 99 + "]" * 99)},
    ],
    ids=str,
)
def test_what_is_not_is_left_to_the_whole_way(more: dict[str, Any]) -> None:
    """Whatever comes of it there."""
    assert short({"type": "track", **USUAL, **OF_TYPE["track"], **more}) is None


@pytest.mark.parametrize("choice", get_args(Integrations))
@pytest.mark.parametrize("integrations", [{"All": False}, {"All": False, "CustomFit.ai": True}, {"customfitai": False}])
def test_the_integrations_are_heeded(choice: Any, integrations: dict[str, bool]) -> None:
    """As the setting says."""
    found = short({"type": "track", **USUAL, **OF_TYPE["track"], "integrations": integrations}, integrations=choice)
    value = json.dumps({"type": "track", **USUAL, **OF_TYPE["track"], "integrations": integrations}).encode()

    assert isinstance(decoded(value, DecodingRules(integrations=choice)), Event) is (found is not None)


def test_what_is_filtered_is_known_by_the_short_way() -> None:
    """Otherwise each of them would be read twice; an identify has no name that is filtered."""
    rules = {"name_filter": NameFilter(None, Globs(("Order *", "Pric?ng", "")))}
    found = {type_: short({"type": type_, **USUAL, **OF_TYPE[type_]}, **rules) for type_ in OF_TYPE}
    skipped = {type_: one.reason for type_, one in found.items() if isinstance(one, Skipped)}

    assert dict.fromkeys(("track", "page", "screen"), SkipReason.FILTERED) == skipped
    assert isinstance(found["identify"], Event)


def test_a_record_with_headers_is_left_to_the_whole_way() -> None:
    """It may be a dead letter that somebody has copied back."""
    value = json.dumps({"type": "track", **USUAL, **OF_TYPE["track"]}).encode()

    assert usual_event(Record(Partition("t", 0), 0, 0, None, value, [("a", b"")]), DecodingRules()) is None


anything: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just([]) | st.just({"a": 1})
)
times = st.datetimes().map(lambda moment: moment.isoformat() + "Z") | st.from_regex(
    r"2026-[01W][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{3}[Zz]", fullmatch=True
)


@given(
    type_=st.sampled_from([*OF_TYPE, "delete", "batch"]),
    changes=st.dictionaries(
        st.sampled_from([*USUAL, "event", "name", "properties", "traits", "anonymousId"]), anything
    ),
    timestamp=times,
)
def test_it_never_finds_another_event(type_: str, changes: dict[str, Any], timestamp: str) -> None:
    """Whatever stands in whichever field."""
    short({"type": type_, **USUAL, **OF_TYPE.get(type_, {}), "timestamp": timestamp, **changes})
