"""`--help` by example: every command shows how it is used, and which settings matter to it."""

from __future__ import annotations

import re
from functools import cache

import pytest
from typer.testing import CliRunner

from consumer.cli import COMMANDS, app
from consumer.cli.examples import SHOWN, variable
from consumer.cli.tree import Command, commands
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


@cache
def help_of(name: str) -> str:
    """As printed on a terminal of 80 columns."""
    done = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"}).invoke(app(*COMMANDS), [*name.split(), "--help"])
    assert 0 == done.exit_code, done.output
    return done.stdout


@pytest.mark.parametrize("name", ["", "dlq", "emulator"])
def test_a_list_of_commands_says_what_each_does_in_one_line(name: str) -> None:
    """A sentence that is cut off says nothing."""
    listed = help_of(name).partition("\nCommands:\n")[2].partition("\n\n")[0].splitlines()

    assert listed
    assert [] == [line for line in listed if not line.endswith(".") or line.endswith("..")]


@pytest.mark.parametrize("command", list(commands()), ids=lambda command: command.name)
def test_help_shows_every_name_whole(command: Command) -> None:
    """A name that ends in `…` can't be typed."""
    words = set(re.findall(r"(?<!\S)--?[a-z-]+", help_of(command.name)))

    names = {name for parameter in command.parameters() if not parameter.is_argument for name in parameter.names}
    assert set() == names - words


def test_a_default_that_is_told_in_words_is_shown() -> None:
    """Brackets are no mark-up."""
    assert "[default: a new one]" in " ".join(help_of("produce").split())


@pytest.mark.parametrize("name", SHOWN)
def test_help_ends_with_them(name: str) -> None:
    """The examples on lines of their own, to be copied."""
    lines = [line.strip() for line in help_of(name).splitlines()]

    assert "Examples:" in lines
    for example in SHOWN[name].examples:
        assert example.command in lines
        assert example.what in lines
    for setting in SHOWN[name].settings:
        assert variable(setting) in lines
