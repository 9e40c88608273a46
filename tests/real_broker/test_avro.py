"""Avro from end to end: real broker, real registry, records written by others' serializers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema

from consumer.emulator.contract import Call
from consumer.emulator.server import Emulator, running_emulator
from tests.real_broker.avro_records import OURS, client_of, serializer
from tests.real_broker.broker import Broker
from tests.real_broker.registry import Registry
from tests.real_broker.running_service import KEY, Service, wait_until
from tests.segment.given_events import single_object

pytestmark = pytest.mark.usefixtures("_there_is_a_registry")

OLDER: Final = json.dumps(
    {
        **json.loads(OURS),
        "fields": [field for field in json.loads(OURS)["fields"] if field["name"] not in ("groupId", "version")],
    }
)
ACME: Final = json.dumps(
    {
        "type": "record",
        "name": "com.acme.Tracked",
        "fields": [
            {"name": "type", "type": "string"},
            {"name": "message_id", "type": "string"},
            {"name": "user_id", "type": "string"},
            {"name": "event", "type": ["null", "string"]},
            {"name": "name", "type": ["null", "string"]},
            {"name": "traits", "type": ["null", "string"]},
            {"name": "properties", "type": ["null", "string"]},
            {"name": "timestamp", "type": "string"},
        ],
    }
)


def events(user: str) -> list[dict[str, Any]]:
    """An identify, a track and a page of this user."""
    common = {"userId": user, "timestamp": "2026-11-23T10:00:00.123Z"}
    properties = {"total": 27.5, "count": 2**53 + 1, "tags": ["a", None], "paid": True, "shop": {"city": "Pune"}}
    return [
        {"type": "identify", "messageId": f"{user}-0", "traits": {"plan": "pro", "age": 7}, **common},
        {"type": "track", "messageId": f"{user}-1", "event": "Order Completed", "properties": properties, **common},
        {"type": "page", "messageId": f"{user}-2", "name": "Pricing", "properties": {"path": "/"}, **common},
    ]


def in_snake_case(event: dict[str, Any]) -> dict[str, Any]:
    """The same for ACME's schema: other names, and text for what nests."""
    made = {"message_id": event["messageId"], "user_id": event["userId"], "event": None, "name": None, **event}
    for field in ("traits", "properties"):
        made[field] = json.dumps(event[field]) if field in event else None
    return {name: value for name, value in made.items() if name not in ("messageId", "userId")}


class Watched:
    """Keeps each accepted call."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def accepted(self, call: Call, *, out_of_order: bool) -> None:
        assert not out_of_order
        self.calls.append(call)

    def refused(self, status: int, reason: str, path: str) -> None:
        raise AssertionError(f"{status} {reason} {path}")

    def of(self, user: str) -> list[tuple[Any, ...]]:
        """What this user's events say, without who they are."""
        return [
            (kind, name, None if raw is None else json.loads(bytes(raw)), insert_id.removeprefix(user))
            for call in self.calls
            if call.user_id == user
            for kind, name, raw, insert_id in zip(call.kinds, call.names, call.properties, call.insert_ids, strict=True)
        ]


@pytest.fixture(scope="module")
def registry(_there_is_a_registry: None) -> Iterator[Registry]:
    """One for all: the subjects of a test have the name of its topic."""
    with Registry() as running:
        yield running


@pytest.fixture
def watched() -> Watched:
    """What the emulator accepts."""
    return Watched()


@pytest.fixture
def emulator(watched: Watched) -> Iterator[Emulator]:
    """CustomFit's stand-in."""
    with running_emulator(Emulator(keys=frozenset({KEY}), watcher=watched)) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Given:
    """What a test is given: a topic, settings for the service, what the emulator accepts, and a registry."""

    folder: Path
    topic: str
    settings: dict[str, str]
    watched: Watched
    registry: Registry
    _producer: Producer

    @property
    def with_registry(self) -> dict[str, str]:
        """Settings that name the registry."""
        return {**self.settings, "CUSTOMFIT_SCHEMA_REGISTRY_URL": self.registry.url}

    def produce(self, partition: int, *values: bytes | None, headers: dict[str, bytes] | None = None) -> None:
        """Produce values to a partition of the topic, and wait until they are there."""
        for value in values:
            self._producer.produce(self.topic, value, partition=partition, headers=dict(headers or {}))
        assert self._producer.flush(30) == 0


