"""Settings: what each is when nobody says, what follows from another, and the table that documents them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from consumer.settings import Settings, settings_table
from consumer.settings.settings import RULES
from tests.settings.given_settings import load, problems

ROOT = Path(__file__).resolve().parents[2]


def test_defaults() -> None:
    """With only the key set, every setting has the default of the contract."""
    settings = load()

    assert {
        "api_key": "***",
        "api_url": "https://api.customfit.ai/v1/cfe",
        "api_auth": "bearer",
        "api_dialect": "destination",
        "api_ca_file": None,
        "destination_name": "https://api.customfit.ai/v1/cfe",
        "http_engine": "httptools",
        "kafka_bootstrap_servers": "localhost:9092",
        "kafka_topic": "segment-events",
        "kafka_group_id": "customfit-consumer",
        "kafka_start": "earliest",
        "kafka_properties": {},
        "dead_letter_topic": "segment-events.customfit-dlq",
        "state_topic": "customfit-consumer.identified-users",
        "replay_topic": "segment-events.customfit-replay",
        "receipt_topic": None,
        "rekeyed": False,
        "rekey_wait_seconds": 1.0,
        "value_format": "auto",
        "schema_registry_url": None,
        "schema_registry_user_info": None,
        "state_dir": "state",
        "standby": "off",
        "standby_records_per_second_max": 5_000,
        "hold_seconds": 0.0,
        "unidentified": "introduce",
        "anonymous": "skip",
        "integrations": "respect",
        "events_allow": None,
        "events_deny": None,
        "properties_drop": None,
        "properties_hash": None,
        "properties_hash_key": None,
        "in_flight_max": 256,
        "batch_events_max": 100,
        "batch_bytes_max": 450_000,
        "request_timeout_seconds": 10.0,
        "requests_per_second_max": None,
        "forward_headers": None,
        "give_up_seconds": 900.0,
        "dead_letter_ratio_max": 0.5,
        "buffer_events_max": 30_000,
        "buffer_bytes_max": 134_217_728,
        "record_bytes_max": 1_048_576,
        "known_users_max": 1_000_000,
        "commit_interval_seconds": 1.0,
        "uncommitted_events_max": 10_000,
        "drain_seconds": 15.0,
        "startup_timeout_seconds": 30.0,
        "http_host": "0.0.0.0",  # noqa: S104 the documented default
        "http_port": 9464,
        "http_users": "loopback",
        "http_hosts": None,
        "log_level": "info",
        "log_format": "text",
    } == settings.describe()
    assert () == settings.warnings


def test_every_field_is_a_setting() -> None:
    """No field of Settings lacks a rule, but those that load_settings adds."""
    assert {field.name for field in fields(Settings)} - {"warnings", "origins"} == set(RULES)


def test_table() -> None:
    """The documentation table has a row with help for each variable, in order, `_FILE` variants included."""
    table = settings_table()

    assert [doc.variable for doc in table][:3] == ["CUSTOMFIT_API_KEY", "CUSTOMFIT_API_KEY_FILE", "CUSTOMFIT_API_URL"]
    assert len(RULES) + 4 == len(table)
    assert all(doc.help.endswith(".") and doc.limits and "\n" not in doc.help for doc in table)
    assert {"{topic}.customfit-dlq"} == {doc.default for doc in table if doc.variable == "CUSTOMFIT_DEAD_LETTER_TOPIC"}
    assert {"0 to 600 seconds"} == {doc.limits for doc in table if doc.variable == "CUSTOMFIT_HOLD_SECONDS"}


def test_documented_defaults_are_the_defaults() -> None:
    """Giving every documented default that is a plain value changes nothing."""
    plain = {
        doc.variable: doc.default for doc in settings_table() if doc.default and not RULES[_name(doc.variable)].derived
    }

    assert load() == load(plain)


def _name(environment_variable: str) -> str:
    return environment_variable.removeprefix("CUSTOMFIT_").lower()


def test_derived_defaults() -> None:
    """The other topics follow the topic, the destination's name the URL without its query."""
    settings = load(kafka_topic="orders", api_url="https://example.com/in?app=7")

    assert "orders.customfit-dlq" == settings.dead_letter_topic
    assert "orders.customfit-replay" == settings.replay_topic
    assert "https://example.com/in" == settings.destination_name
    assert "other" == load(destination_name="other").destination_name


def test_derived_default_that_does_not_fit() -> None:
    """A derived default can be wrong too, and the message says what it came from."""
    first, second = problems(kafka_topic="t" * 240)

    assert first.startswith("CUSTOMFIT_DEAD_LETTER_TOPIC (default, from CUSTOMFIT_KAFKA_TOPIC): ")
    assert first.endswith("has 254 characters; use at most 249")
    assert second.startswith("CUSTOMFIT_REPLAY_TOPIC (default, from CUSTOMFIT_KAFKA_TOPIC): ")


def test_import_is_light() -> None:
    """The health check imports settings alone: no Kafka, no HTTP client, no command line."""
    heavy = "{'confluent_kafka', 'httpx', 'typer', 'rich', 'asyncio', 'msgspec', 'fastavro', 'prometheus_client'}"
    code = f"import sys, consumer.settings.settings; print(sorted({heavy} & sys.modules.keys()))"

    assert (
        "[]\n"
        == subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    )


def test_settings_do_not_change() -> None:
    """Neither a field nor a property can be set."""
    settings = load()
    with pytest.raises(FrozenInstanceError):
        settings.hold_seconds = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.kafka_properties["client.id"] = "x"  # type: ignore[index]
