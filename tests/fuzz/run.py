"""Looks for bytes that the decoding does not take as documented, guided by which code they reach: `make fuzz`.

What it finds interesting goes to .fuzz/corpus, what breaks something to .fuzz. An input worth keeping is copied into
tests/fuzz/corpus, which tests/fuzz/test_corpus.py replays.
"""

from __future__ import annotations

import argparse
import importlib
import time
from pathlib import Path
from typing import Final

CORPUS: Final = Path(__file__).with_name("corpus")
FOUND: Final = Path(__file__).parents[2] / ".fuzz"
INPUT_SECONDS_MAX: Final = 0.1
INPUT_BYTES_MAX: Final = 4096
MEMORY_MB_MAX: Final = 512


def main() -> None:
    """Run for a while; ends with an error at the first input that breaks something."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=int, default=60)
    arguments.add_argument("--inputs", type=int, default=-1, help="end after so many, if that is earlier")
    given = arguments.parse_args()
    atheris = importlib.import_module("atheris")  # in the group `fuzz` alone
    with atheris.instrument_imports(include=["consumer"]):
        target = importlib.import_module("tests.fuzz.target")

    def one_input(data: bytes) -> None:
        started = time.process_time()
        target.check(data)
        seconds = time.process_time() - started
        assert seconds <= INPUT_SECONDS_MAX, f"{seconds:.3f} s for {len(data)} bytes"

    found = FOUND / "corpus"
    found.mkdir(parents=True, exist_ok=True)
    options = [f"-artifact_prefix={FOUND}/", f"-max_len={INPUT_BYTES_MAX}", f"-max_total_time={given.seconds}"]
    options += [f"-rss_limit_mb={MEMORY_MB_MAX}", f"-runs={given.inputs}"]
    options += ["-print_final_stats=1", str(found), str(CORPUS)]
    atheris.Setup(["fuzz", *options], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