@pytest.fixture
def given(
    *,
    tmp_path: Path,
    broker: Broker,
    topic_name: str,
    settings: dict[str, str],
    watched: Watched,
    registry: Registry,
) -> Given:
    """All of it."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    return Given(tmp_path, topic_name, settings, watched, registry, producer)


def test_every_format_says_the_same(given: Given) -> None:
    """JSON, three schemas in Confluent's format, ids in headers and single objects, mixed in one partition."""
    with client_of(given.registry) as client:
        ours = serializer(client, f"{given.topic}-a", OURS)
        older = serializer(client, f"{given.topic}-a", OLDER)
        acme = serializer(client, f"{given.topic}-b", ACME, in_snake_case)
        for rows in zip(*(events(user) for user in ("json", "ours", "older", "acme", "header", "single")), strict=True):
            json_, ours_, older_, acme_, header_, single_ = rows
            given.produce(
                0, json.dumps(json_).encode(), ours(ours_), older(older_), acme(acme_), single_object(single_)
            )
            in_front = ours(header_)
            assert in_front is not None
            given.produce(0, in_front[5:], headers={"__value_schema_id": in_front[:5]})
        with Service(given.folder, given.with_registry).wait_ready() as service:
            wait_until(service.caught_up, "caught up")
            assert 0 == service.stop()

    said = given.watched.of("json")
    assert ["identify", "track", "pageview"] == [kind for kind, *_ in said]
    assert said == given.watched.of("ours") == given.watched.of("older") == given.watched.of("acme")
    assert said == given.watched.of("header") == given.watched.of("single")


def test_what_produce_writes_as_avro_arrives(given: Given) -> None:
    """The command registers the schema and writes by it; the service reads it back, whoever types that for a try."""
    environ = {**given.with_registry, "CUSTOMFIT_ANONYMOUS": "forward"}
    command = [sys.executable, "-m", "consumer", "produce", "--format", "avro", "--events", "200", "--seed", "1"]
    subprocess.run(command, env={**os.environ, **environ}, check=True, timeout=60)
    with Service(given.folder, environ).wait_ready() as service:
        wait_until(service.caught_up, "caught up")
        samples = service.samples()
        assert 0 == service.stop()

    delivered = samples['customfit_events_finished_total{outcome="delivered",reason="ok"}']
    assert delivered > 150
    insert_ids = [insert_id for call in given.watched.calls for insert_id in call.insert_ids]
    assert delivered == sum(not insert_id.startswith("introduction") for insert_id in insert_ids)


def test_a_registry_that_is_away_holds_back_only_what_needs_it(given: Given) -> None:
    """The other partition goes on, readiness says why, nothing is dead-lettered, and the registry's return fixes it."""
    with client_of(given.registry) as client:
        ours = serializer(client, given.topic, OURS)
        given.produce(0, *(ours(event) for event in events("avro")))
    given.produce(1, *(json.dumps(event).encode() for event in events("json")))
    with Service(given.folder, given.with_registry) as service:
        with given.registry.away():
            service.wait_ready()
            wait_until(lambda: len(given.watched.of("json")) == 3, "the events that need no registry")
            health = wait_until(
                lambda: (found := service.json("/readyz"))["status"] == "degraded" and found, "readiness tells it"
            )
            assert [] == given.watched.of("avro")
            assert 0 < service.samples()['customfit_errors_total{kind="registry",stage="decode"}']
        wait_until(service.caught_up, f"caught up; its log:\n{service.log}")
        samples = service.samples()
        assert 0 == service.stop()

    assert f"{given.topic}-0 waits for a schema" in health["reasons"][0]
    assert given.watched.of("json") == given.watched.of("avro")
    assert 6 == samples['customfit_events_finished_total{outcome="delivered",reason="ok"}']


