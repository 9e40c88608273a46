"""Builds what the benchmark needs into .bench: Go programs (the sink too), a Java one, environments for Python ones.

Each part is built once and again when what it is made from changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent
BUILT = ROOT / ".bench"
GO_BIN = BUILT / "bin"
JAVA_CLASSES = BUILT / "parallel_consumer"
QUIX_PYTHON = BUILT / "quix" / "bin" / "python"
PY_SPY_BIN = BUILT / "py_spy" / "bin" / "py-spy"

GO = "go"
JAVA = "java"
QUIX = "quix"
PY_SPY = "py_spy"
PARTS = {
    GO: HERE / "go",
    JAVA: HERE / "parallel_consumer",
    QUIX: HERE / "quix_requirements.lock",
    PY_SPY: HERE / "py_spy_requirements.lock",
}
COMMANDS = {GO: "go", JAVA: "mvn", QUIX: sys.executable, PY_SPY: sys.executable}


def build(part: str) -> str | None:
    """Build one part unless it is there; say in one sentence what prevented it, or None."""
    if shutil.which(COMMANDS[part]) is None:
        return f"{COMMANDS[part]} is not installed"
    made_from = _fingerprint(PARTS[part])
    stamp = BUILT / f"{part}.built"
    if stamp.exists() and stamp.read_text() == made_from:
        return None
    print(f"Building {part} into .bench", flush=True)
    BUILT.mkdir(exist_ok=True)
    # With it, pip would leave out what it finds there.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for command in _commands(part):
        done = subprocess.run(
            command,
            check=False,
            cwd=HERE / "go",
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            return f"{' '.join(map(str, command))} failed:\n{done.stdout.strip()}"
    stamp.write_text(made_from)
    return None


def _commands(part: str) -> list[list[str | os.PathLike[str]]]:
    if part == GO:
        return [["go", "build", "-o", f"{GO_BIN}/", "./..."]]
    if part == JAVA:
        return [["mvn", "-q", "-B", "-f", PARTS[JAVA] / "pom.xml", "clean", "package"]]
    install = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r"]
    python = BUILT / part / "bin" / "python"
    return [[sys.executable, "-m", "venv", "--clear", BUILT / part], [python, *install, PARTS[part]]]


def _fingerprint(source: Path) -> str:
    files = sorted(file for file in source.rglob("*") if file.is_file()) if source.is_dir() else [source]
    return hashlib.sha256(b"".join(str(file.name).encode() + file.read_bytes() for file in files)).hexdigest()
