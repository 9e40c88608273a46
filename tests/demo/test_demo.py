"""The demo as a user runs it: a command, its output, its exit code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path


def test_the_demo_proves_the_promise() -> None:
    """It ends with 0 after a summary: every user identified first and in order, nothing lost."""
    # Nor does what was said to a make around these tests (`make test ARGS=…`) reach this one.
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CUSTOMFIT_", "MAKE", "MFLAGS", "ARGS"))
    }
    done = subprocess.run(
        # Of README's `make demo` only the .venv is another, in which nothing is to be installed.
        ["make", "-o", ".venv/.runtime", f"BIN={Path(sys.executable).parent}", "demo"],
        cwd=Path(__file__).parents[2],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=environ,
    )

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "About 14 s:" in done.stdout.splitlines()[0]
    assert "What the emulator's ledger says (CustomFit.ai itself was not asked)" in done.stdout
    assert "The promise was kept." in done.stdout
    assert re.search(r"rate +\d[\d,]* events/s   produced at 1,500/s\n", done.stdout)
    assert re.search(
        r"latency +\d+\.\d{3} s   median from produced to accepted, with the outage; 99 %: \d+\.\d{3} s\n", done.stdout
    )
    assert re.search(r"events in +10,000\n", done.stdout)
    assert re.search(r"lost +0\n", done.stdout)
    assert re.search(r"identify first +(\d+) of \1 users", done.stdout)