def test_avro_without_a_registry_waits_and_is_delivered_once_it_is_set(given: Given) -> None:
    """Its partition alone waits, degraded and in the log; nothing of it is committed or buried, also over a restart."""
    with client_of(given.registry) as client:
        ours = serializer(client, given.topic, OURS)
        values = [ours(event) or b"" for event in events("avro")]
        given.produce(0, *values)
        given.produce(1, *(json.dumps(event).encode() for event in events("json")))
        with Service(given.folder, given.settings).wait_ready() as service:
            wait_until(lambda: len(given.watched.of("json")) == 3, "the partition that needs no registry")
            status = wait_until(
                lambda: (found := service.json("/status"))["causes"] == ["registry_not_set"] and found, "the cause"
            )
            readiness = service.readiness()
            wait_until(lambda: "looks like Avro" in service.log, lambda: service.log)
            gauge = service.sample("customfit_degraded", cause="registry_not_set")
            waits = {one["partition"]: (one["position"], one["committed_offset"]) for one in status["partitions"]}
            wait_until(
                lambda: service.sample("customfit_lag_events", topic=given.topic, partition=1) == 0, "its commit"
            )
            assert 3 == service.sample("customfit_lag_events", topic=given.topic, partition=0)
            assert 0 == service.sample("customfit_events_consumed_total", type="undecodable")
            assert 0 == service.stop()

            assert [] == given.watched.of("avro")
            service.restart()
            wait_until(lambda: service.readiness().status == "degraded", "it waits again")
            assert 0 == service.stop()
        with Service(given.folder, given.with_registry, name="again").wait_ready() as service:
            wait_until(service.caught_up, lambda: f"caught up; its log:\n{service.log}")
            assert "ready" == service.readiness().status
            samples = service.samples()
            assert 0 == service.stop()

    assert (200, "degraded", 1.0) == (*readiness[:2], gauge)
    schema = int.from_bytes(values[0][1:5], "big")
    assert f"{given.topic}-0: offset 0 looks like Avro of schema {schema}" in readiness.reasons
    assert "set CUSTOMFIT_SCHEMA_REGISTRY_URL, or CUSTOMFIT_VALUE_FORMAT=json" in readiness.reasons
    assert (0, 0) == waits[0]
    assert given.watched.of("json") == given.watched.of("avro")
    assert 3 == samples['customfit_events_finished_total{outcome="delivered",reason="ok"}']
    assert 0 == samples['customfit_events_finished_total{outcome="dead_lettered",reason="undecodable"}']


def test_garbage_that_looks_like_avro_is_a_dead_letter_among_json(given: Given) -> None:
    """Behind 200 records of JSON; with CUSTOMFIT_VALUE_FORMAT=json from the first record on."""
    garbage, track = b"\0\0\0\0\1garbage", json.dumps(events("ann")[1]).encode()
    given.produce(0, *[track] * 200, garbage, track)
    given.produce(1, garbage, track)
    with Service(given.folder, given.settings).wait_ready() as service:
        wait_until(lambda: len(given.watched.of("ann")) >= 201, "what is behind it in partition 0")
        wait_until(lambda: service.sample("customfit_lag_events", topic=given.topic, partition=0) == 0, "committed")
        assert service.readiness().reasons.startswith(f"{given.topic}-1: offset 0 looks like Avro of schema 1")
        assert 0 == service.stop()
    json_alone = {**given.settings, "CUSTOMFIT_VALUE_FORMAT": "json"}
    with Service(given.folder, json_alone, name="again").wait_ready() as service:
        wait_until(service.caught_up, lambda: f"caught up; its log:\n{service.log}")
        samples = service.samples()
        assert 0 == service.stop()

    assert 1 == samples['customfit_events_finished_total{outcome="dead_lettered",reason="undecodable"}']
    assert 1 == samples['customfit_events_finished_total{outcome="delivered",reason="ok"}']


def test_what_no_schema_reads_is_dead_lettered(given: Given) -> None:
    """An id that the registry does not have, a recursive schema, a value cut short; the rest goes on."""
    recursive = {"type": "record", "name": "E", "fields": [{"name": "next", "type": ["null", "E"]}]}
    with client_of(given.registry) as client:
        ours = serializer(client, given.topic, OURS)
        number = client.register_schema(f"{given.topic}-r", Schema(json.dumps(recursive), "AVRO"))
        good = [ours(event) for event in events("ann")]
        assert good[0] is not None
        bad = [b"\0\0\0\x7f\x7fxx", b"\0" + number.to_bytes(4, "big") + b"\x02" * 5000 + b"\0", good[0][:-9]]
        given.produce(0, *bad, *good, b"\xc3\x01nobodys!")
        with Service(given.folder, given.with_registry).wait_ready() as service:
            wait_until(service.caught_up, "caught up")
            samples = service.samples()
            assert 0 == service.stop()

    assert 3 == len(given.watched.of("ann"))
    assert 4 == samples['customfit_events_finished_total{outcome="dead_lettered",reason="undecodable"}']
