"""The unit of examples/systemd, as systemd reads it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.deploy.tools import ROOT

FOLDER: Final = ROOT / "examples" / "systemd"
FILE: Final = FOLDER / "customfit-consumer@.service"
PROGRAM: Final = "/opt/customfit-consumer/bin/customfit-consumer"
"""Where the README installs it."""


def service() -> dict[str, list[str]]:
    """Each directive of [Service], with all that it is given."""
    found: dict[str, list[str]] = {}
    section = FILE.read_text(encoding="utf-8").partition("[Service]\n")[2].partition("\n[Install]")[0]
    for line in section.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def filled(text: str, port: int, state: Path, credentials: Path) -> str:
    """With what systemd puts in for the instance of this port."""
    for specifier, value in {"%i": port, "%S": state, "%d": credentials}.items():
        text = text.replace(specifier, str(value))
    return text


def environment(port: int, state: Path, credentials: Path) -> Mapping[str, str]:
    """What the member of this port is given."""
    lines = (filled(line, port, state, credentials) for line in service()["Environment"])
    return dict(line.split("=", 1) for line in lines)


def arguments() -> list[str]:
    """What the program is started with."""
    [line] = service()["ExecStart"]
    program, *rest = shlex.split(line)
    assert program == PROGRAM
    return rest
