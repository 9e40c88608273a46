"""The whole program but its edges, in a made-up world from one seed: chaos, then healing, then everything must be done.

The world (members, broker, destination, state, dead letters) is in the files beside, the promises are in referee*.py.

    python -m tests.simulation --seed 7                 what was drawn, what happened, `ok` or the broken promise
    python -m tests.simulation --seeds 0-2000           many; stops at the first that breaks one
    python -m tests.simulation --seeds 0-9999 --jobs 2 --all-kinds     in so many processes; every kind of event is met
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import consumer.sequencing.offsets
from tests.simulation.broker import Broker
from tests.simulation.destination import Destination
from tests.simulation.exercised import EXERCISED
from tests.simulation.group import Group
from tests.simulation.log import WELCOME_USER, Log
from tests.simulation.member import World
from tests.simulation.options import Options, draw
from tests.simulation.referee import Referee
from tests.simulation.referee_commits import METADATA_ROOM_BYTES
from tests.simulation.referee_health import SAYING_SECONDS, STALL_SECONDS
from tests.simulation.stage import Stage, Violation

PATIENCE_SECONDS = 5.0
"""After the healing; then somebody whose events are welcome comes along, which tells one bad event from an outage."""
QUIET_SECONDS_MAX = 600.0
CRAMPED_SECONDS_MAX = 3_000.0
"""Where commits have no room for metadata nothing is fetched behind a stubborn event: they are given up one by one. So
are they where each takes a while."""
ASK_SECONDS = 1.0
"""Each member is asked how it is."""
QUIET_SECONDS = STALL_SECONDS + SAYING_SECONDS + 3 * ASK_SECONDS
"""When all is done, so long until everybody must say that all is well, a few times."""
CHUNK_SEEDS = 25
"""That one process takes at a time."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one seed."""

    options: Options
    exercised: Counter[str]
    seconds: float
    """Virtual ones."""
    violation: Violation | None
    story: list[str]


class Simulation:
    """One world."""

    def __init__(self, seed: int, *, tell_all: bool = False, ask_health: bool = True) -> None:
        self._ask_health = ask_health
        self.options = draw(seed, is_long=ask_health)
        self.stage = Stage(seed, tell_all=tell_all)
        self._log = log = Log(self.options)
        self.referee = self._verifier = referee = Referee(self.stage, self.options, log)
        self._destination = Destination(self.stage, self.options, log, referee)
        broker = Broker(log, referee.commits, referee.rate)
        world = World(self.stage, self.options, log, referee, broker, self._destination)
        self._group = Group(world)

    def run(self) -> None:
        """Raise Violation, or return when all is done."""
        self.stage.exercised["gaps in the offsets"] += self._log.gaps
        self._group.start()
        with brokers_that_take(self.options.metadata_bytes_max):
            if self._ask_health:
                self.stage.after(ASK_SECONDS, self._ask)
            self._run_until_quiet()
            if self._ask_health:
                self._run_on(QUIET_SECONDS)
        self._verifier.finish()
        for member in self._group.members:
            member.check_empty()

    def _run_until_quiet(self) -> None:
        stage, chaos_seconds = self.stage, self.options.chaos_seconds
        is_patient = self.options.flavour == "stubborn" and self.options.give_up_seconds > STALL_SECONDS
        is_cramped = self.options.metadata_bytes_max < METADATA_ROOM_BYTES or is_patient
        quiet_seconds_max = CRAMPED_SECONDS_MAX if is_cramped else QUIET_SECONDS_MAX
        stage.after(chaos_seconds, self._heal)
        while not (self._destination.healed and self._is_quiet()):
            if stage.now > chaos_seconds + quiet_seconds_max or not stage.step():
                raise Violation(
                    "stuck", f"committed {self._verifier.commits.committed}, the log ends at {self._log.ends}"
                )

    def _run_on(self, seconds: float) -> None:
        until = self.stage.now + seconds
        while self.stage.now < until:
            self.stage.step()

    def _ask(self) -> None:
        for member in self._group.members:
            member.be_asked()
        self.stage.after(ASK_SECONDS, self._ask)

    def _is_quiet(self) -> bool:
        return self._verifier.commits.is_quiet() and not any(member.is_busy for member in self._group.members)

    def _heal(self) -> None:
        self.stage.tell("the world is healed")
        self._destination.healed = True
        self._group.resume()
        self._verifier.health.healed_at = self.stage.now
        hold_seconds = self.options.hold_seconds
        self.stage.after(PATIENCE_SECONDS + (hold_seconds if hold_seconds > STALL_SECONDS else 0.0), self._welcome)

    def _welcome(self) -> None:
        """Until all others are done, events that are always accepted come to all partitions, one a second."""
        self._group.fix()
        if self._verifier.commits.is_committed(WELCOME_USER):
            return
        for partition in self._log.entries:
            self._log.append(partition, "identify", WELCOME_USER, self.stage.now)
        self._group.wake()
        self.stage.after(float(self.options.partitions), self._welcome)


