"""Tab in a shell: what real shells make of the scripts that `completion` prints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from consumer.cli import COMMANDS
from consumer.cli.completion_scripts import SCRIPTS
from consumer.cli.tree import commands
from tests.fakes.terminals import Terminal

BASH: Final = shutil.which("bash")


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder with a script for each shell, and a file to complete."""
    for shell, script in SCRIPTS.items():
        (tmp_path / shell).write_text(script(list(commands())))
    (tmp_path / "my events.jsonl").touch()
    return tmp_path


def completed_by_bash(scripts: Path, *typed: str) -> list[str]:
    """What it offers for the last word."""
    words = " ".join(f"'{word}'" for word in ("customfit-consumer", *typed))
    asked = f"source ./bash; COMP_WORDS=({words}); COMP_CWORD={len(typed)}; _customfit_consumer"
    told = f"{asked}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run([BASH or "bash", "-c", told], cwd=scripts, check=True, capture_output=True, text=True)
    assert "" == done.stderr
    return done.stdout.splitlines() if done.stdout.strip() else []


@pytest.mark.skipif(BASH is None, reason="no bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["he"], ["health"]),
        (["--v"], ["--version"]),
        (["dlq", ""], ["list", "show", "replay", "--help"]),
        (["dlq", "replay", "--dr"], ["--dry-run"]),
        (["produce", "--format", ""], ["json", "avro", "single-object"]),
        (["produce", "--format", "=", "av"], ["avro"]),
        (["produce", "--format", "="], ["json", "avro", "single-object"]),
        (["produce", "--file", "my"], ["my events.jsonl"]),
        (["produce", "--rate", ""], []),
        (["emulator", "--verb"], ["--verbose"]),
        (["emulator", "control", "--no"], ["--no-reject-all-keys", "--no-hang"]),
        (["emulator", "control", "--ha"], ["--hang"]),
        (["dlq", "replay", "--reason", "un"], ["undecodable", "unidentified", "unknown"]),
        (["completion", "z"], ["zsh"]),
        (["user", "run", "--for"], ["--forget"]),
        (["nothing", "--json"], []),
    ],
    ids=" ".join,
)
def test_bash_completes_what_has_been_begun(scripts: Path, typed: list[str], offered: list[str]) -> None:
    """Commands, their options, closed choices and files; nothing where only the user can know."""
    assert offered == completed_by_bash(scripts, *typed)


@pytest.mark.skipif(BASH is None, reason="no bash")
def test_every_command_and_option_is_offered(scripts: Path) -> None:
    """None is forgotten when the next one is added."""
    assert {*COMMANDS, "--help", "--version"} == set(completed_by_bash(scripts, ""))
    for command in commands():
        offered = set(completed_by_bash(scripts, *command.path, "-"))
        names = {name for one in command.parameters() if not one.is_argument for name in one.names}
        assert names | {"--help"} == offered, command.name


@pytest.mark.parametrize(
    ("shell", "start"),
    [("bash", ["bash", "--norc", "--noprofile", "-i"]), ("zsh", ["zsh", "-f", "-i"])],
    ids=["bash", "zsh"],
)
def test_a_tab_in_a_terminal_completes(scripts: Path, shell: str, start: list[str]) -> None:
    """As it is typed, in the real shell."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    environ = {"PATH": os.environ["PATH"], "HOME": str(scripts), "TERM": "dumb", "PS1": "% "}
    with Terminal(start, scripts, environ) as terminal:
        terminal.type(f"source ./{shell}; echo sour''ced\n".encode())
        terminal.wait_for("sourced", 20.0)
        terminal.type(b"customfit-consumer dlq rep\t")
        terminal.wait_for("dlq replay ", 20.0)


def test_fish_completes_too(scripts: Path) -> None:
    """By what fish itself says it would offer."""
    if (fish := shutil.which("fish")) is None:
        pytest.skip("no fish")

    def offered(typed: str) -> set[str]:
        told = f"source ./fish; complete -C 'customfit-consumer {typed}'"
        done = subprocess.run(
            [fish, "--no-config", "-c", told], cwd=scripts, check=True, capture_output=True, text=True
        )
        return {line.partition("\t")[0] for line in done.stdout.splitlines()}

    assert {"replay"} == offered("dlq rep")
    assert set(COMMANDS) == offered("")
    assert {"json", "avro", "single-object"} == offered("produce --format ")
    assert {"--dry-run"} == offered("dlq replay --dr")


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_command_prints_the_script(shell: str, scripts: Path) -> None:
    """The same that was tried above."""
    command = [sys.executable, "-m", "consumer", "completion", shell]
    done = subprocess.run(command, check=True, capture_output=True, text=True)

    assert (scripts / shell).read_text() == done.stdout
