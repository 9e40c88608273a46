"""What README and docs tell to type for make, docker compose and pip; the program's own: real_broker/test_pasted.py."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests import pasted
from tests.pasted import ROOT, Pasted

COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def test_commands_are_found() -> None:
    """Whatever becomes of the pages: a look that finds nothing would let everything pass."""
    for program, least in (("customfit-consumer", 25), ("make", 15), ("docker", 8)):
        assert len(pasted.of(program)) >= least, program


@pytest.mark.parametrize("one", pasted.of("make"), ids=str)
def test_make_knows_what_it_is_told_to_make(one: Pasted) -> None:
    """Pasted as it stands, but that nothing is run."""
    environ = {**os.environ, "MAKEFLAGS": "n"}
    done = subprocess.run(
        ["bash", "-c", one.line],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        env=environ,
    )

    assert 0 == done.returncode, done.stderr


@pytest.mark.parametrize("one", pasted.of("docker"), ids=str)
def test_compose_has_the_services_and_profiles_that_are_named(one: Pasted) -> None:
    """There may be no docker here; what the file does not have can't work anywhere."""
    words = shlex.split(re.sub(r"^(?:[A-Z_]+=\S+ )*docker compose ", "", one.line))
    services = set(re.findall(r"^  ([a-z-]+):$", COMPOSE.partition("\nservices:\n")[2], re.MULTILINE))
    profiles = set(re.findall(r"profiles: \[([a-z]+)\]", COMPOSE))
    if words[0] == "--profile":
        assert words[1] in profiles
        del words[:2]
    verb, *rest = words
    named = [word.partition("=")[0] for word in rest if re.fullmatch(r"[a-z-]+(=\d+)?", word) and word[0] != "-"]

    assert verb in {"up", "down", "run", "exec", "logs", "ps"}
    if verb != "ps":
        assert set(named[:1]) <= services
    if verb == "run":
        assert named[1] in {"produce", "check", "lag", "user", "dlq", "emulator"}


def test_pip_installs_a_checkout(tmp_path: Path) -> None:
    """Into a folder of its own, with what is installed here for what it needs: the command is there and runs."""
    [one] = pasted.of("pip")
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PIP_TARGET": str(tmp_path),
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it as it reads the option: this is "without"
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    pytest.importorskip("pip", reason="uv made this environment, and gave it no pip")
    done = subprocess.run(["bash", "-c", one.line], cwd=ROOT, check=False, capture_output=True, text=True, env=environ)
    assert 0 == done.returncode, done.stdout + done.stderr

    assert (tmp_path / "consumer" / "emulator" / "web" / "index.html").is_file()
    told = subprocess.run(
        [sys.executable, tmp_path / "bin" / "customfit-consumer", "--version"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
    )
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", told.stdout)
