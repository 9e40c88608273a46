"""The members of the group: each a slot whose process comes and goes, with a state folder and proxies of its own."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final

from tests.chaos.evidence import REQUEST_TIMEOUT_SECONDS
from tests.chaos.processes import start

KEY: Final = "a-chaos-key-0123456789"
STOP_SECONDS_MAX: Final = 60.0
"""Longer than it may drain, commit and leave with the broker away; then it counts as hanging."""
FULL_FILE_BYTES: Final = 49_152
"""With room for the empty state files, and not for much more."""

Tell = Callable[..., None]
"""Writes a line of the history: what happened, and its fields."""


class Presence(Enum):
    """What a slot is."""

    ABSENT = "absent"
    RUNNING = "running"
    STOPPED = "stopped"
    """By SIGSTOP."""
    LEAVING = "leaving"
    """It was told to by SIGTERM."""


class Member:
    """One slot. `name` is that of the present process, `m0.1`: slot 0, first process."""

    def __init__(  # noqa: PLR0917  the stage names them once
        self, slot: int, folder: Path, code: Path, port: int, environ: Mapping[str, str], tell: Tell
    ) -> None:
        self.slot = slot
        self.port = port
        """Of its own HTTP server."""
        self.presence = Presence.ABSENT
        self.wanted = False
        """Start it as soon as it is absent."""
        self.held = False
        """An operator holds it: it is not started, whoever wants it."""
        self.file_bytes_max = 0
        self._folder = folder
        self._code = code
        self._environ = environ
        self._tell = tell
        self._starts = 0
        self._left_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self.state = folder / f"state-{slot}"

    @property
    def name(self) -> str:
        """Of the present or last process."""
        return f"m{self.slot}.{self._starts}"

    def start(self) -> None:
        """A new process."""
        assert self.presence is Presence.ABSENT
        self._starts += 1
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMFIT_")}
        properties = json.loads(self._environ["CUSTOMFIT_KAFKA_PROPERTIES"])
        environ = {
            **inherited,
            **self._environ,
            "CUSTOMFIT_API_KEY": KEY,
            "CUSTOMFIT_API_URL": f"{self._environ['CUSTOMFIT_API_URL']}/{self.name}/v1/cfe",
            "CUSTOMFIT_STATE_DIR": str(self.state),
            "CUSTOMFIT_HTTP_HOST": "127.0.0.1",
            "CUSTOMFIT_HTTP_PORT": str(self.port),
            "CUSTOMFIT_KAFKA_PROPERTIES": json.dumps({**properties, "client.id": self.name}),
            "PYTHONPATH": str(self._code),
        }
        self._process = start(
            [sys.executable, "-m", "consumer", "run"],
            self._folder / f"{self.name}.log",
            environ=environ,
            folder=self._code,
            file_bytes_max=self.file_bytes_max,
        )
        self.presence = Presence.RUNNING
        self._tell("start", member=self.name, file_bytes_max=self.file_bytes_max)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None and self.presence is not Presence.ABSENT:
            self._tell("kill", member=self.name)
            self._process.kill()
            self._process.wait()
            self.presence = Presence.ABSENT

    def leave(self) -> None:
        """SIGTERM; `look` sees when it has ended."""
        if self.presence is Presence.STOPPED:
            self.go_on()
        if self._process is not None and self.presence is Presence.RUNNING:
            self._tell("term", member=self.name)
            self._process.terminate()
            self.presence = Presence.LEAVING
            self._left_at = time.monotonic()

    def pause(self) -> None:
        """SIGSTOP."""
        if self._process is not None and self.presence is Presence.RUNNING:
            self._tell("stop", member=self.name)
            self._process.send_signal(signal.SIGSTOP)
            self.presence = Presence.STOPPED

    def go_on(self) -> None:
        """SIGCONT."""
        if self._process is not None and self.presence is Presence.STOPPED:
            self._process.send_signal(signal.SIGCONT)
            self.presence = Presence.RUNNING
            self._tell("cont", member=self.name)

    def look(self) -> None:
        """See whether it has ended, and start it when it is wanted."""
        if self._process is not None and self.presence is not Presence.ABSENT:
            code = self._process.poll()
            if code is not None:
                self._tell("exit", member=self.name, code=code, asked=self.presence is Presence.LEAVING)
                self.presence = Presence.ABSENT
            elif self.presence is Presence.LEAVING and time.monotonic() - self._left_at > STOP_SECONDS_MAX:
                self._tell("hang", member=self.name, seconds=STOP_SECONDS_MAX)
                self.kill()
        if self.presence is Presence.ABSENT and self.wanted and not self.held:
            self.start()

    # ------------------------------------------------------------------ its state, while nobody uses it

    def corrupt_state(self, rng: random.Random) -> None:
        """Garbage over a part of every state file, or all of it."""
        for path in self._files():
            with path.open("r+b") as file:
                size = path.stat().st_size
                offset = rng.choice([0, size // 2])
                file.seek(offset)
                file.write(rng.randbytes(rng.choice([16, 512, max(size - offset, 1)])))
                if rng.random() < 0.3:
                    file.truncate(size // 2 + 1)

    def remove_state(self) -> None:
        """No state at all."""
        self.restore_state()
        shutil.rmtree(self.state, ignore_errors=True)

    def block_state(self) -> None:
        """A file where the folder should be: nobody can write there, not even root."""
        self.restore_state()
        if self.state.exists():
            self.state.rename(self._aside)
        self.state.write_text("this is not a folder\n")

    def restore_state(self) -> None:
        """Undo `block_state`."""
        if self.state.is_file():
            self.state.unlink()
            if self._aside.exists():
                self._aside.rename(self.state)

    @property
    def _aside(self) -> Path:
        return self.state.with_name(f"{self.state.name}-aside")

    def _files(self) -> list[Path]:
        return sorted(path for path in self.state.rglob("*") if path.is_file()) if self.state.is_dir() else []


def member_environ(settings: Mapping[str, Any]) -> dict[str, str]:
    """The settings all members share: short times, so that a minute holds many faults."""
    return {
        "CUSTOMFIT_DESTINATION_NAME": "chaos",
        "CUSTOMFIT_REQUEST_TIMEOUT_SECONDS": str(REQUEST_TIMEOUT_SECONDS),
        "CUSTOMFIT_DRAIN_SECONDS": "5",
        "CUSTOMFIT_IN_FLIGHT_MAX": "64",
        "CUSTOMFIT_BATCH_EVENTS_MAX": "20",
        **{name: str(value) for name, value in settings.items()},
    }
