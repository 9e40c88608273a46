"""`check`: what it finds, in which order, and what it ends with."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner, Result

from consumer.cli.check import Checked, check
from consumer.cli.exits import fail, settings_or_exit, tell


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that are right, and no broker."""
    monkeypatch.setenv("CUSTOMFIT_API_KEY", "a-key-for-checking")
    monkeypatch.setenv("CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("CUSTOMFIT_STARTUP_TIMEOUT_SECONDS", "1")


def run(*options: str) -> Result:
    """The command, in this process."""
    app = typer.Typer()
    app.command()(check)
    return CliRunner().invoke(app, list(options))


def test_the_verdict_comes_first() -> None:
    """Whoever reads one line knows whether it is fit to run, and what was not looked at."""
    alone, connected = run(), run("--connect")

    assert 0 == alone.exit_code, alone.output
    assert "READY, as far as the settings go; --connect asks the broker, too" == alone.stdout.splitlines()[0]
    assert 69 == connected.exit_code
    assert "NOT READY: 1 of 2 checks failed (Kafka)" == connected.stdout.splitlines()[0]
    assert connected.stdout.splitlines()[2].startswith("BAD  Kafka: no Kafka broker answered at 127.0.0.1:1, ")
    assert "Connection refused" in connected.stdout.splitlines()[2]


def test_a_setting_without_a_value_is_a_dash() -> None:
    """Python's word for nothing might be a value."""
    lines = run().stdout.splitlines()

    assert "api_ca_file                  -" in lines
    assert [] == [line for line in lines if line.endswith("None")]


def test_the_verdict_counts_warnings_and_scripts_have_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning is marked as one; JSON says it in one member."""
    monkeypatch.setenv("CUSTOMFIT_API_URL", "http://api.example/v1")
    lines = run().stdout.splitlines()
    connected = json.loads(run("--connect", "--json").stdout)

    assert lines[0].startswith("READY, as far as the settings go, with 1 warning; ")
    assert lines[2].startswith("warn CUSTOMFIT_API_URL (environment): the API key travels in clear text")
    assert (False, "Kafka") == (connected["ok"], connected["findings"][-1]["what"])


@pytest.mark.parametrize("options", [("--connect",), ("--connect", "--json")])
def test_what_a_broker_says_is_shown_without_secrets(monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]) -> None:
    """As text and for scripts; in the spelling of whoever stands between."""
    properties = {"sasl.username": "me", "sasl.password": "canary/of-check"}
    monkeypatch.setenv("CUSTOMFIT_KAFKA_PROPERTIES", json.dumps(properties))
    said = [Checked(False, "Kafka", "no such user: canary%2fof-check, bWU6Y2FuYXJ5L29mLWNoZWNr")]
    monkeypatch.setattr("consumer.cli.check._kafka_findings", lambda _settings: said)
    printed = run(*options).stdout

    assert "no such user: ***, ***" in printed


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_settings_are_shown_without_secrets(monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]) -> None:
    """Somebody gives the key a second time, in the path of the URL."""
    monkeypatch.setenv("CUSTOMFIT_API_KEY", "canary-key/of-check")
    monkeypatch.setenv("CUSTOMFIT_API_URL", "https://example.com/canary-key%2Fof-check/in")
    printed = run(*options).stdout

    assert "https://example.com/***/in" in printed
    assert "canary" not in printed


def test_what_ends_a_command_is_told_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    """And so is each sign of life before it: brokers' errors are in them."""
    settings_or_exit({"CUSTOMFIT_API_KEY": "canary-key/of-exits"})
    tell("waiting: canary-key\\/of-exits")
    with pytest.raises(typer.Exit):
        fail("it said canary-key%2Fof-exits", 1)

    assert "customfit-consumer: waiting: ***\ncustomfit-consumer: it said ***\n" == capsys.readouterr().err


def test_an_event_that_is_no_text_is_a_dead_letter() -> None:
    """An argument may hold any bytes, as a record may."""
    said = run("--event", "\udcff").stdout.splitlines()

    assert "BAD  event: a dead letter (undecodable): not UTF-8: invalid start byte at byte 0" in said


def test_what_would_be_done_with_an_event_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which rule keeps it back, or the request that would be sent, without what must not leave; and nothing is sent."""
    monkeypatch.setenv("CUSTOMFIT_EVENTS_ALLOW", '["Order *"]')
    monkeypatch.setenv("CUSTOMFIT_EVENTS_DENY", '["*Test"]')
    monkeypatch.setenv("CUSTOMFIT_PROPERTIES_DROP", '["email"]')
    base = {"type": "track", "userId": "ann", "messageId": "m", "timestamp": "2026-11-23T10:00:00Z"}
    names = ("Order 1", "Order Test", "Other", None)
    events = [{**base, "event": name, "properties": {"email": "a@b.c", "n": 1}} for name in names]
    result = run("--event", json.dumps({"batch": [*events, {"type": "delete", "userId": "ann"}]}))
    sent = (
        '{"user":{"user_customer_id":"ann","anonymous":false},"events":[{"event_type":"track","event_customer_id":'
        '"Order 1","properties":{"n": 1},"insert_id":"m","event_timestamp":"2026-11-23 10:00:00.000Z"}]}'
    )

    assert [
        f"ok   event: sent as {sent}",
        "ok   event: skipped (filtered): 'Order Test' fits '*Test' of CUSTOMFIT_EVENTS_DENY",
        "ok   event: skipped (filtered): 'Other' fits no rule that allows it",
        "BAD  event: a dead letter (invalid_event): a track without `event`",
        "ok   event: nothing is sent, and its user counts as not identified",
    ] == result.stdout.splitlines()[2:7]
    assert 1 == result.exit_code
