"""Put what the lock files name into .venv, every file checked by its hash: with uv where it is there, else with pip.

`python3 locks/install.py runtime` is what `make demo` needs; `development` adds what tests and checks need, `browser`
what drives Chromium, `fuzz` the fuzzer. It says before it starts how long it will take. Needs Python's standard library
alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / ".venv"
PYTHON: Final = FOLDER / "bin" / "python"
PACKAGE: Final = re.compile(r"^[a-z0-9][a-z0-9._-]*==", re.MULTILINE)
PIP_NAMES_ONE: Final = re.compile(r"^(?:Collecting|Requirement already satisfied:) ", re.MULTILINE)
DRAW_SECONDS: Final = 0.2
EMPTY_LINE: Final = "\r\033[K"


class Installed(NamedTuple):
    """One set of packages: its locks, and how long it took on two cores with an empty cache."""

    locks: tuple[str, ...]
    pip_seconds: int
    uv_seconds: int
    with_project: bool = False


SETS: Final = {
    "runtime": Installed(("image.lock", "build.lock"), pip_seconds=30, uv_seconds=5, with_project=True),
    "development": Installed(("dev.lock",), pip_seconds=30, uv_seconds=5),
    "browser": Installed(("browser.lock",), pip_seconds=20, uv_seconds=5),
    "fuzz": Installed(("fuzz.lock",), pip_seconds=10, uv_seconds=5),
}


def main() -> int:
    """Install one set; 1 when that failed, after all that the installer said."""
    if len(sys.argv) != 2 or sys.argv[1] not in SETS:
        print(f"usage: install.py {'|'.join(SETS)}", file=sys.stderr)
        return 2
    if sys.version_info < (3, 11):  # noqa: UP036  whoever has an older one is to be told
        print("Python 3.11 or newer is needed: make PYTHON=python3.12", file=sys.stderr)
        return 1
    name, wanted = sys.argv[1], SETS[sys.argv[1]]
    locks = [ROOT / "locks" / lock for lock in wanted.locks]
    count = len({found for lock in locks for found in PACKAGE.findall(lock.read_text(encoding="utf-8"))})
    uv = shutil.which("uv")
    seconds = wanted.uv_seconds if uv else wanted.pip_seconds
    with_what = "uv" if uv else "pip; quicker with uv"
    print(f"Installing {count} packages ({name}) into .venv, once: about {seconds} s ({with_what})", flush=True)
    started = time.monotonic()
    try:
        for command in commands(uv, locks, with_project=wanted.with_project):
            run(command, count, started, shown=sys.stdout.isatty())
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; it can be started again", file=sys.stderr)
        return 1
    print(f"Installed in {time.monotonic() - started:.0f} s", flush=True)
    return 0


def commands(uv: str | None, locks: Sequence[Path], *, with_project: bool) -> list[list[str | Path]]:
    """What is to be run, one after the other."""
    made: list[list[str | Path]] = []
    if uv:
        if with_project:
            made.append([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, FOLDER])
        install: list[str | Path] = [uv, "pip", "install", "--python", PYTHON]
    else:
        if not (FOLDER / "bin" / "pip").exists():  # there may be a folder that uv made, without pip
            made.append([sys.executable, "-m", "venv", FOLDER])
        install = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    made.append([*install, "--require-hashes", *(part for lock in locks for part in ("-r", lock))])
    if with_project:
        made.append([*install, "--no-deps", "--no-build-isolation", "-e", ROOT])
    return made


class Failed(Exception):
    """A command failed; the text is all that it said."""


def run(command: Sequence[str | Path], count: int, started: float, *, shown: bool) -> None:
    """Run it to its end and, on a terminal, show how far it is. Raises Failed."""
    with tempfile.TemporaryFile() as said:

        def text() -> str:
            # Not by seek and read: the process writes where our file stands.
            return os.pread(said.fileno(), os.fstat(said.fileno()).st_size, 0).decode(errors="replace")

        with subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT) as process:
            while process.poll() is None:
                if shown:
                    seen = min(len(PIP_NAMES_ONE.findall(text())), count)
                    done = f"{seen} of {count} packages, " if seen else ""
                    print(f"{EMPTY_LINE}  {done}{time.monotonic() - started:.0f} s", end="", flush=True)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(DRAW_SECONDS)
        print(EMPTY_LINE if shown else "", end="", flush=True)
        if process.returncode:
            raise Failed(f"{text()}failed: {' '.join(map(str, command))}")


if __name__ == "__main__":
    sys.exit(main())
