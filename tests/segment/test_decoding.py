"""Which records are events for us, whose they are, and what of them is kept."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.segment.decoding import DecodingRules
from consumer.sequencing.events import EVENT_TYPES, Kind, Rejected, Skipped, User
from tests.segment.given_events import RECORD_TIME, decoded, end, event, segment

FORWARD = DecodingRules(anonymous="forward")
ENGAGE = {"personas": {"computation_class": "trait", "computation_key": "k"}}
ABSENT = object()


# --- integrations: is this destination meant?

ON, OFF = "sent", "skipped: integrations"


@pytest.mark.parametrize(
    ("integrations", "respect", "explicit"),
    [
        (ABSENT, ON, ON),
        (None, ON, ON),
        ([], ON, ON),
        ([False], ON, ON),
        (False, ON, ON),
        ("All", ON, ON),
        ({}, ON, ON),
        ({"Mixpanel": False}, ON, ON),
        ({"All": True}, ON, ON),
        ({"All": None}, ON, ON),
        ({"All": {}}, ON, ON),
        ({"All": "false"}, ON, ON),
        ({"All": 0}, ON, ON),
        ({"all": False}, ON, ON),
        ({"All": False}, OFF, ON),
        ({"All": False, "Mixpanel": True}, OFF, ON),
        ({"All": False, "CustomFit": True}, OFF, ON),
        ({"All": False, "customfit.ai": True}, OFF, ON),
        ({"All": False, "CustomFit.ai": None}, OFF, ON),
        ({"All": False, "CustomFit.ai": True}, ON, ON),
        ({"All": False, "customfitai": True}, ON, ON),
        ({"All": False, "CustomFit.ai": {}}, ON, ON),
        ({"All": False, "customfitai": {"option": False}}, ON, ON),
        ({"All": False, "CustomFit.ai": None, "customfitai": True}, ON, ON),
        ({"CustomFit.ai": False}, OFF, OFF),
        ({"customfitai": False}, OFF, OFF),
        ({"All": True, "CustomFit.ai": False}, OFF, OFF),
        ({"All": True, "customfitai": False}, OFF, OFF),
        ({"All": False, "CustomFit.ai": False}, OFF, OFF),
        ({"CustomFit": False}, ON, ON),
        ({"customfit.ai": False}, ON, ON),
        ({"CUSTOMFITAI": False}, ON, ON),
    ],
)
@pytest.mark.parametrize("type_", ["identify", "track", "page", "screen"])
def test_integrations(type_: str, integrations: Any, respect: str, explicit: str) -> None:
    """The exact name, else All, else on; `explicit` looks only for a false under the name, `ignore` at nothing.

    What Engage sends is judged as explicit: it always comes with All: false.
    """
    fields = {"type": type_} if integrations is ABSENT else {"type": type_, "integrations": integrations}

    assert respect == end(segment(fields), DecodingRules(integrations="respect"))
    assert explicit == end(segment(fields), DecodingRules(integrations="explicit"))
    assert ON == end(segment(fields), DecodingRules(integrations="ignore"))
    assert explicit == end(segment(fields, context=ENGAGE), DecodingRules(integrations="respect"))
    assert explicit == end(segment(fields, context=ENGAGE), DecodingRules(integrations="explicit"))
    assert ON == end(segment(fields, context=ENGAGE), DecodingRules(integrations="ignore"))


@pytest.mark.parametrize(
    "context",
    [
        None,
        [],
        "personas",
        5,
        {},
        {"personas": None},
        {"personas": []},
        {"personas": "audience"},
        {"page": {"personas": {"computation_class": "audience"}}},
        {"page": {"title": '"personas"'}},
        {"groupId": "g"},
    ],
)
def test_contexts_that_are_not_of_engage(context: object) -> None:
    """Only an object at context.personas makes an event one of Engage's; whatever else is there, All: false counts."""
    fields = {"type": "identify", "traits": {"k": "true"}, "context": context}

    assert OFF == end(segment(fields, integrations={"All": False}))
    assert b'{"k": "true"}' == event(segment(fields)).payload


def test_delete_ignores_integrations() -> None:
    """A delete concerns this program itself, so no switch of a destination stops it."""
    value = segment(type="delete", integrations={"All": False, "CustomFit.ai": False, "customfitai": False})

    assert Kind.DELETE is event(value).kind


# --- whose event is it?


