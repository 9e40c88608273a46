"""Text of every script and every control character, in every field of an event: sent as it came."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.events import Batch, Event, Kind, Record, Rejected, User
from tests.fakes.foreign_strings import TEXTS
from tests.segment.given_events import PARTITION, RECORD_MS, RECORD_TIME, body, record

FORWARD: Final = DecodingRules(anonymous="forward")
FORMS: Final[dict[str, dict[str, Any]]] = {"as it is": {"ensure_ascii": False}, "as escapes": {"ensure_ascii": True}}
form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())


def event(fields: dict[str, Any], form: dict[str, Any]) -> Event:
    """The event with these fields."""
    made = decode(record(json.dumps(fields, **form).encode()), FORWARD)
    assert isinstance(made, Event), made
    return made


def sent(made: Event) -> tuple[dict[str, Any], dict[str, Any]]:
    """The user and the event of its request."""
    request = json.loads(body(made))
    return request["user"], request["events"][0]


@form
def test_a_text_in_every_field_that_is_sent(form: dict[str, Any]) -> None:
    """Ids, names, keys and values, of every type of event: the destination gets the same characters."""
    for text in TEXTS:
        payload = {text: {"key": text, "list": [text, {text: text}]}, "a": text}
        common = {"userId": text, "messageId": text}
        user, track = sent(event({"type": "track", "event": text, "properties": payload, **common}, form))
        assert (text, text, text, payload) == (
            user["user_customer_id"],
            track["event_customer_id"],
            track["insert_id"],
            track["properties"],
        )
        for type_ in ("page", "screen"):
            user, viewed = sent(event({"type": type_, "name": text, "properties": payload, **common}, form))
            assert (text, text, payload) == (user["user_customer_id"], viewed["name"], viewed["properties"])
        user, identify = sent(event({"type": "identify", "traits": payload, **common}, form))
        assert (text, payload, text) == (user["user_customer_id"], user["properties"], identify["insert_id"])
        anonymous = event({"type": "track", "event": "e", "anonymousId": text}, form)
        assert User(text, anonymous=True) == anonymous.user
        assert Kind.DELETE is event({"type": "delete", **common}, form).kind


@form
def test_a_text_in_every_field_that_is_not_sent(form: dict[str, Any]) -> None:
    """Times that are none, contexts, choices for others, fields that nobody knows: the event goes as without them."""
    for text in TEXTS:
        made = event(
            {
                "type": "track",
                "userId": "u1",
                "event": "e",
                **dict.fromkeys(("timestamp", "originalTimestamp", "sentAt", "receivedAt"), f"no time {text}"),
                "anonymousId": text,
                "context": {text: text, "personas": {"computation_class": text, "computation_key": text}},
                "integrations": {f"for {text}": False, "All": text},
                f"x{text}": text,
            },
            form,
        )
        assert (RECORD_TIME, "segment-events-3-42", "u1", None) == (
            made.timestamp,
            made.insert_id,
            made.user.id,
            made.payload,
        )


@form
def test_a_text_as_an_audience(form: dict[str, Any]) -> None:
    """A journey's membership is found under whatever key its audience has."""
    for text in TEXTS:
        personas = {"computation_class": "audience", "computation_key": text}
        fields = {"type": "identify", "userId": "u1", "traits": {text: "true"}, "context": {"personas": personas}}
        assert {text: True} == json.loads(event(fields, form).payload or b"")


@form
def test_a_text_where_an_object_belongs(form: dict[str, Any]) -> None:
    """Or as a type: the reason is the type, never the text."""
    for text in TEXTS:
        for fields in ({"type": "track", "properties": text}, {"type": "identify", "traits": text}):
            made = decode(record(json.dumps({"userId": "u1", "event": "e", **fields}, **form).encode()), FORWARD)
            assert isinstance(made, Rejected)
            assert made.detail.endswith("is not an object")
        made = decode(record(json.dumps({"type": f"x{text}", "userId": "u1"}, **form).encode()), FORWARD)
        assert not isinstance(made, Event | Rejected | Batch)
        assert "unknown_type" == made.reason.value


def test_a_text_in_a_key_and_headers() -> None:
    """Of the record: they say nothing of the event."""
    value = json.dumps({"type": "track", "userId": "u1", "event": "e"}).encode()
    for text in TEXTS:
        made = decode(
            Record(PARTITION, 42, RECORD_MS, text.encode(), value, [(text, text.encode()), (text, None)]), FORWARD
        )
        assert isinstance(made, Event)


@form
def test_all_texts_in_one_batch(form: dict[str, Any]) -> None:
    """Each in an event of its own, beside one item that is no JSON: that one alone is undecodable."""
    some = TEXTS[::2][:1200]
    items = [json.dumps({"type": "track", "userId": text, "event": text}, **form) for text in some]
    value = b'{"batch":[%s]}' % ",".join([*items, "NaN"]).encode()
    made = decode(record(value), FORWARD)

    assert isinstance(made, Batch)
    assert some == [item.user.id for item in made.items if isinstance(item, Event)]
    assert ["undecodable"] == [item.reason.value for item in made.items if isinstance(item, Rejected)]
