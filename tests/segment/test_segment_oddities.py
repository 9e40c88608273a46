"""What Segment's libraries and products really send, beyond what its specification's first page shows."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.sequencing.events import User
from tests.segment.given_events import RECORD_TIME, body, end, event, segment

ENGAGE = {"personas": {"computation_class": "audience", "computation_key": "vip", "namespace": "spa_1"}}


@pytest.mark.parametrize(
    ("fields", "ends"),
    [
        pytest.param({"version": "1.1"}, "sent", id="version as text"),
        pytest.param(
            {"version": 2, "channel": "server", "projectId": "p", "writeKey": "k"}, "sent", id="server fields"
        ),
        pytest.param({"_metadata": {"bundled": ["Segment.io"], "unbundled": []}}, "sent", id="analytics.js"),
        pytest.param({"context": []}, "sent", id="PHP's empty context"),
        pytest.param({"context": None, "integrations": None}, "sent", id="nulls of the privacy API"),
        pytest.param({"integrations": []}, "sent", id="PHP's empty integrations"),
        pytest.param({"integrations": {"Salesforce": {"contact": True}}}, "sent", id="options of another destination"),
        pytest.param({"properties": []}, "sent", id="PHP's empty properties"),
        pytest.param({"context": {"ip": "192.168.0.1, 192.168.0.44"}}, "sent", id="a list of addresses as text"),
        pytest.param({"context": {"groupId": "g1", "active": False}}, "sent", id="group and activity"),
        pytest.param({"messageId": None}, "sent", id="messageId null"),
        pytest.param({"messageId": ""}, "sent", id="messageId empty"),
        pytest.param({"messageId": "m" * 200}, "sent", id="a messageId above Segment's 100"),
        pytest.param({"anonymousId": None}, "sent", id="anonymousId null"),
        pytest.param({"type": "page", "name": None, "category": None}, "sent", id="analytics.js's page()"),
        pytest.param({"type": "screen"}, "sent", id="a screen without a name"),
        pytest.param({"userId": None, "anonymousId": "a"}, "skipped: anonymous", id="userId null"),
        pytest.param({"userId": "", "anonymousId": "a"}, "skipped: anonymous", id="userId empty"),
        pytest.param({"userId": "", "anonymousId": ""}, "dead letter: invalid_event", id="both empty"),
        pytest.param({"type": "delete", "context": None, "integrations": []}, "sent", id="the privacy API's delete"),
        pytest.param({"type": "group", "groupId": "g" * 600, "traits": {}}, "skipped: unsupported", id="group"),
        pytest.param({"type": "alias", "previousId": "a"}, "skipped: unsupported", id="alias"),
        pytest.param(
            {"type": "identify", "userId": None, "traits": {"vip": True, "email": "x@y.z"}, "context": ENGAGE},
            "dead letter: invalid_event",
            id="Engage by e-mail: nobody that CustomFit could know",
        ),
        pytest.param(
            {"event": "Audience Entered", "context": ENGAGE, "integrations": {"All": False}},
            "sent",
            id="Engage's All: false, which names the destinations it knows",
        ),
    ],
)
def test_oddities(fields: dict[str, Any], ends: str) -> None:
    """Nobody but Segment is to blame for these, so they end as what they mean."""
    assert ends == end(segment(fields))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        pytest.param({"timestamp": "2026-11-23T10:00:00.000+05:30"}, "2026-11-23 04:30:00.000Z", id="offset"),
        pytest.param({"timestamp": 1_795_428_000}, "2026-11-23 10:00:00.000Z", id="unix seconds"),
        pytest.param({"timestamp": 1_795_428_000_123}, "2026-11-23 10:00:00.123Z", id="unix milliseconds"),
        pytest.param({"timestamp": 1_795_428_000.5}, "2026-11-23 10:00:00.500Z", id="seconds with a fraction"),
        pytest.param({"timestamp": "2026-11-23T10:00:00"}, "2026-11-23 10:00:00.000Z", id="no zone"),
        pytest.param(
            {"timestamp": "", "originalTimestamp": "2026-11-23T10:00:00Z"}, "2026-11-23 10:00:00.000Z", id="empty"
        ),
        pytest.param(
            {"timestamp": "Invalid Date", "sentAt": "2026-11-23T10:00:00Z"}, "2026-11-23 10:00:00.000Z", id="malformed"
        ),
        pytest.param(
            {"timestamp": {}, "receivedAt": "2026-11-23T10:00:00Z"}, "2026-11-23 10:00:00.000Z", id="an object"
        ),
        pytest.param(
            {"timestamp": None, "originalTimestamp": "", "sentAt": [], "receivedAt": "-"}, RECORD_TIME, id="-"
        ),
        pytest.param(
            {"originalTimestamp": "2020-05-09 23:54:49.209808489 +0000 UTC m=+198466.3"},
            "2020-05-09 23:54:49.209Z",
            id="Go's own print",
        ),
    ],
)
def test_times(times: dict[str, Any], expected: str) -> None:
    """The first that is a time; a missing or broken one is no reason to lose an event."""
    assert expected == event(segment(times)).timestamp


def test_traits_of_the_context_are_not_the_user_s() -> None:
    """A track's context repeats traits that may be old; an identify with traits there alone has none of its own."""
    identify = event(segment(type="identify", context={"traits": {"plan": "old"}}))

    assert identify.payload is None
    assert b'"properties"' not in body(identify)
    assert b"old" not in body(event(segment(context={"traits": {"plan": "old"}})))


@pytest.mark.parametrize(("user_id", "user"), [(4711, User("4711")), ("4711", User("4711")), (0, User("0"))])
def test_numbers_as_user_ids(user_id: object, user: User) -> None:
    """Some libraries send the database's number as it is: the same user as the text."""
    assert user == event(segment(userId=user_id)).user
