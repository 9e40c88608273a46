"""The tests that carry the marker `long`, each in a process of its own: all of them, or a sample that a seed chooses.

All of them are followed by every case of those tests of which `make test` runs a sample (sampled.py), file by file.

`python -m tests.long_tests --sample 2 --seed SEED [what to give pytest, such as files or names]` (make test-long).
"""

from __future__ import annotations

import argparse
import os
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
SAMPLED: Final = "pytest.mark.sampled"


def marked(mark: str, folder: Path = ROOT / "tests") -> list[str]:
    """The files that have the marker: to read all the others takes pytest ten seconds."""
    files = sorted(folder.rglob("test_*.py"))
    return [str(file) for file in files if mark in file.read_text(encoding="utf-8")]


def collected(arguments: Sequence[str]) -> list[str]:
    """Give the names of all tests that take long, in the order of the files."""
    files = [] if any(Path(one.partition("::")[0]).exists() for one in arguments) else marked(MARK)
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
    parts = [[name] for name in names]
    if options.sample is None and not arguments:
        parts += [["-m", "sampled", file] for file in marked(SAMPLED)]
    failed = []
    notes = ["-o", f"cache_dir={cache}"] if (cache := os.environ.get("PYTEST_CACHE")) else []  # for .ci/once_more
    print(f"{len(parts)} parts, one after the other; each takes from 20 s to some minutes", flush=True)
    started = time.monotonic()
    for number, part in enumerate(parts, 1):
        print(f"--- {number} of {len(parts)}, {minutes(time.monotonic() - started)} so far: {part[-1]}", flush=True)
        if subprocess.run([sys.executable, "-m", "pytest", "-q", *notes, *part], cwd=ROOT, check=False).returncode:
            failed.append(part[-1])
    print(f"{len(parts)} parts, {len(failed)} failed", *failed, sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
