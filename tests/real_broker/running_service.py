"""The service as its users run it: a process of its own, its environment, its log, its metrics."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from tests.real_broker.broker import free_ports

KEY = "a-test-key-0123456789"
PATIENCE_SECONDS = 60.0
LAST_LINES = 200
"""Of a crash: the stacks of some twenty threads."""
CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE})
COMMIT_SOON = {"CUSTOMFIT_COMMIT_INTERVAL_SECONDS": "0.2"}
"""For tests that wait for commits: by default each wait would be a second longer."""


def wait_until(
    condition: Callable[[], Any], what: str | Callable[[], str], patience_seconds: float = PATIENCE_SECONDS
) -> Any:
    """Give the condition's first true value; fails with `what` (asked only then) when there is none in time."""
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {patience_seconds:g} s in vain: {what if isinstance(what, str) else what()}")


class Readiness(NamedTuple):
    """An answer of /readyz; status code 0: there was none."""

    status_code: int
    status: str
    reasons: str
    """A line each."""


class Service:
    """`customfit-consumer run` in a process; a context manager that leaves no process behind."""

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        *,
        name: str = "consumer",
        command: Sequence[str] = ("-m", "consumer", "run"),
        without: Sequence[str] = (),
    ) -> None:
        """`command`: what Python runs, where it is not the service as it is; `without`: what is not to be set."""
        [port] = free_ports(1)
        self.base_url = f"http://127.0.0.1:{port}"
        self.all_committed: Callable[[], bool] = lambda: True
        """Whether the group has committed all there is, as Kafka says; a scene sets it."""
        self._command = [sys.executable, *command]
        self._log_path = folder / f"{name}.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMFIT_")}
        self._environ = {
            **inherited,
            "CUSTOMFIT_API_KEY": KEY,
            "CUSTOMFIT_HTTP_HOST": "127.0.0.1",
            "CUSTOMFIT_HTTP_PORT": str(port),
            "CUSTOMFIT_STATE_DIR": str(folder / "state"),
            "PYTHONFAULTHANDLER": "1",  # also of what crashes before or without the command line
            **environ,
        }
        for variable in without:
            del self._environ[variable]
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log_path.open("ab") as log:
            return subprocess.Popen(self._command, env=self._environ, stdout=log, stderr=subprocess.STDOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self.process.poll() is None:
            self.kill()
        self.ended()  # one that has crashed is a fault, whatever the test is about

    def restart(self) -> None:
        """Start it again with the same environment and folder."""
        assert self.process.poll() is not None
        self.ended()
        self.process = self._start()

    def kill(self) -> None:
        """End it as kill -9 does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self, seconds_max: float = PATIENCE_SECONDS) -> int:
        """Wait for its end; gives the exit code. One that crashed fails the test with its last words."""
        code = self.process.wait(seconds_max)
        if -code in CRASHES:
            last = "\n".join(self.log.splitlines()[-LAST_LINES:])
            raise AssertionError(f"ended by {signal.Signals(-code).name}; the last it printed:\n{last}")
        return code

    @property
    def log(self) -> str:
        """All it has printed."""
        return self._log_path.read_text()

    def ask(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run another command with the same settings and these, as on the same machine."""
        command = [sys.executable, "-m", "consumer", *arguments]
        return subprocess.run(
            command, env={**self._environ, **environ}, check=False, capture_output=True, text=True, timeout=60
        )

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; status 0 where nothing answers."""
        try:
            with urlopen(self.base_url + path, timeout=PATIENCE_SECONDS) as response:  # noqa: S310  our own process
                return response.status, response.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except (URLError, ConnectionError, TimeoutError):
            return 0, ""

    def json(self, path: str) -> Any:
        """The JSON body."""
        return json.loads(self.get(path)[1])

    def ready(self) -> bool:
        """Whether /readyz is 200."""
        assert self.process.poll() is None, self.log
        return self.get("/readyz")[0] == 200

    def wait_ready(self) -> Self:
        """Return when it is ready."""
        wait_until(self.ready, f"ready; its log:\n{self.log}")
        return self

    def samples(self) -> dict[str, float]:
        """Every sample of /metrics by name and labels, as `name{label="value"}`.

        Line by line: Prometheus' own parser would take most of a processor while many tests wait for a figure.
        """
        lines = (line.rpartition(" ") for line in self.get("/metrics")[1].splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def sample(self, name: str, **labels: str | int) -> float | None:
        """One sample of /metrics; None where it is not there."""
        return self.samples().get(name + _labels({label: str(value) for label, value in labels.items()}))

    def readiness(self) -> Readiness:
        """What /readyz says."""
        status_code, text = self.get("/readyz")
        body: dict[str, Any] = json.loads(text) if text else {"status": "", "reasons": []}
        return Readiness(status_code, body["status"], "\n".join(body["reasons"]))

    def total(self, name: str) -> float:
        """Sum of a metric over its labels; -1 where it has no sample (lag that is not known yet)."""
        return _sum(name, self.samples())

    def caught_up(self) -> bool:
        """Whether all partitions have committed all there is: as it shows, and where the test can ask, as Kafka says.

        Alone, what it shows may be a second old: from before the record that the test has just produced.
        """
        shown = self.samples()
        figures = [_sum(name, shown) for name in ("customfit_lag_events", "customfit_events_unfinished")]
        return figures == [0, 0] and self.all_committed()


def _sum(name: str, samples: Mapping[str, float]) -> float:
    found = [value for sample, value in samples.items() if re.fullmatch(rf"{name}(\{{.*)?", sample)]
    return sum(found) if found else -1.0


def _labels(labels: Mapping[str, str]) -> str:
    text = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return f"{{{text}}}" if text else ""