@pytest.mark.parametrize(
    ("ids", "user"),
    [
        ({"userId": "u1"}, User("u1")),
        ({"userId": "u1", "anonymousId": "a1"}, User("u1")),
        ({"userId": "u1", "anonymousId": {"not": "an id"}}, User("u1")),
        ({"userId": 7}, User("7")),
        ({"userId": 0}, User("0")),
        ({"userId": -7}, User("-7")),
        ({"userId": 2**64 + 1}, User("18446744073709551617")),
        ({"userId": " "}, User(" ")),
        ({"userId": "null"}, User("null")),
        ({"userId": "é"}, User("é")),
        ({"userId": "x" * 512}, User("x" * 512)),
        ({"userId": "é" * 256}, User("é" * 256)),
        ({"userId": "😀" * 128}, User("😀" * 128)),
        ({"userId": int("9" * 512)}, User("9" * 512)),
        ({"userId": None, "anonymousId": "a1"}, User("a1", anonymous=True)),
        ({"userId": "", "anonymousId": "a1"}, User("a1", anonymous=True)),
        ({"anonymousId": "a1"}, User("a1", anonymous=True)),
        ({"anonymousId": 7}, User("7", anonymous=True)),
        ({"anonymousId": "x" * 512}, User("x" * 512, anonymous=True)),
    ],
)
def test_ids(ids: dict[str, object], user: User) -> None:
    """The userId, else the anonymousId: text of up to 512 bytes, or a whole number; null and "" are absent."""
    value = segment({"userId": None, **ids})

    assert user == event(value, FORWARD).user
    assert ("skipped: anonymous" if user.anonymous else "sent") == end(value)


@pytest.mark.parametrize(
    "ids",
    [
        {},
        {"userId": None, "anonymousId": None},
        {"userId": "", "anonymousId": ""},
        {"userId": True},
        {"userId": False, "anonymousId": "a1"},
        {"userId": 1.5, "anonymousId": "a1"},
        {"userId": 7.0, "anonymousId": "a1"},
        {"userId": ["u1"], "anonymousId": "a1"},
        {"userId": [], "anonymousId": "a1"},
        {"userId": {"id": "u1"}, "anonymousId": "a1"},
        {"anonymousId": True},
        {"anonymousId": 1.5},
        {"anonymousId": ["a1"]},
        {"userId": "x" * 513},
        {"userId": "é" * 257},
        {"userId": "x" + "é" * 256},
        {"userId": "😀" * 128 + "x"},
        {"userId": int("9" * 513)},
        {"previousId": "u1", "groupId": "g1"},
    ],
)
@pytest.mark.parametrize("type_", ["identify", "track", "page", "screen", "delete"])
def test_unusable_ids(type_: str, ids: dict[str, object]) -> None:
    """No id, or a userId that is neither text, a whole number nor absent: nobody guesses, the record is kept aside."""
    made = decoded(segment({"type": type_, "userId": None, **ids}))

    assert isinstance(made, Rejected)
    assert (type_, "invalid_event") == (made.type, made.reason.value)


@pytest.mark.parametrize("anonymous_id", ["x" * 513, "é" * 257])
def test_an_anonymous_id_that_is_too_long(anonymous_id: str) -> None:
    """Kept aside when it would be sent; when visitors are skipped it is nothing to keep."""
    value = segment(userId=None, anonymousId=anonymous_id)

    assert "skipped: anonymous" == end(value)
    assert "dead letter: invalid_event" == end(value, FORWARD)


# --- what kind of event, and the `type` it is counted under


@pytest.mark.parametrize(
    ("value", "counted_as", "ends"),
    [
        (None, "tombstone", "skipped: tombstone"),
        (segment(type="group", groupId="g"), "group", "skipped: unsupported"),
        (segment(type="alias", previousId="p"), "alias", "skipped: unsupported"),
        (segment(type="group", userId=None), "group", "skipped: unsupported"),
        (segment(type="group", userId=[], event=5, name={}, traits=7), "group", "skipped: unsupported"),
        (segment(type="Track"), "unknown", "skipped: unknown_type"),
        (segment(type=""), "unknown", "skipped: unknown_type"),
        (segment(type="tombstone"), "unknown", "skipped: unknown_type"),
        (segment(type="undecodable", userId=None), "unknown", "skipped: unknown_type"),
        (segment(type="x" * 100_000), "unknown", "skipped: unknown_type"),
        (segment(type="identify", userId=None, anonymousId="a"), "identify", "skipped: anonymous"),
        (segment(type="delete", userId=None, anonymousId="a"), "delete", "skipped: anonymous"),
        (segment(type="page", integrations={"All": False}), "page", "skipped: integrations"),
        (segment(type="screen", properties=5), "screen", "dead letter: invalid_event"),
        (segment(type=None), "unknown", "dead letter: invalid_event"),
        (segment(type=5), "unknown", "dead letter: invalid_event"),
        (segment(type=["track"]), "unknown", "dead letter: invalid_event"),
        (b"{}", "unknown", "dead letter: invalid_event"),
        (b"", "undecodable", "dead letter: undecodable"),
        (b"?" * 1_048_577, "undecodable", "dead letter: too_large"),
    ],
)
def test_types(value: bytes | None, counted_as: str, ends: str) -> None:
    """What is not sent is counted under its type, and the types are a closed list whatever arrives."""
    made = decoded(value)

    assert isinstance(made, Skipped | Rejected)
    assert counted_as == made.type
    assert made.type in EVENT_TYPES
    assert ends == end(value)


