"""How a process ends: at once, and it is not taken apart under threads that still work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]

NOT_TAKEN_APART: Final = """
import atexit, os
atexit.register(os.abort)
from consumer.cli import main
main()
"""

ANSWERED_LATE: Final = """
import ctypes, threading
libc = ctypes.CDLL(None)
libc.__cxa_atexit.argtypes = [ctypes.c_void_p] * 3
libc.__cxa_atexit(ctypes.cast(libc.getchar, ctypes.c_void_p), None, None)  # holds C's exit open

import consumer.cli.check
from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient

def ask(asked):
    client = AdminClient({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    [answer] = client.describe_topics(TopicCollection(["events"]), request_timeout=3).values()
    asked.set()
    answer.result()

def ask_in_a_thread(_settings):
    asked = threading.Event()
    threading.Thread(target=ask, args=(asked,), daemon=True).start()
    asked.wait()
    return []

consumer.cli.check._kafka_findings = ask_in_a_thread
from consumer.cli import main
main()
"""

CRASH: Final = """
import ctypes, threading
import consumer.cli.check

def crash(secret):
    ctypes.string_at(0)

def crash_in_a_thread(_settings):
    thread = threading.Thread(target=crash, args=("canary-of-a-crash",))
    thread.start()
    thread.join()
    return []

consumer.cli.check._kafka_findings = crash_in_a_thread
from consumer.cli import main
main()
"""


def program(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line with something in its way, and no broker. Its standard input never ends."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMFIT_")}
    endless, other_end = os.pipe()
    try:
        return subprocess.run(
            [sys.executable, "-c", text, *arguments],
            check=False,
            stdin=endless,
            capture_output=True,
            text=True,
            timeout=60,
            env={
                **inherited,
                "PYTHONPATH": str(ROOT),
                "PYTHONFAULTHANDLER": "",
                "CUSTOMFIT_API_KEY": "a-key-for-the-end",
                "CUSTOMFIT_HTTP_PORT": "0",
                "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
                "CUSTOMFIT_STARTUP_TIMEOUT_SECONDS": "1",
            },
        )
    finally:
        os.close(endless)
        os.close(other_end)


@pytest.mark.parametrize(
    ("command", "code"), [("--version", 0), ("check", 0), ("check --connect", 69), ("lag", 69), ("run", 69), ("x", 2)]
)
def test_no_exit_handler_runs(command: str, code: int) -> None:
    """Python's come before the interpreter and C's are taken apart: who passes them by passes all of that by."""
    done = program(NOT_TAKEN_APART, *command.split())

    assert code == done.returncode, done.stderr


def test_an_answer_that_comes_at_the_very_end_crashes_nothing() -> None:
    """An admin client's thread calls into Python whenever it is answered, be there still a Python or not."""
    done = program(ANSWERED_LATE, "check", "--connect")

    assert 0 == done.returncode, done.stderr


def test_a_crash_shows_where_each_thread_stood() -> None:
    """The process ends by its signal all the same, and says no value."""
    done = program(CRASH, "check", "--connect")

    assert -signal.SIGSEGV == done.returncode
    assert "Fatal Python error: Segmentation fault" in done.stderr
    assert " in crash\n" in done.stderr
    assert " in crash_in_a_thread\n" in done.stderr
    assert "canary" not in done.stderr
