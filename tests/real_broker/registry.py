"""A real schema registry (Apicurio, in memory, 127.0.0.1 only), for the tests that need the real thing.

`python -m tests.real_broker.registry` (part of `make kafka`) fetches it with Maven into .kafka/registry.
"""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

from tests.archives import unpack
from tests.real_broker import broker
from tests.real_broker.fetched import Package

POM = Path(__file__).with_name("registry.pom.xml")
FOLDER = broker.KAFKA_DIR / "registry"
PACKAGE = Package("the schema registry", ".kafka/registry", POM, FOLDER, FOLDER / "pom.xml")
RUNNER = "apicurio-registry-app-*-runner.jar"
START_SECONDS_MAX = 90.0
PATH = "/apis/ccompat/v7"  # Confluent's API, as Apicurio offers it


def missing() -> str | None:
    """Say in one sentence what a registry cannot be started without, or None when all is there."""
    if (problem := broker.java_problem()) is not None:
        return problem
    return None if PACKAGE.is_there else "the schema registry has not been fetched: make kafka"


def fetch() -> str | None:
    """Fetch it unless it is there; say in one sentence what prevented it, or None."""
    if (problem := broker.java_problem()) is not None:
        return problem
    if PACKAGE.is_there:
        return None
    if (problem := PACKAGE.fetch()) is not None:
        return problem
    for archive in FOLDER.glob("*.tar.gz"):
        unpack(archive, FOLDER)
        archive.unlink()
    PACKAGE.done()
    return None


class Registry:
    """One running registry, empty; what is registered is gone when it is stopped."""

    def __init__(self) -> None:
        [port] = broker.free_ports(1)
        self.url = f"http://127.0.0.1:{port}{PATH}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed by stop
        [runner] = FOLDER.glob(RUNNER)
        self._process = subprocess.Popen(
            [
                "java",
                "-Xmx512m",
                *broker.JVM_OPTIONS,
                "-Dquarkus.http.host=127.0.0.1",
                f"-Dquarkus.http.port={port}",
                "-jar",
                str(runner),
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for pytest, which then stops it in its own time
        )
        try:
            self._wait()
        except BaseException as error:
            self._log.seek(0)
            error.add_note(self._log.read().decode(errors="replace")[-2_000:])
            self.stop()
            raise

    def __enter__(self) -> Self:
        """Give the registry, already running."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop it, whatever happened."""
        self.stop()

    @contextmanager
    def away(self) -> Iterator[None]:
        """It answers nobody, and has what it had when it is back: ended, it would have forgotten."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the registry ended with exit code {self._process.returncode}")
            try:
                with urlopen(f"{self.url}/subjects", timeout=5) as response:  # noqa: S310  our own process
                    if response.status == 200:
                        return
            except (URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)  # nobody listens yet
        raise TimeoutError(f"the registry was not ready after {START_SECONDS_MAX:.0f} s")


def main() -> int:
    """Fetch it; 1 only when it could not be had and REQUIRE_KAFKA=1 asks for it."""
    problem = fetch()
    if problem is None:
        return 0
    print(f"Tests against a real schema registry are left out. {problem}", file=sys.stderr)
    return 1 if broker.required() else 0


if __name__ == "__main__":
    sys.exit(main())
