"""promtool, Alertmanager and jsonnet, where they are installed: Debian's packages, or what `go install` has built.

PROMTOOL names others, with `:` between them, such as one of Prometheus 3 beside Debian's of Prometheus 2.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, NoReturn

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "deploy" / "prometheus"
GO_FOLDER: Final = Path(os.environ.get("GOBIN") or Path(os.environ.get("GOPATH") or Path.home() / "go") / "bin")
PACKAGES: Final = {
    "promtool": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "jsonnet": "jsonnet",
    "prometheus": "prometheus",
    "node": "nodejs",
    "npm": "npm",
    "systemd-analyze": "systemd",
}
"""A program → Debian's package that has it."""


@cache
def promtools() -> tuple[str, ...]:
    """All that are here; one that is not is named all the same, so that its tests say that they are left out."""
    named = [*os.environ.get("PROMTOOL", "").split(":"), "promtool", str(GO_FOLDER / "promtool")]
    found = [path for name in named if name and (path := shutil.which(name)) is not None]
    return tuple(dict.fromkeys(found)) or ("promtool",)


def need(program: str, required: str = "REQUIRE_PROMTOOL") -> str:
    """Its path; without it the test is left out, or fails where REQUIRE_PROMTOOL=1 says that it has to be there."""
    path = shutil.which(program)
    if path is None:
        leave_out(f"{program} is not installed (Debian's package {PACKAGES[program]})", required)
    return path


def leave_out(why: str, required: str) -> NoReturn:
    """Skip, or fail where the environment insists."""
    why = f"{why}; {required}=1 insists on it"
    if os.environ.get(required) == "1":
        pytest.fail(why)
    pytest.skip(why)


@cache
def version(promtool: str) -> str:
    """For the name of a test; one that `go install` has built does not know its own."""
    if shutil.which(promtool) is None:
        return "missing"
    done = subprocess.run([promtool, "--version"], check=True, capture_output=True, text=True)
    found = re.search(r"version (\d[\w.]*)", done.stdout + done.stderr) or _built(promtool)
    return found[1] if found else "unknown"


def _built(promtool: str) -> re.Match[str] | None:
    """What Go says of a program that it has built; the module v0.316.0 is Prometheus 3.16.0."""
    if shutil.which("go") is None:
        return None
    done = subprocess.run(["go", "version", "-m", promtool], check=False, capture_output=True, text=True)
    return re.search(r"github.com/prometheus/prometheus\s+(v0\.\d+\.\d+)", done.stdout)


def run(arguments: Sequence[str | Path], folder: Path = FOLDER) -> str:
    """What it says; it has to end with 0."""
    done = subprocess.run(arguments, cwd=folder, check=False, capture_output=True, text=True)
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout
