"""The sink in go/sink as a context manager, a fresh process for each run."""

from __future__ import annotations

import json
import subprocess
from array import array
from typing import Any, Self
from urllib.request import urlopen

from bench.builds import GO_BIN


class Sink:
    """Answers after `latency_ms`; users are numbered below `users`; arrivals of events below `arrivals` are kept."""

    def __init__(self, latency_ms: float, users: int, arrivals: int = 0) -> None:
        options = [f"-latency={latency_ms}ms", f"-users={users}", f"-arrivals={arrivals}"]
        self.process = subprocess.Popen([GO_BIN / "sink", *options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        events_port, questions_port = self.process.stdout.readline().split()
        self.address = f"127.0.0.1:{events_port}"
        self.url = f"http://{self.address}/v1/cfe"
        self._questions = f"http://127.0.0.1:{questions_port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.process.kill()
        self.process.communicate()

    def stats(self) -> dict[str, Any]:
        """What came so far."""
        return dict(json.loads(self._get("/stats")))

    def arrivals(self) -> array[int]:
        """When each event came, as unix nanoseconds; 0: not."""
        return array("q", self._get("/arrivals"))

    def _get(self, path: str) -> bytes:
        with urlopen(self._questions + path, timeout=10) as response:  # noqa: S310  our own process
            return bytes(response.read())
