"""All that runs in a chaos run, and the faults' hands on it."""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from tests.chaos.again import MadeAgain
from tests.chaos.cluster import Cluster
from tests.chaos.members import FULL_FILE_BYTES, Member, member_environ
from tests.chaos.processes import start, stop
from tests.chaos.proxy import Network, Proxies, Proxy
from tests.chaos.records import TOPIC
from tests.chaos.schedule import EVERYBODY, Episode, Fault
from tests.real_broker import broker

GROUP: Final = "chaos"
SESSION_SECONDS_DEFAULT: Final = 45.0
"""The client's own: nothing is set then."""

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
        slots = options.members + 1  # the last one is a visitor's
        self.cluster = Cluster(
            folder,
            options.brokers,
            slots,
            replicas=options.replicas,
            session_seconds=options.session_seconds,
        )
        self._random = random.Random(f"stage {options.seed}")
        self._nodes_wanted = set(range(options.brokers))
        self.partitions = self._partitions_wanted = options.partitions
        self._growing: Future[None] | None = None
        self._again: MadeAgain | None = None
        self._lives = 1
        """Of the source topic."""
        self._failing: dict[int, int] = {}
        """Number of a user → status that everything of theirs is answered with."""
        stack.callback(self.cluster.stop)
        self.cluster.start()
        self.cluster.create_topic(TOPIC, options.partitions)
        self._proxies = stack.enter_context(Proxies())
        self._open_proxies()
        self.members = [self._member(slot) for slot in range(slots)]
        stack.callback(self._kill_members)
        self._emulator = self._start_emulator()
        stack.callback(stop, self._emulator, 5.0)
        self._sampler = self._start_sampler()
        stack.callback(self.stop_sampler)

    def _open_proxies(self) -> None:
        self._kafka: list[list[Proxy]] = [
            [self._proxies.open(node.ports.proxies[slot], node.ports.members[slot]) for node in self.cluster.nodes]
            for slot in range(self._options.members + 1)
        ]
        slots = len(self._kafka)
        self._emulator_port, *ports = broker.free_ports(1 + 2 * slots)  # now that the others listen
        self._http = [self._proxies.open(port, self._emulator_port) for port in ports[:slots]]
        self._ports = ports[slots:]
        """Of the members' own HTTP servers."""

    def _member(self, slot: int) -> Member:
        properties: dict[str, Any] = {"topic.metadata.refresh.interval.ms": 3_000}
        if self._options.protocol == "consumer":
            properties["group.protocol"] = "consumer"
        elif self._options.session_seconds != SESSION_SECONDS_DEFAULT:
            properties["session.timeout.ms"] = int(self._options.session_seconds * 1000)
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
        return Member(slot, self._folder, self._options.code.resolve(), self._ports[slot], environ, self.tell)

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

    def start_producer(self, first: int = 0) -> None:
        """The producer, without a proxy in between; its records have numbers above `first`."""
        self.producer = self._start(
            "producer",
            first=first,
            bootstrap=self.cluster.bootstrap_servers,
            topic=TOPIC,
            seed=self._options.seed,
            users=self._options.users,
            rate=self._options.rate,
            journal=self._folder / "journal.jsonl",
            partitions=self._options.partitions,
            grown=self._folder / "partitions",
        )

    def _start_sampler(self) -> subprocess.Popen[bytes]:
        return self._start(
            "sampler",
            bootstrap=self.cluster.bootstrap_servers,
            group=GROUP,
            topic=TOPIC,
            folder=self._folder,
            ports=",".join(map(str, self._ports)),
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
                self.cluster.nodes[target].signal(signal.SIGTERM if fault is Fault.BROKER_TERM else signal.SIGKILL)
            case "topic" if fault is Fault.TOPIC_GROW:
                self._partitions_wanted += 1
            case "topic":
                if self._again is None:
                    self._lives += 1
                    self._again = MadeAgain(self, TOPIC, GROUP, self._lives, self._folder)
            case "api":
                self.control(API_FAULTS[fault])
            case "user":
                self._failing[target] = int(fault.value.partition(".")[2])
                self._let_fail()
            case _:
                self._change(fault, target, Network(fault.value.partition(".")[2]))

    def _begin_member(self, fault: Fault, member: Member) -> None:
        member.wanted = fault in (Fault.MEMBER_TERM, Fault.STATE_UNUSABLE, Fault.STATE_FULL, Fault.MEMBER_VISIT)
        match fault:
            case Fault.MEMBER_STOP:
                member.wanted = True
                member.pause()
            case Fault.MEMBER_TERM | Fault.MEMBER_LEAVE:
                member.leave()
            case Fault.MEMBER_VISIT:
                member.look()
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
        """Fix it."""
        fault, target = episode.fault, episode.target
        match fault.place:
            case "member" if fault is Fault.MEMBER_VISIT:
                self.members[target].wanted = False
                self.members[target].leave()
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
            case "topic":
                pass
            case "user":
                self._failing.pop(target, None)
                self._let_fail()
            case "api":
                off = {"latency_jitter_seconds": self._options.latency}
                self.control({name: off.get(name, type(value)()) for name, value in API_FAULTS[fault].items()})
            case _:
                self._change(fault, target, Network.PASS)
        self.tell("end", fault=fault.value, target=target)

    def _let_fail(self) -> None:
        users = {f"user-{number}": status for number, status in self._failing.items()}
        self._ask("/users", json.dumps(users).encode())

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
        if self._again is not None:
            self._again.step()
            if self._again.done:
                self._again = None
        else:
            self._grow()

    @property
    def is_being_made_again(self) -> bool:
        """Whether the operator is still at work."""
        return self._again is not None

    def _grow(self) -> None:
        """Add partitions, as soon as the brokers take the order; the producer reads of it in a file."""
        if self._growing is None and self.partitions < self._partitions_wanted:
            self._growing = self.cluster.grow(TOPIC, self.partitions + 1)
        elif self._growing is not None and self._growing.done():
            if self._growing.exception() is None or self.cluster.partitions(TOPIC) > self.partitions:
                self.partitions += 1
                half_written = self._folder / "partitions.new"
                half_written.write_text(str(self.partitions))
                half_written.rename(self._folder / "partitions")
                self.tell("partitions", count=self.partitions)
            self._growing = None

    def _kill_members(self) -> None:
        for member in self.members:
            member.wanted = False
            member.kill()
