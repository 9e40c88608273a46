"""`dlq`: which reasons it takes, and what it shows of what servers have said."""

from __future__ import annotations

from typing import get_args

import pytest
from typer.testing import CliRunner

from consumer.cli import app
from consumer.cli.dlq import Reason, without_secrets
from consumer.cli.exits import settings_or_exit
from consumer.dead_letters.selection import REASONS
from consumer.sequencing.events import Partition, Record


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("refusd", "did you mean refused?"),
        ("Gave-up", "did you mean gave_up?"),
        ("invalid", "did you mean invalid_event?"),
        ("xyz", "use one of these"),
    ],
)
@pytest.mark.parametrize("command", ["list", "replay"])
def test_a_reason_is_one_of_a_closed_list(command: str, reason: str, hint: str) -> None:
    """A word that no dead letter has would find nothing, which looks like good news."""
    result = CliRunner().invoke(app("dlq"), ["dlq", command, "--reason", "refused", "--reason", reason], env=WIDE)

    assert (2, "") == (result.exit_code, result.stdout)
    assert hint in result.stderr
    assert all(known in result.stderr for known in REASONS)


WIDE = {"COLUMNS": "300", "TERMINAL_WIDTH": "300"}


def test_help_names_every_reason() -> None:
    """In its order."""
    help_ = get_args(Reason)[1].help

    assert sorted(REASONS, key=help_.index) == list(REASONS)


def test_a_dead_letter_of_an_earlier_version_is_shown_without_secrets() -> None:
    """What servers said of it is masked; what its producer wrote is shown as it is, for whoever corrects it."""
    key = "canary-key/of-dlq"
    settings_or_exit({"CUSTOMFIT_API_KEY": key})
    headers = [
        ("mine", key.encode()),
        ("none", None),
        ("__connect.errors.exception.message", b"it said canary-key\\u002fof-dlq"),
        ("customfit.http.body", b"\xff " + key[:9].encode()),
    ]
    shown = without_secrets(Record(Partition("dlq", 0), 1, 0, key.encode(), key.encode(), headers))

    assert [
        ("mine", key.encode()),
        ("none", None),
        ("__connect.errors.exception.message", b"it said ***"),
        ("customfit.http.body", b"\xff ***"),
    ] == shown.headers
    assert (key.encode(), key.encode()) == (shown.key, shown.value)
