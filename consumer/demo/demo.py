"""The demo: the whole path on one machine, nothing installed but this package, and a proof at the end.

The broker is librdkafka's mock cluster (groups and commits work; it keeps about 5 MB a partition), CustomFit is the
emulator, the consumer is `customfit-consumer run` in a process of its own.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Self
from urllib.error import URLError
from urllib.request import urlopen

import msgspec
from confluent_kafka import Producer

from consumer.demo.letters import LetterReader
from consumer.demo.proof import Produced, Proof, prove
from consumer.demo.samples import encoded_samples
from consumer.emulator.server import Emulator, Watcher, running_emulator

TOPIC: Final = "segment-events"
DEAD_LETTERS: Final = f"{TOPIC}.customfit-dlq"
STATE: Final = "customfit-consumer.identified-users"
REPLAYS: Final = f"{TOPIC}.customfit-replay"
KEY: Final = "demo-server-key"
GARBAGE_EVERY: Final = 500
READY_SECONDS_MAX: Final = 30.0
FINISH_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 20.0
START_AND_END_SECONDS: Final = 4.0


class DemoFailed(Exception):
    """A part of the demo did not come up or did not finish. The text says which, with the consumer's last lines."""


@dataclass(frozen=True, slots=True)
class Script:
    """What the demo plays."""

    users: int = 500
    events: int = 10_000
    events_per_second: int = 1_500
    seed: int = 1
    latency_seconds: float = 0.02
    fail_rate: float = 0.02
    outage_seconds: float = 3.0
    """For how long CustomFit is away when half of the events are produced."""

    @property
    def seconds(self) -> float:
        """About how long it takes, including start and end."""
        return self.events / self.events_per_second + self.outage_seconds + START_AND_END_SECONDS


class Point(NamedTuple):
    """How far the demo is."""

    fetched: int
    finished: int
    unfinished: int
    destination: str


