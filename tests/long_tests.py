"""The tests that carry the marker `long`, each in a process of its own: all of them, or a sample that a seed chooses.

`python -m tests.long_tests --sample 2 --seed SEED [what to give pytest, such as files or names]` (make test-long).
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.durations import minutes

ROOT: Final = Path(__file__).parents[1]
NO_TESTS: Final = 5
"""The exit code of pytest where nothing has the marker."""
MARK: Final = "pytest.mark.long"


def marked(folder: Path = ROOT / "tests") -> list[str]:
    """The files that have the marker: to read all the others takes pytest ten seconds."""
    files = sorted(folder.rglob("test_*.py"))
    return [str(file) for file in files if MARK in file.read_text(encoding="utf-8")]


def collected(arguments: Sequence[str]) -> list[str]:
    """Give the names of all tests that take long, in the order of the files."""
    files = [] if any(Path(one.partition("::")[0]).exists() for one in arguments) else marked()
    command = [sys.executable, "-m", "pytest", "-m", "long", "--collect-only", "-q", "--no-header", *files, *arguments]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode not in (0, NO_TESTS):
        raise SystemExit(done.stdout + done.stderr)
    return [line for line in done.stdout.splitlines() if "::" in line]


def sample(names: Sequence[str], count: int, seed: str) -> list[str]:
    """Choose so many of them by the seed; all where there are no more."""
    return random.Random(seed).sample(sorted(names), min(count, len(names)))


def main() -> int:
    """Run them one after the other; the exit code is 1 when one of them failed."""
    parser = argparse.ArgumentParser(description="Run the tests that take longer than 20 s, each alone.")
    parser.add_argument("--sample", type=int, help="only so many, chosen by the seed")
    parser.add_argument("--seed", default="1", help="any text, such as a commit's hash")
    options, arguments = parser.parse_known_args()
    names = collected(arguments)
    if options.sample is not None:
        names = sample(names, options.sample, options.seed)
    failed = []
    print(f"{len(names)} tests, one after the other; each takes from 20 s to some minutes", flush=True)
    started = time.monotonic()
    for number, name in enumerate(names, 1):
        print(f"--- {number} of {len(names)}, {minutes(time.monotonic() - started)} so far: {name}", flush=True)
        if subprocess.run([sys.executable, "-m", "pytest", "-q", name], cwd=ROOT, check=False).returncode:
            failed.append(name)
    print(f"{len(names)} long tests, {len(failed)} failed", *failed, sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
