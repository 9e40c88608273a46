"""A terminal of our own, with a command in its foreground."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

CTRL_C: Final = b"\x03"


class Terminal:
    """Runs a command as a person would: what it prints is read here, what is typed goes to it."""

    def __init__(self, command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        self.printed = ""
        self._process, self._terminal = pty.fork()
        if self._process == 0:
            os.chdir(folder)
            os.execvpe(command[0], list(command), dict(environ))  # noqa: S606  the command under test
        self._ended = False

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close the terminal, and end the command if it is still there."""
        os.close(self._terminal)
        if not self._ended:
            os.kill(self._process, signal.SIGTERM)
            os.waitpid(self._process, 0)

    def wait_for(self, text: str, seconds_max: float = 60.0) -> None:
        """Until it has been printed."""
        deadline = time.monotonic() + seconds_max
        while text not in self.printed:
            assert time.monotonic() < deadline, f"{text!r} was not printed:\n{self.printed}"
            assert self._read(), f"it ended without {text!r}:\n{self.printed}"

    def type(self, typed: bytes) -> None:
        """As with the keyboard."""
        os.write(self._terminal, typed)

    def exit_code(self, seconds_max: float = 60.0) -> int:
        """Wait for its end."""
        deadline = time.monotonic() + seconds_max
        while self._read():
            assert time.monotonic() < deadline, f"it does not end:\n{self.printed}"
        _, status = os.waitpid(self._process, 0)
        self._ended = True
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        """Read what there is, or wait for it a moment; False at the end."""
        if not select.select([self._terminal], [], [], 0.2)[0]:
            return True
        try:
            read = os.read(self._terminal, 65_536)
        except OSError:  # Linux says so when the last one has closed it
            return False
        self.printed += read.decode(errors="replace").replace("\r\n", "\n")
        return bool(read)
