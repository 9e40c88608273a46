"""The chaos harness: `make chaos SEED=7 MINUTES=2`.

Real brokers, real members of one group, an emulator that keeps a ledger, and a network in between that fails; for as
long as asked everything goes wrong as the seed says, then all is fixed, the lag must go to 0, and the verifier
accounts for every record from evidence in which the consumer has no part. In liveness mode one member stays stopped
for ever.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NoReturn

from tests.chaos import evidence
from tests.chaos.audited import disagreements, told, write_audits
from tests.chaos.findings import Column
from tests.chaos.health import WINDOW_SECONDS
from tests.chaos.members import Presence
from tests.chaos.processes import stop
from tests.chaos.records import TOPIC
from tests.chaos.report import append_row, table
from tests.chaos.sampler import Offsets
from tests.chaos.schedule import Fault, schedule
from tests.chaos.stage import GROUP, Stage
from tests.chaos.verifier import verify
from tests.real_broker import broker

DEAD_LETTERS: Final = f"{TOPIC}.customfit-dlq"
TICK_SECONDS: Final = 0.02
PROGRESS_SECONDS: Final = 10.0
SETTLE_SECONDS: Final = 4.0
"""After the mending events go on for so long, so that the fixed system is seen at work."""
READY_SECONDS: Final = 3.0
"""So long members are asked whether they are ready, when everything has flowed long enough that they must be."""
LEAVE_SECONDS: Final = 70.0
AGAIN_SECONDS_MAX: Final = 240.0
"""For an operator who is still at work on a topic that was made again when the faults are over."""
FREEZE_SECONDS: Final = 3.0
"""A step that took longer: the whole machine stood still, as virtual ones sometimes do."""


class Run:
    """The phases of a run."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self._folder = folder
        # A long absence of one broker of several, where each partition is on one; else nobody could work meanwhile.
        without = frozenset() if options.replicas < options.brokers else frozenset({Fault.BROKER_AWAY})
        self._episodes = schedule(
            options.seed, options.minutes * 60, options.members, options.brokers, frozenset(options.faults) - without
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
            self._offsets = Offsets(stage.cluster.bootstrap_servers, GROUP, TOPIC)
            stack.callback(self._offsets.close)
            stage.start_producer()
            stack.callback(lambda: stop(stage.producer, 1.0))
            for member in stage.members[: self._options.members]:
                member.wanted = True
            self._stepped_at = time.monotonic()
            self._faults()
            self._mend()
            self._follow(SETTLE_SECONDS)
            code = stop(stage.producer, 70.0)
            self._stepped_at = time.monotonic()
            stage.tell("producer", code=code)
            self._wait_for_no_lag()
            self._follow(WINDOW_SECONDS + READY_SECONDS)
            self._leave()
            evidence.write_topic(stage.cluster.bootstrap_servers, TOPIC, self._folder / "topic.jsonl")
            evidence.write_dead_letters(
                stage.cluster.bootstrap_servers, DEAD_LETTERS, self._folder / "dead-letters.jsonl"
            )
            self._audit()

    def _audit(self) -> None:
        environ = {
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": self._stage.cluster.bootstrap_servers,
            "CUSTOMFIT_KAFKA_TOPIC": TOPIC,
            "CUSTOMFIT_KAFKA_GROUP_ID": GROUP,
            **dict(setting.split("=", 1) for setting in self._options.set),
        }
        write_audits(environ, self._folder / "ledger.jsonl", self._folder)

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
        passed = 0.0
        while stage.is_being_made_again and passed < AGAIN_SECONDS_MAX:
            passed += min(self._step(), FREEZE_SECONDS)
        stage.tell("fixed")
        if self._options.mode == "liveness":
            self._follow(2 * SETTLE_SECONDS)
            victim = stage.members[self._options.seed % self._options.members]
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
    parser.add_argument("--replicas", type=int, help="Of each partition; as many as brokers. 1: leaders go missing.")
    parser.add_argument("--session-seconds", type=float, default=6.0, help="45: the client's own, nothing is set.")
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
    options = parser.parse_args()
    options.replicas = options.replicas or options.brokers
    return options


def _faults(text: str) -> list[Fault]:
    names = text.split(",") if text else []
    found = [fault for fault in Fault if fault.value in names or fault.place in names]
    known = {fault.value for fault in Fault} | {fault.place for fault in Fault}
    if unknown := set(names) - known:
        raise argparse.ArgumentTypeError(f"no such fault: {', '.join(sorted(unknown))}; there are {sorted(known)}")
    return found


def _interrupted(*_: object) -> NoReturn:
    """Clean up, once, whatever else comes."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    """Run once; 1 when the promise was broken, 2 when the harness could not do its work."""
    options = arguments()
    if (problem := broker.missing()) is not None:
        print(f"This needs a real Kafka broker: {problem}", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupted)
    folder = Path(tempfile.mkdtemp(prefix=f"customfit-chaos-{options.seed}-"))
    run = Run(options, folder)
    run.describe()
    try:
        run.go()
        found = evidence.load(folder)
        verdict = verify(found)
        others = list(disagreements(folder, verdict.count(Column.LOST), sees_all=not found.later_lives))
    except KeyboardInterrupt:
        print(f"stopped; the evidence so far is in {folder}", file=sys.stderr)
        return 130
    except BaseException:
        print(f"the evidence is in {folder}", file=sys.stderr)
        raise
    print(table([verdict]))
    for finding in verdict.shown_findings():
        print(finding)
    for line in [*told(folder), *others]:
        print(line)
    if options.report:
        append_row(options.report, verdict)
    if verdict.failed or others or options.keep:
        print(f"the evidence is in {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if verdict.failed or others else 0


if __name__ == "__main__":
    sys.exit(main())
