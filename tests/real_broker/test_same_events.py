"""The same 1,000 events as JSON, as Avro of a registry in three schemas, and as single objects: all say the same."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from consumer.emulator.entry import Entry
from consumer.emulator.server import running_emulator
from tests.real_broker.avro_records import OURS, client_of, serializer
from tests.real_broker.broker import Broker
from tests.real_broker.listening import Listening
from tests.real_broker.registry import Registry
from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.topics import letters, producing
from tests.segment.given_events import single_object

pytestmark = pytest.mark.usefixtures("_there_is_a_registry")

EVENTS: Final = 1_000
USERS: Final = 80
LONGS: Final = range(-(2**63), 2**63)
FREE_FORM: Final = ("properties", "traits", "context", "integrations")
Event = dict[str, Any]
User = tuple[str, bool]


# --- the events


WORDS: Final = (
    "plan",
    "über",
    "日本語",
    "кот",
    "مرحبا",
    "e\u0301",
    "👩‍👩‍👧",
    '"\\\n\t/',
    "\u2028",
    "\x00\x1f",
    "",
    "a" * 300,
)
NUMBERS: Final = (0, -1, 7, 2**53 + 1, 2**63 - 1, -(2**63), 0.1, -0.0, 27.0, 1e-300, 1.7976931348623157e308)
BIG: Final = (2**63, -(2**63) - 1, 2**64 + 1, 10**39 + 7, -(10**39) - 7)
"""Beyond what an Avro long holds."""


def made_events() -> list[Event]:
    """Of each user an identify first or none at all, then whatever comes; text of many alphabets."""
    draw = random.Random(6)
    users: list[str | int] = [f"{number}-{draw.choice(WORDS[:7])}" for number in range(USERS)]
    users[:3] = [7, 2**53 + 1, 2**63 - 1]
    begun: set[str | int] = set()
    events = []
    for number in range(EVENTS):
        user = draw.choice(users)
        identified = users.index(user) % 10 != 9
        kinds = ["track", "track", "page", "screen"] + ["identify"] * identified
        kind = "identify" if identified and user not in begun else draw.choice(kinds)
        begun.add(user)
        event: Event = {"type": kind, "messageId": f"{number}-{draw.choice(WORDS[:7])}", "userId": user}
        if kind == "track":
            event["event"] = f"{draw.choice(WORDS[:8])} {number}"
        elif kind != "identify":
            event["name"] = f"{draw.choice(WORDS[:8])} {number}"
        event["traits" if kind == "identify" else "properties"] = _object(draw, draw.choice([0, 1, 2, 2, 6]))
        event["context"] = {"locale": "de-DE", "page": {"title": draw.choice(WORDS)}}
        event["timestamp"] = f"2026-11-23T10:{number // 60 % 60:02}:{number % 60:02}.{number % 1000:03}Z"
        events.append(event)
    return events


def _object(draw: random.Random, depth: int) -> dict[str, Any]:
    return {f"{index} {draw.choice(WORDS)}": _value(draw, depth) for index in range(draw.randrange(5))}


def _value(draw: random.Random, depth: int) -> Any:
    if depth > 0 and draw.random() < 0.5:
        return _object(draw, depth - 1) if draw.random() < 0.5 else [_value(draw, depth - 1) for _ in range(3)]
    return draw.choice([draw.choice(WORDS), draw.choice(NUMBERS), draw.choice(NUMBERS), draw.choice(BIG), True, None])


# --- the formats


def older_schema() -> str:
    """Ours as it might have been: fewer fields, and whatever nests as text."""
    fields = [field for field in json.loads(OURS)["fields"] if field["name"] not in ("groupId", "version", "channel")]
    older = [{**field, "type": ["null", "string"]} if field["name"] in FREE_FORM else field for field in fields]
    return json.dumps({**json.loads(OURS), "fields": older})


def newer_schema() -> str:
    """Ours as it may become: with a field that we do not know."""
    more = {"name": "experiment", "type": ["null", "string"], "default": None}
    return json.dumps({**json.loads(OURS), "fields": [*json.loads(OURS)["fields"], more]})


def foreign_schema() -> str:
    """Somebody's own: other names, and decimals for what a long does not hold."""
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 60, "scale": 0}
    scalars = ["null", "boolean", "long", "double", "string", decimal]
    nested = [*scalars, {"type": "array", "items": scalars}, {"type": "map", "values": scalars}]
    free_form = ["null", "string", {"type": "map", "values": nested}]
    text = ["null", "string"]
    types: dict[str, Any] = {"type": "string", "message_id": "string", "user_id": ["string", "long"]}
    types |= {"event": text, "name": text, "timestamp": text} | dict.fromkeys(FREE_FORM, free_form)
    fields = [{"name": name, "type": type_} for name, type_ in types.items()]
    return json.dumps({"type": "record", "name": "com.acme.Tracked", "fields": fields})


def in_text(event: Event) -> Event:
    """Whatever nests as text."""
    return {name: json.dumps(value) if name in FREE_FORM else value for name, value in event.items()}


def in_maps(event: Event) -> Event:
    """What fits our schema as maps, what does not as text; the time as a number."""
    made = {
        name: json.dumps(value) if name in FREE_FORM and not _fits(value, 3) else value for name, value in event.items()
    }
    return {**made, "timestamp": datetime.fromisoformat(event["timestamp"])}


def in_decimals(event: Event) -> Event:
    """Names in snake_case; integers that are no longs as decimals."""
    made = dict.fromkeys(("event", "name", *FREE_FORM)) | event
    made["message_id"], made["user_id"] = made.pop("messageId"), made.pop("userId")
    for name in FREE_FORM:
        if made[name] is not None:
            exact = _with_decimals(made[name])
            made[name] = exact if _fits(exact, 2) else json.dumps(made[name])
    return made


