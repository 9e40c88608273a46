"""Faults that nobody catches: their tracebacks show no secret."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]

RAISE: Final = """
import threading
import consumer.cli.check

def crash(_settings):
    raise RuntimeError("it said canary-key\\\\/of-traceback")

def crash_elsewhere(settings):
    thread = threading.Thread(target=crash, args=(settings,))
    thread.start()
    thread.join()
    return []

class Crashes:
    def __del__(self):
        crash(None)

def crash_at_the_end(_settings):
    Crashes()
    return []

consumer.cli.check._kafka_findings = HOW
from consumer.cli import main
main()
"""


@pytest.mark.parametrize(("how", "code"), [("crash", 1), ("crash_elsewhere", 0), ("crash_at_the_end", 0)])
def test_a_traceback_shows_no_secret(how: str, code: int) -> None:
    """Of the command itself, of a thread, and of what ends without being able to raise."""
    done = subprocess.run(
        [sys.executable, "-c", RAISE.replace("HOW", how), "check", "--connect"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUSTOMFIT_API_KEY": "canary-key/of-traceback"},
    )

    assert code == done.returncode, done.stderr
    assert "RuntimeError: it said ***\n" == done.stderr[done.stderr.index("RuntimeError: ") :]
    assert "canary" not in done.stderr