@contextmanager
def brokers_that_take(bytes_max: int) -> Iterator[None]:
    """Brokers whose commits have room for so much metadata: 4,096 is what they have by default."""
    room = vars(consumer.sequencing.offsets)["METADATA_BYTES_MAX"]
    vars(consumer.sequencing.offsets)["METADATA_BYTES_MAX"] = bytes_max
    try:
        yield
    finally:
        vars(consumer.sequencing.offsets)["METADATA_BYTES_MAX"] = room


def simulate(seed: int, *, tell_all: bool = False, ask_health: bool = True) -> Run:
    """Run one seed to its end; `ask_health`: members are asked how they are, some for long."""
    simulation = Simulation(seed, tell_all=tell_all, ask_health=ask_health)
    violation = None
    try:
        simulation.run()
    except Violation as broken:
        violation = broken
    stage = simulation.stage
    return Run(simulation.options, stage.exercised, stage.now, violation, stage.story())


def describe(run: Run, *, with_story: bool) -> str:
    """A run for people."""
    lines = [f"seed {run.options.seed}", f"  drawn: {run.options}"]
    lines.append(
        "  exercised: " + ", ".join(f"{name} {count}" for name, count in sorted(run.exercised.items()) if count)
    )
    if with_story:
        lines += [f"  {line}" for line in run.story]
    result = "ok" if run.violation is None else f"BROKEN {run.violation}"
    return "\n".join([*lines, f"  {result} after {run.seconds:.1f} virtual seconds"])


def main(arguments: list[str]) -> int:
    """The command line; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seed", type=int, help="one world")
    parser.add_argument("--seeds", metavar="FROM-TO", help="many, e.g. 0-2000")
    parser.add_argument("--verbose", action="store_true", help="tell the whole story")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--all-kinds", action="store_true", help="fail when some kind of event was never met")
    parser.add_argument("--keep-going", action="store_true", help="don't stop at the first broken promise")
    given = parser.parse_args(arguments)
    if given.seeds is None:
        run = simulate(given.seed or 0, tell_all=given.verbose)
        print(describe(run, with_story=given.verbose or run.violation is not None))
        return int(run.violation is not None)
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    return many(seeds, jobs=given.jobs, keep_going=given.keep_going, all_kinds=given.all_kinds)


def many(seeds: range, *, jobs: int, keep_going: bool, all_kinds: bool) -> int:
    """Run seeds and add up what they exercised; 1 when a promise was broken, or a kind of event was never met."""
    started = time.perf_counter()
    exercised: Counter[str] = Counter()
    broken: list[tuple[int, str]] = []
    done = 0
    chunks = [seeds[at : at + CHUNK_SEEDS] for at in range(0, len(seeds), CHUNK_SEEDS)]
    with ProcessPoolExecutor(jobs) if jobs > 1 else nullcontext() as pool:
        results = pool.map(chunk, chunks) if pool else map(chunk, chunks)
        for chunk_exercised, chunk_broken in results:
            done += CHUNK_SEEDS
            exercised += chunk_exercised
            broken += chunk_broken
            if broken and not keep_going:
                break
        if pool:
            pool.shutdown(cancel_futures=True)
    done = min(done, len(seeds))
    seconds = time.perf_counter() - started
    for name, count in sorted(exercised.items()):
        print(f"{count:10}  {name}")
    never = [name for name in EXERCISED if not exercised[name]] if all_kinds else []
    if never:
        print(f"never met: {', '.join(never)}")
    for seed, violation in broken:
        print(f"seed {seed}: BROKEN {violation}")
    print(f"{done} seeds, {len(broken)} broken, {done / seconds:.0f} seeds/s")
    if broken and not keep_going:
        print(describe(simulate(broken[0][0]), with_story=True))
    return int(bool(broken or never))


def chunk(seeds: range) -> tuple[Counter[str], list[tuple[int, str]]]:
    """Some of many: what they exercised together, and which of them broke a promise."""
    exercised: Counter[str] = Counter()
    broken = []
    for seed in seeds:
        run = simulate(seed)
        exercised += run.exercised
        if run.violation is not None:
            broken.append((seed, str(run.violation)))
    return exercised, broken
