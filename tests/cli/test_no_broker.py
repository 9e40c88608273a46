"""Commands that ask a broker who does not answer: a sign of life with the cause after 2 s, then the end."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Final

import pytest
from typer.testing import CliRunner, Result

from consumer.cli import COMMANDS, app
from consumer.kafka.contact import Contact
from tests.settings.given_settings import load

ASKING: Final = ["lag", "dlq list", "dlq replay", "dlq show 0:0", "user ann", "user ann --forget", "produce"]
CAUSE: Final = "Connection refused"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No broker is there, and 3 s are given to it."""
    monkeypatch.setenv("CUSTOMFIT_API_KEY", "a-key-for-nobody")
    monkeypatch.setenv("CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("CUSTOMFIT_STARTUP_TIMEOUT_SECONDS", "3")


def run(arguments: str) -> Result:
    """A command, in this process."""
    return CliRunner().invoke(app(*COMMANDS), arguments.split())


@pytest.mark.parametrize("arguments", ASKING)
def test_the_first_line_names_the_cause_and_the_last_ends_it(arguments: str) -> None:
    """Both on standard error, where they are in nobody's way; the code is 69."""
    result = run(arguments)
    first, last = result.stderr.splitlines()

    assert (69, "") == (result.exit_code, result.stdout)
    assert first.startswith("customfit-consumer: no answer from Kafka at 127.0.0.1:1 yet: ")
    assert last.startswith("customfit-consumer: no Kafka broker answered at 127.0.0.1:1, ")
    assert "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS (environment)" in last
    assert (True, True) == (CAUSE in first, CAUSE in last)


def test_check_says_it_while_it_waits() -> None:
    """Its verdict comes when it knows."""
    result = run("check --connect")

    assert 69 == result.exit_code
    assert [True] == [CAUSE in line for line in result.stderr.splitlines()]


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a port that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_broker_that_says_nothing_is_told_of_too(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no cause to name."""
    monkeypatch.setenv("CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS", silent)
    result = run("lag")

    assert 69 == result.exit_code
    assert f"customfit-consumer: no answer from Kafka at {silent} yet" in result.stderr.splitlines()[0]


def test_signs_of_life_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 2 s, then every 10 s; a new wait begins from the start."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    told: list[tuple[float, str]] = []
    contact = Contact(load(), lambda line: told.append((now, line)))
    for beginning in (0.0, 30.0):
        now = beginning
        contact.begin()
        for second in range(25):
            now = beginning + second
            contact.wait("the group")

    assert [2.0, 12.0, 22.0, 32.0, 42.0, 52.0] == [moment for moment, _ in told]
    assert "no answer from Kafka at localhost:9092 yet for the group; waiting for 2 s, at most 30 s" in told[0][1]
