"""Standard streams that are closed, full, cut off or plain: each command ends as it would, and never in a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from consumer import __version__

ROOT: Final = Path(__file__).parents[2]
NOWHERE: Final = {
    "CUSTOMFIT_API_KEY": "a-key-for-streams",
    "CUSTOMFIT_HTTP_PORT": "0",
    "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "CUSTOMFIT_STARTUP_TIMEOUT_SECONDS": "1",
}
COMMANDS: Final = {"--version": 0, "run --help": 0, "check": 0, "lag": 69, "produce --file -": 69, "run": 69}
"""What each ends with where no broker is."""


def shell(command: str, redirection: str = "", **environ: str) -> subprocess.CompletedProcess[bytes]:
    """A command with its streams as a shell makes them; its code is that of the command."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMFIT_")}
    return subprocess.run(
        ["bash", "-c", f'"$PYTHON" -m consumer {command} {redirection}; exit "${{PIPESTATUS[0]}}"'],
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        env={**inherited, **NOWHERE, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT), **environ},
    )


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", "<&- >&- 2>&-", "2>/dev/full", "| true"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_stream_that_is_closed_full_or_cut_off_changes_no_exit_code(command: str, redirection: str) -> None:
    """What the command does, it does; what nobody can read is not written."""
    done = shell(command, redirection)

    assert COMMANDS[command] == done.returncode, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize(("command", "code"), [("--version", 1), ("check", 1), ("lag", 69)])
def test_a_full_standard_output_is_told(command: str, code: int) -> None:
    """Whoever asked for a file does not have it: one line says so, and the code where it would have been 0."""
    done = shell(command, ">/dev/full")
    told = b"customfit-consumer: standard output can't be written: No space left on device"

    assert code == done.returncode
    assert (told in done.stderr) is (code == 1)
    assert 1 == len(done.stderr.splitlines())


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1", "utf-8"])
def test_what_a_terminal_has_no_letters_for_is_escaped(encoding: str) -> None:
    """Letters of any script, and halves of a pair, which come from arguments that are no UTF-8."""
    done = shell("check", PYTHONIOENCODING=encoding, CUSTOMFIT_DESTINATION_NAME="naïve \u2192 \U0001f600")
    odd = shell("produce --file $'\\xff\\u2192'", PYTHONIOENCODING=encoding)

    assert 0 == done.returncode, done.stderr
    assert "naïve \u2192 \U0001f600".encode(encoding, "backslashreplace") in done.stdout
    assert 1 == odd.returncode
    assert b"\\udcff" in odd.stderr
    assert b"Traceback" not in odd.stderr


@pytest.mark.parametrize("arguments", ["--version", "run --version", "dlq list --version"])
def test_the_version_is_printed(arguments: str) -> None:
    """Without a command, as people ask an image what it is, and behind one."""
    done = shell(arguments)

    assert (0, f"{__version__}\n".encode(), b"") == (done.returncode, done.stdout, done.stderr)


def test_without_a_broker_check_says_so_in_its_own_words_alone() -> None:
    """What librdkafka logs says the same, many times over."""
    done = shell("check --connect")

    assert (69, b"") == (done.returncode, done.stderr)
    assert b"no Kafka broker answered at 127.0.0.1:1" in done.stdout
