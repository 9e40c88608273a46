"""`--help` by example: every command shows how it is used, and which settings matter to it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from consumer.cli.examples import SHOWN, variable
from consumer.cli.tree import commands
from consumer.settings import settings_table


def test_every_command_has_examples() -> None:
    """No other has: a command that is gone leaves none behind."""
    assert {command.name for command in commands()} == set(SHOWN)
    assert [] == [name for name, shown in SHOWN.items() if not shown.examples]


def test_examples_are_of_their_command_and_fit_a_terminal() -> None:
    """A line that wraps can't be pasted."""
    for name, shown in SHOWN.items():
        for example in shown.examples:
            assert f"customfit-consumer {name}" in example.command
            assert len(example.command) <= 74


def test_the_settings_that_are_named_exist() -> None:
    """By the names that the environment has."""
    known = {row.variable for row in settings_table()}

    assert set() == {variable(setting) for shown in SHOWN.values() for setting in shown.settings} - known


@pytest.mark.parametrize("name", SHOWN)
def test_help_ends_with_them(name: str) -> None:
    """As printed on a terminal of 80 columns."""
    done = subprocess.run(
        [sys.executable, "-m", "consumer", *name.split(), "--help"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"},
    )
    lines = [line.strip() for line in done.stdout.splitlines()]

    assert "Examples:" in lines
    for example in SHOWN[name].examples:
        assert example.command in lines
        assert example.what in lines
    for setting in SHOWN[name].settings:
        assert variable(setting) in lines