class Demo:
    """Broker, emulator and consumer, running while the context lasts."""

    def __init__(
        self,
        script: Script,
        log: IO[bytes],
        *,
        watcher: Watcher | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """`log` gets what the consumer prints. `check` is called while it waits, and may raise."""
        self.script = script
        self.emulator = Emulator(keys=frozenset({KEY}), seed=script.seed, watcher=watcher)
        self.bootstrap_servers = ""
        self.consumer_url = f"http://127.0.0.1:{_free_port()}"
        self._log = log
        self._check = check
        self._parts = ExitStack()
        self._produced: list[Produced] = []

    def __enter__(self) -> Self:
        """Return when the consumer is ready. Raises DemoFailed."""
        with ExitStack() as parts:
            folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="customfit-demo-")))
            self.bootstrap_servers = parts.enter_context(_embedded_broker())
            self.letters = LetterReader(self.bootstrap_servers, DEAD_LETTERS)
            parts.callback(self.letters.close)
            parts.enter_context(running_emulator(self.emulator))
            self._process = parts.enter_context(_running(self._environ(folder), self._log))
            self._wait_until(self._is_ready, READY_SECONDS_MAX, "the consumer did not become ready")
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop all parts."""
        self._parts.close()

    def play(self, show: Callable[[Point], None]) -> None:
        """Produce the script's events, with faults, and wait until the consumer has finished all. Raises DemoFailed."""
        script = self.script
        self.emulator.faults.change({"latency_seconds": script.latency_seconds, "fail_rate": script.fail_rate})
        producing = threading.Thread(target=self._produce, name="producer", daemon=True)
        producing.start()

        def finished() -> bool:
            progress = self._progress()
            show(progress)
            return progress.finished == script.events and progress.unfinished == 0

        seconds_max = script.events / script.events_per_second + script.outage_seconds + FINISH_SECONDS_MAX
        self._wait_until(finished, seconds_max, "not all events were finished")
        producing.join()

    def prove(self) -> Proof:
        """Compare what was produced with what the emulator accepted and the dead-letter topic holds."""
        finished = self.finished()
        letters = self.letters.read(sum(finished["dead_lettered"].values()), FINISH_SECONDS_MAX)
        entries, summary = self.emulator.ledger.entries(), self.emulator.ledger.summary()
        return prove(self._produced, entries, letters, finished["skipped"], summary)

    def finished(self) -> dict[str, dict[str, int]]:
        """How the consumer counts its events: end and reason → how many."""
        ends: dict[str, dict[str, int]] = self._status()["events"]["finished"]
        return ends

    def calm_down(self) -> None:
        """The emulator answers at once and fails no longer."""
        self.emulator.faults.change({"latency_seconds": 0.0, "fail_rate": 0.0})

    def stop_consumer(self) -> int:
        """SIGTERM; gives its exit code."""
        self._process.terminate()
        return self._process.wait(STOP_SECONDS_MAX)

    # ------------------------------------------------------------------

    def _environ(self, folder: Path) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMFIT_")}
        return {
            **inherited,
            "CUSTOMFIT_API_KEY": KEY,
            "CUSTOMFIT_API_URL": self.emulator.url,
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "CUSTOMFIT_KAFKA_TOPIC": TOPIC,
            "CUSTOMFIT_STATE_DIR": str(folder / "state"),
            "CUSTOMFIT_HTTP_HOST": "127.0.0.1",
            "CUSTOMFIT_HTTP_PORT": self.consumer_url.rpartition(":")[2],
        }

    def _produce(self) -> None:
        script = self.script
        samples = encoded_samples(script.users, script.events, script.seed, garbage_every=GARBAGE_EVERY)
        producer = Producer({"bootstrap.servers": self.bootstrap_servers, "partitioner": "murmur2_random"})
        started = time.monotonic()
        for number, (key, value) in enumerate(samples):
            self._produced.append(Produced(value, time.time()))
            producer.produce(TOPIC, value, key)
            if number == script.events // 2 and script.outage_seconds:
                self.emulator.faults.change({"unavailable_seconds": script.outage_seconds})
            ahead = number / script.events_per_second - (time.monotonic() - started)
            if ahead > 0.01:
                producer.poll(ahead)
        producer.flush()

    def _progress(self) -> Point:
        status = self._status()
        events = status["events"]
        finished = sum(count for reasons in events["finished"].values() for count in reasons.values())
        consumed = sum(events["consumed"].values())
        return Point(consumed, finished, events["unfinished"], status["destination"]["state"])

    def _status(self) -> dict[str, Any]:
        with urlopen(f"{self.consumer_url}/status", timeout=5) as response:  # noqa: S310  our own process
            decoded: dict[str, Any] = msgspec.json.decode(response.read())
            return decoded

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"{self.consumer_url}/readyz", timeout=5):  # noqa: S310  our own process
                return True
        except URLError:
            return False

    def _wait_until(self, condition: Callable[[], bool], seconds_max: float, otherwise: str) -> None:
        deadline = time.monotonic() + seconds_max
        while not condition():
            self._check()
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._log.seek(0)
                lines = self._log.read().decode(errors="replace").splitlines()[-20:]
                raise DemoFailed("\n".join([f"{otherwise}; its last lines:", *lines]))
            time.sleep(0.1)


@contextmanager
def _embedded_broker() -> Iterator[str]:
    """Run a broker; gives its address. It lives as long as the producer that it was made with."""
    quiet = logging.getLogger("consumer.demo.broker")
    quiet.setLevel(logging.ERROR)
    broker = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "replaced", "log_level": 3}, logger=quiet)
    [node] = broker.list_topics(timeout=10).brokers.values()
    for topic in (TOPIC, DEAD_LETTERS, STATE, REPLAYS):
        broker.list_topics(topic, timeout=10)  # asking for a topic makes it
    yield f"{node.host}:{node.port}"


@contextmanager
def _running(environ: dict[str, str], log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """The consumer, in a process group of its own: otherwise a Ctrl-C in the terminal would stop it at once."""
    command = [sys.executable, "-m", "consumer", "run"]
    process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, process_group=0)  # noqa: S603  ourselves
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
