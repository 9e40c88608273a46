"""Processes that never outlive the harness. All are started by the main thread (see tied.py)."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Final

_TIED: Final = str(Path(__file__).with_name("tied.py"))


def start(
    command: Sequence[str],
    log: Path,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    file_bytes_max: int = 0,
) -> subprocess.Popen[bytes]:
    """Start a command whose output goes to `log`, through a pipe so that a limit of file size does not concern it."""
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", _TIED, str(file_bytes_max), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environ,
        cwd=folder,
        start_new_session=True,  # Ctrl-C is for the harness, which then stops the others
    )
    assert isinstance(process.stdout, BufferedReader)
    threading.Thread(target=_copy, args=(process.stdout, log), daemon=True).start()
    return process


def stop(process: subprocess.Popen[bytes] | None, seconds: float) -> int | None:
    """SIGTERM, and SIGKILL when that does not end it in time; gives the exit code."""
    if process is None:
        return None
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def _copy(output: BufferedReader, log: Path) -> None:
    with log.open("ab") as file, output:
        while data := output.read1(65_536):
            file.write(data)
            file.flush()
