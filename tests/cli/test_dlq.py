"""`dlq`: which reasons it takes."""

from __future__ import annotations

from typing import get_args

import pytest
from typer.testing import CliRunner

from consumer.cli import app
from consumer.cli.dlq import Reason
from consumer.dead_letters.selection import REASONS


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
