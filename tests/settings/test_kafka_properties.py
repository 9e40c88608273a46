"""Settings: which librdkafka properties pass, and what those are told that do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.settings.given_settings import load, problem, problems, written


def test_properties_become_text() -> None:
    """Text, numbers as they are written, true and false."""
    text = '{"client.id": "a", "linger.ms": 5, "queue.ratio": 0.10, "socket.keepalive.enable": true, "x.y": false}'

    assert {
        "client.id": "a",
        "linger.ms": "5",
        "queue.ratio": "0.10",
        "socket.keepalive.enable": "true",
        "x.y": "false",
    } == dict(load(kafka_properties=text).kafka_properties)


def test_properties_from_a_file(tmp_path: Path) -> None:
    """They may stand in a file, as passwords should."""
    file = written(tmp_path / "p.json", '{"sasl.username": "me"}\n')

    assert {"sasl.username": "me"} == dict(load(kafka_properties_file=str(file)).kafka_properties)
    assert "both are set" in problem(kafka_properties_file=str(file), kafka_properties="{}")


@pytest.mark.parametrize(
    "text",
    [
        'kafka_properties = {"security.protocol" = "ssl", "linger.ms" = 5, "log.queue" = true}',
        '[kafka_properties]\nsecurity.protocol = "ssl"\nlinger.ms = 5\nlog.queue = true',
        'kafka_properties = \'{"security.protocol": "ssl", "linger.ms": 5, "log.queue": true}\'',
    ],
)
def test_properties_in_toml(tmp_path: Path, text: str) -> None:
    """A table, dotted keys or JSON text mean the same."""
    toml = written(tmp_path / "c.toml", text)

    assert {"security.protocol": "ssl", "linger.ms": "5", "log.queue": "true"} == dict(load({}, toml).kafka_properties)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("canary", "not JSON (Expecting value, line 1, column 1)"),
        ("[]", "not a JSON object"),
        ('{"a": "canary", "a": "canary"}', "'a' is there twice"),
        ('{"a": null}', "'a' is not text, a number, true or false"),
        ('{"a": ["canary"]}', "'a' is not text"),
        ('{"a": {"b": "canary"}}', "'a' is not text"),
        ('{"a": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "nested too deep"),
        (json.dumps({"a": "canary" * 20_000}), "longer than 65536"),
        (json.dumps({str(number): 1 for number in range(201)}), "201 properties are more than 200"),
        ('{"max.poll.interval.ms": "5 min"}', "use a whole number of milliseconds"),
        ('{"max.poll.interval.ms": 0}', "use a whole number of milliseconds"),
        ('{"max.poll.interval.ms": 30000}', "below session.timeout.ms (45 s)"),
    ],
)
def test_unusable_properties(text: str, words: str) -> None:
    """What is no object of properties is told apart, and no value is repeated."""
    message = problem(kafka_properties=text)

    assert message.startswith("CUSTOMFIT_KAFKA_PROPERTIES (environment): ")
    assert words in message
    assert "canary" not in message


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("enable.auto.commit", "false", "CUSTOMFIT_COMMIT_INTERVAL_SECONDS"),
        ("auto.commit.enable", "true", "CUSTOMFIT_COMMIT_INTERVAL_SECONDS"),
        ("enable.auto.offset.store", "true", "finished"),
        ("auto.offset.reset", "latest", "CUSTOMFIT_KAFKA_START"),
        ("isolation.level", "read_uncommitted", "aborted transaction"),
        ("enable.partition.eof", "false", "caught up"),
        ("group.id", "g", "CUSTOMFIT_KAFKA_GROUP_ID"),
        ("bootstrap.servers", "b", "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS"),
        ("metadata.broker.list", "b", "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS"),
        ("partition.assignment.strategy", "range", "cooperative-sticky"),
        ("partition.assignment.strategy", "range,cooperative-sticky", "cooperative-sticky"),
        ("acks", "1", "in-sync replicas"),
        ("enable.idempotence", "false", "in-sync replicas"),
        ("transactional.id", "t", "transactions"),
        ("error_cb", "f", "code"),
        ("on_commit", "f", "code"),
    ],
)
def test_properties_the_promise_rests_on(name: str, value: str, words: str) -> None:
    """They are refused, each with the reason and what to do instead."""
    message = problem(kafka_properties=json.dumps({name: value}))

    assert message.startswith(f"CUSTOMFIT_KAFKA_PROPERTIES (environment): {name} is refused")
    assert words in message


def test_all_refused_properties_at_once() -> None:
    """Two refused properties are two problems."""
    assert 2 == len(problems(kafka_properties='{"group.id": "g", "isolation.level": "x"}'))


def test_harmless_values_of_guarded_properties() -> None:
    """A shared configuration may state what the promise needs anyway."""
    properties = {"partition.assignment.strategy": "cooperative-sticky", "acks": "all", "enable.idempotence": True}

    assert "true" == load(kafka_properties=json.dumps(properties)).kafka_properties["enable.idempotence"]


@pytest.mark.parametrize(
    "name", ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy", "group.protocol.type"]
)
def test_the_new_group_protocol(name: str) -> None:
    """With group.protocol=consumer the broker decides what librdkafka would refuse here."""
    message = problem(kafka_properties=json.dumps({"group.protocol": "CONSUMER", name: "1000"}))

    assert f"{name} is refused with group.protocol=consumer: " in message
    assert {"group.protocol": "consumer"} == dict(
        load(kafka_properties='{"group.protocol": "consumer"}').kafka_properties
    )


CERTIFICATE, HOST = "enable.ssl.certificate.verification", "ssl.endpoint.identification.algorithm"


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({"security.protocol": "SASL_SSL", CERTIFICATE: False}, CERTIFICATE),
        ({"security.protocol": "ssl", HOST: "None"}, HOST),
        ({"security.protocol": "ssl", HOST: "https", CERTIFICATE: "true"}, None),
        ({"security.protocol": "ssl"}, None),
        ({"security.protocol": "plaintext", HOST: "none"}, None),
    ],
)
def test_warns_of_a_broker_that_is_not_verified(properties: dict[str, object], named: str | None) -> None:
    """TLS with anyone is allowed, but said."""
    warnings = load(kafka_properties=json.dumps(properties)).warnings

    assert [named] * bool(named) == [text.split()[3] for text in warnings]