def _fits(value: Any, levels: int) -> bool:
    if isinstance(value, dict | list):
        members = value.values() if isinstance(value, dict) else value
        return levels > 0 and all(_fits(member, levels - 1) for member in members)
    return not isinstance(value, int) or value in LONGS


def _with_decimals(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_decimals(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_decimals(member) for member in value]
    return Decimal(value) if isinstance(value, int) and value not in LONGS else value


# --- what arrives


class Said(NamedTuple):
    """What the destination was told of one event; `properties` as text, so that 7 is not 7.0, and in their order."""

    kind: str
    name: str | None
    insert_id: str
    timestamp: str
    properties: str | None


class Heard(Listening):
    """Tells what each user was sent."""

    def said(self) -> dict[User, list[Said]]:
        """Each user's events, however they were batched."""
        users: dict[User, list[Said]] = {}
        for body in map(json.loads, self.bodies):
            user = body["user"]
            for event in body["events"]:
                identifies = event["event_type"] == "identify"
                properties = (user if identifies else event).get("properties")
                name = event.get("event_customer_id", event.get("name"))
                one = Said(event["event_type"], name, event["insert_id"], event["event_timestamp"], _text(properties))
                users.setdefault((user["user_customer_id"], user["anonymous"]), []).append(one)
        return users

    def recorded(self) -> dict[User, list[tuple[Any, ...]]]:
        """The same of the ledger."""
        users: dict[User, list[tuple[Any, ...]]] = {}
        for entry in self.ledger.entries():
            users.setdefault((entry.user_id, entry.anonymous), []).extend(_events_of(entry))
        return users


def _events_of(entry: Entry) -> Iterator[tuple[Any, ...]]:
    for kind, name, insert_id in zip(entry.kinds, entry.names, entry.insert_ids, strict=True):
        yield kind, name, insert_id, entry.identify, entry.answered


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def to_be_said(events: list[Event]) -> dict[User, list[Said]]:
    """What has to arrive, introductions left out."""
    kinds = {"page": "pageview", "screen": "screenview"}
    users: dict[User, list[Said]] = {}
    for event in events:
        moment = event["timestamp"].replace("T", " ")
        properties = event["traits" if event["type"] == "identify" else "properties"]
        type_: str = event["type"]
        name = event.get("event", event.get("name"))
        one = Said(kinds.get(type_, type_), name, event["messageId"], moment, _text(properties))
        users.setdefault((str(event["userId"]), False), []).append(one)
    return users


@contextmanager
def delivered(broker: Broker, topic: str, folder: Path, registry_url: str) -> Iterator[Heard]:
    """Starts a service on the topic; it has delivered all when the block ends."""
    environ = {
        "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "CUSTOMFIT_KAFKA_TOPIC": topic,
        "CUSTOMFIT_KAFKA_GROUP_ID": topic,
        "CUSTOMFIT_STATE_DIR": str(folder / topic),
        "CUSTOMFIT_SCHEMA_REGISTRY_URL": registry_url,
    }
    with running_emulator(Heard()) as emulator:
        assert isinstance(emulator, Heard)
        with Service(folder, {**environ, "CUSTOMFIT_API_URL": emulator.url}, name=topic) as service:
            yield emulator
            service.wait_ready()
            wait_until(service.caught_up, f"caught up; its log:\n{service.log}")
            assert 0 == service.stop()


def test_a_thousand_events_say_the_same_in_every_format(broker: Broker, topic_name: str, tmp_path: Path) -> None:
    """Ledgers and requests are equal event by event: integers exact, text of any alphabet, order of keys, times."""
    events = made_events()
    with Registry() as registry, client_of(registry) as client, ExitStack() as services:
        subject = f"{topic_name}-avro"
        as_older = serializer(client, subject, older_schema(), in_text)
        as_newer = serializer(client, subject, newer_schema(), in_maps)
        as_foreign = serializer(client, f"{subject}-foreign", foreign_schema(), in_decimals)
        writers: dict[str, list[Callable[[Event], bytes | None]]] = {
            "json": [
                lambda event: json.dumps(event).encode(),
                lambda event: json.dumps(event, ensure_ascii=False).encode(),
            ],
            "avro": [as_older, as_newer, as_foreign],
            "single": [lambda event: single_object(in_maps(event))],
        }
        heard = {}
        for name, choices in writers.items():
            topic = f"{topic_name}-{name}"
            broker.create_topic(topic, 3)
            values = (choices[number % len(choices)](event) for number, event in enumerate(events))
            keys = (str(event["userId"]) for event in events)
            there = producing(broker.bootstrap_servers, topic)(*zip(keys, values, strict=True))
            assert EVENTS == len(there)
            heard[name] = services.enter_context(delivered(broker, topic, tmp_path, registry.url))
        assert [1, 2] == client.get_versions(f"{subject}-value")
        services.close()

    said = {name: one.said() for name, one in heard.items()}
    introduced = {user: events for user, events in said["json"].items() if events[0].properties is None}
    said_of_events = {user: events[user in introduced :] for user, events in said["json"].items()}
    assert to_be_said(events) == said_of_events
    assert len(introduced) > 0
    assert said["json"] == said["avro"] == said["single"]
    ledgers = {name: one.recorded() for name, one in heard.items()}
    assert ledgers["json"] == ledgers["avro"] == ledgers["single"]
    for name, one in heard.items():
        summary = one.ledger.summary()
        assert (EVENTS, {}) == (summary["events"] - summary["introductions"], summary["refused"])
        assert 0 == summary["identifies_first_violations"] == summary["duplicate_insert_ids"]
        assert [] == letters(broker.bootstrap_servers, f"{topic_name}-{name}.customfit-dlq")
