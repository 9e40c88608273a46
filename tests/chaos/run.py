"""The chaos harness: `make chaos SEED=7 MINUTES=2`.

Real brokers, real members of one group, an emulator that keeps a ledger, and a network in between that fails; for as
long as asked everything goes wrong as the seed says, then all is mended, the lag must go to 0, and the verifier
accounts for every record from evidence in which the consumer has no part. In liveness mode one member stays stopped
for ever.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from tests.chaos import evidence
from tests.chaos.cluster import Cluster
from tests.chaos.members import FULL_FILE_BYTES, Member, Presence, member_environ
from tests.chaos.processes import start, stop
from tests.chaos.proxy import Network, Proxies, Proxy
from tests.chaos.report import append_row, table
from tests.chaos.sampler import Offsets
from tests.chaos.schedule import EVERYBODY, Episode, Fault, schedule
from tests.chaos.verifier import verify
from tests.kafka import broker

TOPIC: Final = "segment-events"
GROUP: Final = "chaos"
DEAD_LETTERS: Final = f"{TOPIC}.customfit-dlq"
TICK_SECONDS: Final = 0.02
PROGRESS_SECONDS: Final = 10.0
SETTLE_SECONDS: Final = 4.0
"""After the mending events go on for so long, so that the mended system is seen at work."""
LEAVE_SECONDS: Final = 70.0
FREEZE_SECONDS: Final = 3.0
"""A step that took longer: the whole machine stood still, as virtual ones sometimes do."""

API_FAULTS: Final[dict[Fault, dict[str, Any]]] = {
    Fault.API_THROTTLE: {"throttle_requests_per_second": 20.0},
    Fault.API_FAIL: {"fail_rate": 0.7},
    Fault.API_HANG: {"hang": True},
    Fault.API_LOST: {"reset_rate": 0.4},
    Fault.API_DROPPED: {"reset_unrecorded_rate": 0.5},
    Fault.API_KEY: {"reject_all_keys": True},
    Fault.API_SLOW: {"latency_jitter_seconds": 5.0},
    Fault.API_AWAY: {"unavailable_seconds": 60.0},
}


class Stage:
    """All that runs, and the faults' hands on it."""

    def __init__(self, options: argparse.Namespace, folder: Path, stack: ExitStack) -> None:
        self._options = options
        self._folder = folder
        self._history = stack.enter_context((folder / "history.jsonl").open("a", encoding="utf-8"))
        self.cluster = Cluster(folder, options.brokers, options.members)
        self._random = random.Random(f"stage {options.seed}")
        self._nodes_wanted = set(range(options.brokers))
        stack.callback(self.cluster.stop)
        self.cluster.start()
        self.cluster.create_topic(TOPIC, options.partitions)
        self._proxies = stack.enter_context(Proxies())
        self._open_proxies()
        self.members = [self._member(slot) for slot in range(options.members)]
        stack.callback(self._kill_members)
        self._emulator = self._start_emulator()
        stack.callback(stop, self._emulator, 5.0)
        self._sampler = self._start_sampler()
        stack.callback(self.stop_sampler)

    def _open_proxies(self) -> None:
        self._kafka: list[list[Proxy]] = [
            [self._proxies.open(node.ports.proxies[slot], node.ports.members[slot]) for node in self.cluster.nodes]
            for slot in range(self._options.members)
        ]
        self._emulator_port, *http = broker._free_ports(1 + self._options.members)  # now that the others listen
        self._http = [self._proxies.open(port, self._emulator_port) for port in http]

    def _member(self, slot: int) -> Member:
        properties: dict[str, Any] = {"session.timeout.ms": 6_000}
        if self._options.protocol == "consumer":
            properties = {"group.protocol": "consumer"}
        environ = member_environ(
            {
                "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": self.cluster.member_bootstrap_servers(slot),
                "CUSTOMFIT_KAFKA_TOPIC": TOPIC,
                "CUSTOMFIT_KAFKA_GROUP_ID": GROUP,
                "CUSTOMFIT_API_URL": f"http://127.0.0.1:{self._http[slot].port}",
                "CUSTOMFIT_KAFKA_PROPERTIES": json.dumps(properties),
                **dict(setting.split("=", 1) for setting in self._options.set),
            }
        )
        return Member(slot, self._folder, self._options.code.resolve(), environ, self.tell)

    def _start_emulator(self) -> subprocess.Popen[bytes]:
        process = self._start(
            "emulator",
            port=self._emulator_port,
            ledger=self._folder / "ledger.jsonl",
            senders=self._folder / "senders.jsonl",
            seed=self._options.seed,
            latency=self._options.latency,
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                self.control({})
            except OSError:
                time.sleep(0.1)
            else:
                return process
        raise TimeoutError("the emulator did not start")

    def start_producer(self) -> subprocess.Popen[bytes]:
        """The producer, without a proxy in between."""
        return self._start(
            "producer",
            bootstrap=self.cluster.bootstrap_servers,
            topic=TOPIC,
            seed=self._options.seed,
            users=self._options.users,
            rate=self._options.rate,
            journal=self._folder / "journal.jsonl",
        )

    def _start_sampler(self) -> subprocess.Popen[bytes]:
        return self._start(
            "sampler",
            bootstrap=self.cluster.bootstrap_servers,
            group=GROUP,
            topic=TOPIC,
            partitions=self._options.partitions,
            folder=self._folder,
        )

    def stop_sampler(self) -> None:
        """No more samples."""
        stop(self._sampler, 5.0)

    def _start(self, name: str, **options: Any) -> subprocess.Popen[bytes]:
        arguments = [text for option, value in options.items() for text in (f"--{option}", str(value))]
        return start([sys.executable, "-m", f"tests.chaos.{name}", *arguments], self._folder / f"{name}.log")

    def tell(self, what: str, **fields: Any) -> None:
        """Write a line of the history."""
        self._history.write(f"{json.dumps({'at': round(time.time(), 3), 'what': what, **fields})}\n")
        self._history.flush()

    def control(self, faults: dict[str, Any]) -> None:
        """Tell the emulator."""
        self._ask("/control", json.dumps(faults).encode())

    def accepted(self) -> int:
        """How many requests the emulator has accepted."""
        accepted: int = self._ask("/ledger")["accepted"]
        return accepted

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        with urlopen(f"http://127.0.0.1:{self._emulator_port}{path}", body, timeout=10) as answer:
            return json.load(answer)

    # ------------------------------------------------------------------ faults

    def begin(self, episode: Episode) -> None:
        """Make it fail."""
        self.tell("begin", fault=episode.fault.value, target=episode.target)
        fault, target = episode.fault, episode.target
        match fault.place:
            case "member" | "state":
                self._begin_member(fault, self.members[target])
            case "broker":
                self._nodes_wanted.discard(target)
                self.cluster.nodes[target].signal(signal.SIGKILL if fault is Fault.BROKER_KILL else signal.SIGTERM)
            case "api":
                self.control(API_FAULTS[fault])
            case _:
                self._change(fault, target, Network(fault.value.partition(".")[2]))

    def _begin_member(self, fault: Fault, member: Member) -> None:
        member.wanted = fault in (Fault.MEMBER_TERM, Fault.STATE_UNUSABLE, Fault.STATE_FULL)
        match fault:
            case Fault.MEMBER_STOP:
                member.wanted = True
                member.pause()
            case Fault.MEMBER_TERM | Fault.MEMBER_LEAVE:
                member.leave()
            case _:
                member.kill()
        match fault:
            case Fault.STATE_CORRUPT:
                member.corrupt_state(self._random)
            case Fault.STATE_GONE:
                member.remove_state()
            case Fault.STATE_UNUSABLE:
                member.block_state()
            case Fault.STATE_FULL:
                member.file_bytes_max = FULL_FILE_BYTES

    def end(self, episode: Episode) -> None:
        """Mend it."""
        fault, target = episode.fault, episode.target
        match fault.place:
            case "member" | "state":
                member = self.members[target]
                member.wanted = True
                member.go_on()
                member.restore_state()
                if member.file_bytes_max:
                    member.file_bytes_max = 0
                    member.leave()
            case "broker":
                self._nodes_wanted.add(target)
            case "api":
                off = {"latency_jitter_seconds": self._options.latency}
                self.control({name: off.get(name, type(value)()) for name, value in API_FAULTS[fault].items()})
            case _:
                self._change(fault, target, Network.PASS)
        self.tell("end", fault=fault.value, target=target)

    def _change(self, fault: Fault, target: int, network: Network) -> None:
        for slot in range(len(self.members)):
            if target in (slot, EVERYBODY):
                for proxy in self._kafka[slot] if fault.place == "kafka" else [self._http[slot]]:
                    self._proxies.change(proxy, network)

    def look(self) -> None:
        """Start what is wanted and does not run."""
        for member in self.members:
            member.look()
        if (code := self._sampler.poll()) is not None:
            self.tell("sampler", code=code)
            self._sampler = self._start_sampler()
        for number in self._nodes_wanted:
            node = self.cluster.nodes[number]
            if not node.running:
                self.tell("broker start", broker=number)
                node.start()

    def _kill_members(self) -> None:
        for member in self.members:
            member.wanted = False
            member.kill()


class Run:
    """The phases of a run."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._episodes = schedule(
            options.seed, options.minutes * 60, options.members, options.brokers, frozenset(options.faults)
        )
        self._shown_at = self._stepped_at = time.monotonic()

    def describe(self) -> None:
        """Print all that decides about the run."""
        shown = {name: value for name, value in vars(self._options).items() if name != "faults"}
        print("options:", json.dumps(shown, default=str))
        for episode in self._episodes:
            print(episode)
        (self._folder / "options.json").write_text(json.dumps(shown, default=str))

    def go(self) -> None:
        """Run to the end; the evidence is in the folder then."""
        with ExitStack() as stack:
            stage = self._stage = Stage(self._options, self._folder, stack)
            self._offsets = Offsets(stage.cluster.bootstrap_servers, GROUP, TOPIC, self._options.partitions)
            stack.callback(self._offsets.close)
            producer = stage.start_producer()
            stack.callback(stop, producer, 1.0)
            for member in stage.members:
                member.wanted = True
            self._stepped_at = time.monotonic()
            self._faults()
            self._mend()
            self._follow(SETTLE_SECONDS)
            code = stop(producer, 70.0)
            self._stepped_at = time.monotonic()
            stage.tell("producer", code=code)
            self._wait_for_no_lag()
            self._leave()
            evidence.write_topic(stage.cluster.bootstrap_servers, TOPIC, self._folder / "topic.jsonl")
            evidence.write_dead_letters(
                stage.cluster.bootstrap_servers, DEAD_LETTERS, self._folder / "dead-letters.jsonl"
            )

    def _faults(self) -> None:
        stage, now = self._stage, 0.0
        todo = sorted(
            [(episode.begins, 1, episode) for episode in self._episodes]
            + [(episode.ends, 0, episode) for episode in self._episodes]
        )
        while todo or now < self._options.minutes * 60:
            while todo and now >= todo[0][0]:
                _, begins, episode = todo.pop(0)
                if begins:
                    print(f"{now:6.1f} s  {episode.fault.value} {episode.target}", flush=True)
                    stage.begin(episode)
                else:
                    stage.end(episode)
            now += min(self._step(), FREEZE_SECONDS)

    def _mend(self) -> None:
        stage = self._stage
        stage.tell("mended")
        if self._options.mode == "liveness":
            self._follow(2 * SETTLE_SECONDS)
            victim = stage.members[self._options.seed % len(stage.members)]
            while victim.presence is not Presence.RUNNING:
                self._step()
            victim.pause()
            print(f"{victim.name} is stopped for ever", flush=True)

    def _follow(self, seconds: float) -> None:
        passed = 0.0
        while passed < seconds:
            passed += min(self._step(), FREEZE_SECONDS)

    def _wait_for_no_lag(self) -> None:
        stage, passed = self._stage, 0.0
        while passed < self._options.heal_seconds:
            if self._offsets.lag() == 0:
                stage.tell("no lag", seconds=round(passed, 1))
                return
            passed += min(self._step(), FREEZE_SECONDS)
        stage.tell("stuck", lag=self._offsets.lag(), seconds=self._options.heal_seconds)

    def _leave(self) -> None:
        stage = self._stage
        stage.tell("leaving")
        for member in stage.members:
            member.wanted = False
            if member.presence is Presence.STOPPED:
                member.kill()
            member.leave()
        passed = 0.0
        while passed < LEAVE_SECONDS and any(m.presence is not Presence.ABSENT for m in stage.members):
            passed += min(self._step(), FREEZE_SECONDS)

    def _step(self) -> float:
        """Look after everything once; gives how long ago the last time was."""
        self._stage.look()
        time.sleep(TICK_SECONDS)
        passed, self._stepped_at = time.monotonic() - self._stepped_at, time.monotonic()
        if passed > FREEZE_SECONDS:
            self._stage.tell("froze", seconds=round(passed, 3))
        if time.monotonic() - self._shown_at >= PROGRESS_SECONDS:
            self._shown_at = time.monotonic()
            names = " ".join(f"{m.name}:{m.presence.value}" for m in self._stage.members)
            print(f"          {self._stage.accepted()} requests accepted; {names}", flush=True)
        return passed


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1.0, help="Of faults; the mending comes on top.")
    parser.add_argument("--mode", choices=["safety", "liveness"], default="safety")
    parser.add_argument("--brokers", type=int, choices=[1, 3], default=1)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--users", type=int, default=150)
    parser.add_argument("--rate", type=float, default=400.0, help="Records a second.")
    parser.add_argument("--latency", type=float, default=0.01, help="Of the emulator, seconds, and up to as much more.")
    parser.add_argument("--protocol", choices=["classic", "consumer"], default="classic")
    parser.add_argument("--heal-seconds", type=float, default=120.0, help="How long the lag may take to go to 0.")
    parser.add_argument("--faults", type=_faults, default=list(Fault), help="Only these, such as member,http.cut")
    parser.add_argument("--set", action="append", default=[], metavar="CUSTOMFIT_NAME=VALUE")
    parser.add_argument("--code", type=Path, default=Path(__file__).parents[2], help="Where the package consumer is.")
    parser.add_argument("--report", type=Path, help="Append the row to this Markdown file.")
    parser.add_argument("--keep", action="store_true", help="Keep the evidence of a good run too.")
    return parser.parse_args()


def _faults(text: str) -> list[Fault]:
    names = text.split(",") if text else []
    found = [fault for fault in Fault if fault.value in names or fault.place in names]
    known = {fault.value for fault in Fault} | {fault.place for fault in Fault}
    if unknown := set(names) - known:
        raise argparse.ArgumentTypeError(f"no such fault: {', '.join(sorted(unknown))}; there are {sorted(known)}")
    return found


def main() -> int:
    """Run once; 1 when the promise was broken, 2 when the harness could not do its work."""
    options = arguments()
    if (problem := broker.missing()) is not None:
        print(f"This needs a real Kafka broker: {problem}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    folder = Path(tempfile.mkdtemp(prefix=f"customfit-chaos-{options.seed}-"))
    run = Run(options, folder)
    run.describe()
    try:
        run.go()
        verdict = verify(evidence.load(folder))
    except BaseException:
        print(f"the evidence is in {folder}", file=sys.stderr)
        raise
    print(table([verdict]))
    for finding in verdict.shown_findings():
        print(finding)
    if options.report:
        append_row(options.report, verdict)
    if verdict.failed or options.keep:
        print(f"the evidence is in {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if verdict.failed else 0


if __name__ == "__main__":
    sys.exit(main())