@pytest.mark.parametrize("kind", Kind)
def test_kinds(kind: Kind) -> None:
    """The five types that concern us; the kind's value is what it is counted under."""
    made = event(segment(type=kind.value))

    assert kind is made.kind
    assert kind.value in EVENT_TYPES


# --- what is kept


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        (b'{"a":1}', b'{"a":1}'),
        (b"{}", b"{}"),
        (b'  { "a" : [ ] }\n\t', b'{ "a" : [ ] }'),
        (b"null", None),
        (b"[]", None),
        (b"[ \r\n\t]", None),
    ],
)
@pytest.mark.parametrize(
    ("type_", "field"),
    [("identify", "traits"), ("track", "properties"), ("page", "properties"), ("screen", "properties")],
)
def test_payloads(type_: str, field: str, text: bytes, payload: bytes | None) -> None:
    """An object as it is written, without the white space around it; null and PHP's empty array are none."""
    made = event(b'{"type":"%s","userId":"u1","event":"e","%s":%s}' % (type_.encode(), field.encode(), text))

    assert payload == made.payload


@pytest.mark.parametrize("text", [b"5", b'"x"', b"true", b"[1]", b"[[]]", b"[{}]", b'"{}"', b"0.5", b'""', b"false"])
@pytest.mark.parametrize(
    ("type_", "field"),
    [("identify", "traits"), ("track", "properties"), ("page", "properties"), ("screen", "properties")],
)
def test_payloads_that_are_no_object(type_: str, field: str, text: bytes) -> None:
    """Anything else cannot be anybody's traits or properties; the reason names the field."""
    made = decoded(b'{"type":"%s","userId":"u1","event":"e","%s":%s}' % (type_.encode(), field.encode(), text))

    assert isinstance(made, Rejected)
    assert (type_, "invalid_event") == (made.type, made.reason.value)
    assert f"`{field}` is not an object" == made.detail


def test_only_the_payload_of_the_type_counts() -> None:
    """Properties of an identify and traits of a track are not looked at; a delete has no payload at all."""
    assert b"{}" == event(segment(type="identify", traits={}, properties=5)).payload
    assert b"{}" == event(segment(type="track", properties={}, traits=5)).payload
    assert event(segment(type="delete", properties=5, traits=5)).payload is None


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"type": "track", "event": "Signed Up", "name": "x"}, "Signed Up"),
        ({"type": "track", "event": " ", "name": 5}, " "),
        ({"type": "page", "name": "Pricing", "event": 5}, "Pricing"),
        ({"type": "page", "name": "", "category": "Docs"}, None),
        ({"type": "page", "name": None}, None),
        ({"type": "screen"}, None),
        ({"type": "screen", "name": "Home"}, "Home"),
        ({"type": "identify", "name": "x"}, None),
        ({"type": "identify", "name": {"first": "x"}, "event": 5}, None),
        ({"type": "delete", "name": 5, "event": 5}, None),
    ],
)
def test_names(fields: dict[str, object], name: str | None) -> None:
    """A track's name is its `event`, a page's or screen's its `name` where it has one; other types have none."""
    assert name == event(segment(fields)).name


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"type": "track", "event": None}, "a track without `event`"),
        ({"type": "track", "event": "", "name": "x"}, "a track without `event`"),
        ({"type": "track", "event": 5}, "`event` is not a string"),
        ({"type": "track", "event": ["e"]}, "`event` is not a string"),
        ({"type": "page", "name": 5}, "`name` is not a string"),
        ({"type": "page", "name": 0}, "`name` is not a string"),
        ({"type": "screen", "name": {}}, "`name` is not a string"),
    ],
)
def test_unusable_names(fields: dict[str, object], detail: str) -> None:
    """A track needs its event, and a name of another type than text is not turned into one."""
    made = decoded(segment(fields))

    assert isinstance(made, Rejected)
    assert detail == made.detail


def test_the_record_goes_with_whatever_it_became() -> None:
    """Event, skipped or rejected: the record itself is there, since a dead letter carries it unchanged."""
    for value in (segment(), None, b"?"):
        assert value == decoded(value).record.value


def test_the_record_s_time_where_the_event_has_none() -> None:
    """An event without any time happened when its record was written."""
    assert RECORD_TIME == event(segment()).timestamp
