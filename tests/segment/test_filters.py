"""Events that are not sent for their names: which kinds are judged, in whatever record they come."""

from __future__ import annotations

import json
from typing import Any

import pytest

from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.events import Batch, Event, Skipped
from consumer.settings.name_filter import Globs, NameFilter
from tests.segment.given_events import end, record, segment

DENY_ALL = DecodingRules(anonymous="forward", name_filter=NameFilter(None, Globs(("*",))))
ONLY_ORDERS = DecodingRules(name_filter=NameFilter(Globs(("Order *",)), Globs(("*Test",))))
USUAL: dict[str, Any] = {"messageId": "m1", "timestamp": "2026-11-23T10:00:00.123Z"}
FILTERED = "skipped: filtered"


@pytest.mark.parametrize("usual", [{}, USUAL], ids=["the whole way", "the short way"])
@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"event": "Order Completed"}, "sent"),
        ({"event": "order completed"}, FILTERED),
        ({"event": "Order Test"}, FILTERED),
        ({"type": "page", "name": "Order form"}, "sent"),
        ({"type": "screen", "name": "Pricing"}, FILTERED),
        ({"type": "page", "name": None}, FILTERED),
        ({"type": "screen", "event": "Order Completed"}, FILTERED),
        ({"type": "identify", "name": "Pricing", "event": "Pricing"}, "sent"),
        ({"type": "delete"}, "sent"),
    ],
    ids=str,
)
def test_tracks_pages_and_screens_are_judged_by_their_names(
    fields: dict[str, Any], wanted: str, usual: dict[str, Any]
) -> None:
    """Never identifies or deletes; `decoded` compares both ways to an event."""
    assert wanted == end(segment(fields, **usual), ONLY_ORDERS)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"userId": None}, "dead letter: invalid_event"),
        ({"event": None}, "dead letter: invalid_event"),
        ({"event": 7}, "dead letter: invalid_event"),
        ({"integrations": {"All": False}}, "skipped: integrations"),
        ({"type": "group"}, "skipped: unsupported"),
        ({"properties": 7}, FILTERED),
    ],
    ids=str,
)
def test_what_is_no_event_of_a_name_ends_as_ever(fields: dict[str, Any], wanted: str) -> None:
    """But what is not wanted is no dead letter for what its properties are."""
    assert wanted == end(segment(fields), DENY_ALL)


def test_each_item_of_a_batch_is_judged_alone() -> None:
    """And one that has to be read with care, too."""
    items = [
        {"event": "Order 1"},
        {"event": "Other"},
        {"type": "identify"},
        {"event": "Order 2", "properties": "\ud83d"},
    ]
    items = [{"type": "track", "userId": "u1", **item} for item in items]
    made = decode(record(json.dumps({"batch": items, "sentAt": "2026-11-23T10:00:00Z"}).encode()), ONLY_ORDERS)

    assert isinstance(made, Batch)
    assert ["sent", "Other", "sent", "dead letter"] == [
        item.name if isinstance(item, Skipped) else "sent" if isinstance(item, Event) else "dead letter"
        for item in made.items
    ]


def test_what_was_avro_is_judged_too() -> None:
    """Its text is that of an event; a replayed record is judged by the rules of now in the same place."""
    made = decode(record(b"\0\0\0\0\7..."), ONLY_ORDERS, segment(event="Other"))

    assert isinstance(made, Skipped)
    assert ("Other", "filtered") == (made.name, made.reason)
