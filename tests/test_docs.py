"""The tables in docs/ are those that `make docs` makes of the code."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer

from consumer.cli import COMMANDS, app
from tests.docs import PAGES, ROOT, commands_page


@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_stale(name: str) -> None:
    """What the code declares has changed since: run `make docs`."""
    assert PAGES[name]() == (ROOT / name).read_text(encoding="utf-8"), "run `make docs`"


def test_the_commands_page_has_every_option() -> None:
    """As the command line has them, by command, and no other."""
    root: Any = typer.main.get_command(app(*COMMANDS))
    taken = {}
    for name, command in root.commands.items():
        below = getattr(command, "commands", {})
        own = {"": command} if not below or command.invoke_without_command else {}
        for of, one in {**own, **below}.items():
            taken[f"{name} {of}".strip()] = {
                option
                for given in one.params
                for option in (*given.opts, *given.secondary_opts)
                if option.startswith("-")
            }
    page = {
        re.sub(r" [A-Z].*", "", title): set(re.findall(r"--?[a-z][a-z-]*", _names(text)))
        for title, text in re.findall(r"^## `(.*?)`\n(.*?)(?=^## |\Z)", commands_page(), re.DOTALL | re.MULTILINE)
    }

    assert taken == page


def _names(section: str) -> str:
    """The first cells of its table."""
    return " ".join(re.findall(r"^\| (`-.*?`)", section, re.MULTILINE))
