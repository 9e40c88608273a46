"""The benchmark: contenders in turn on the same topic of a real broker, one table and one JSON file a scenario.

python -m bench.run [--scenario NAME ...] [--rounds N] [--seconds S] [--only CONTENDER ...]

`--events` makes it short for a trial; such results say so and are not for quoting. Exits 1 where a contender broke the
order.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import accounting, profile, report
from bench.builds import GO, build
from bench.contenders import CONTENDERS, Contender
from bench.machine import describe
from bench.measure import WARM_UP_SECONDS, Conditions, measure, measure_latency, measure_restore
from bench.scenarios import AIMS, SCENARIOS, Point, Scenario
from bench.workload import fill
from tests.real_broker.broker import JVM_OPTIONS_IN_PRODUCTION, Broker

ACCOUNTING = "accounting"
PROFILE = "profile"
RESULTS = Path(__file__).parent / "results"
SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    scenarios: list[str]
    rounds: int | None
    events: int | None
    seconds: float
    warm_up_seconds: float
    only: list[str] | None
    results: Path
    settings: dict[str, str]
    """More CUSTOMFIT_* variables for this project, of a trial."""


def main() -> int:
    """Measure, print, save."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # leave no broker and no contender behind
    if (problem := build(GO)) is not None:
        print(f"Nothing can be measured without the sink. {problem}", file=sys.stderr)
        return 1
    broken = False
    with Broker(jvm_options=JVM_OPTIONS_IN_PRODUCTION) as broker:
        for name in options.scenarios:
            try:
                result = run_scenario(broker, name, options)
            except RuntimeError as error:
                print(f"{name}: {error}", file=sys.stderr, flush=True)
                broken = True
                continue
            options.results.mkdir(parents=True, exist_ok=True)
            (options.results / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
            print(f"\n{report.section(result)}", flush=True)
            broken = broken or report.is_broken(result)
    return 1 if broken else 0


def run_scenario(broker: Broker, name: str, options: Options) -> dict[str, Any]:
    """All points and rounds of one scenario, as what is saved of it."""
    started = time.monotonic()
    result: dict[str, Any] = {
        "scenario": name,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "trial": options.events is not None or bool(options.settings),
        "machine": describe(),
    }
    if name == ACCOUNTING:
        result |= accounting.measured(options.events or 200_000, options.rounds or 5)
    elif name == PROFILE:
        result |= profile.measured(broker, options.events or 600_000, options.seconds)
    else:
        scenario = SCENARIOS[name]
        result |= {"title": scenario.title, "axis": scenario.axis, "shows": scenario.shows}
        result["points"] = run_points(broker, scenario, options)
    return result | {"took_seconds": round(time.monotonic() - started)}


@dataclass(frozen=True, slots=True)
class Turn:
    """A point, what is done at it, and what came of it: contender → its rounds."""

    point: Point
    topic: str
    """Filled; empty where each run has a topic of its own."""
    contenders: list[Contender]
    rounds: dict[str, list[dict[str, Any]]]


def run_points(broker: Broker, scenario: Scenario, options: Options) -> list[dict[str, Any]]:
    """N rounds of all contenders at all points, every other round in the opposite order.

    A round goes through all points: the machine's speed changes by a third from minute to minute.
    """
    turns = [_turn(broker, scenario, point, options) for point in scenario.points(options.events)]
    for number in range(1, (options.rounds or scenario.rounds) + 1):
        for turn in turns if number % 2 else reversed(turns):
            for contender in turn.contenders if number % 2 else reversed(turn.contenders):
                figures = _run(broker, scenario, turn, contender, options)
                turn.rounds[contender.name].append(figures)
                where = f"{scenario.name}, {turn.point.x}, round {number}, {contender.name}"
                print(f"{where}: {json.dumps(figures)}", flush=True)
    shown = []
    for turn in turns:
        conditions = asdict(turn.point)
        del conditions["contenders"]
        titles = {contender.name: contender.title for contender in turn.contenders}
        shown.append(conditions | {"titles": titles, "rounds": turn.rounds})
    return shown


def _turn(broker: Broker, scenario: Scenario, point: Point, options: Options) -> Turn:
    contenders = [c for c in _able(point) if options.only is None or c.name in options.only]
    topic = ""
    if scenario.events_per_second is None and not point.identifies_first:
        topic = _topic(broker, point)
        fill(broker.bootstrap_servers, topic, point.workload)
    return Turn(point, topic, contenders, {contender.name: [] for contender in contenders})


def _run(broker: Broker, scenario: Scenario, turn: Turn, contender: Contender, options: Options) -> dict[str, Any]:
    point = turn.point
    conditions = Conditions(
        topic=turn.topic or _topic(broker, point),
        workload=point.workload,
        latency_ms=point.latency_ms,
        in_flight=point.in_flight,
        warm_up_seconds=0 if scenario.to_the_end or point.warm_up_events else options.warm_up_seconds,
        seconds_max=float("inf") if scenario.to_the_end else options.seconds,
        warm_up_events=point.warm_up_events,
        identifies_first=point.identifies_first,
        settings={**point.settings, **options.settings},
    )
    if scenario.restore:
        return measure_restore(broker, contender, conditions)
    if scenario.events_per_second is not None:
        return measure_latency(broker, contender, conditions, scenario.events_per_second)
    return measure(broker, contender, conditions)


def _able(point: Point) -> list[Contender]:
    """Those that can be built here; the others are said to be left out."""
    able = []
    for contender in (CONTENDERS[name] for name in point.contenders):
        problem = build(contender.needs) if contender.needs else None
        if problem is None:
            able.append(contender)
        else:
            print(f"Left out: {contender.name}. {problem}", file=sys.stderr)
    return able


def _topic(broker: Broker, point: Point) -> str:
    name = f"bench-{uuid.uuid4().hex[:8]}"
    broker.create_topic(name, point.partitions)
    return name


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__.splitlines()[0])
    names = [*SCENARIOS, ACCOUNTING, PROFILE]
    parser.add_argument(
        "--scenario", action="append", choices=names, help="several times for several; those with an aim if not given"
    )
    parser.add_argument("--rounds", type=int, help="of each contender; a scenario's own number if not given")
    parser.add_argument("--events", type=int, help="events, or users, of a trial")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="measured of each run, at most")
    parser.add_argument("--warm-up", type=float, default=WARM_UP_SECONDS, help="seconds of each run before, at most")
    parser.add_argument("--all", action="store_true", help="also what no aim is about: three hours in all")
    parser.add_argument("--only", action="append", choices=list(CONTENDERS), help="this contender")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for the JSON files")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of this project, of a trial"
    )
    given = parser.parse_args()
    return Options(
        scenarios=given.scenario or (names if given.all else [*AIMS]),
        rounds=given.rounds,
        events=given.events,
        seconds=given.seconds,
        warm_up_seconds=given.warm_up,
        only=given.only,
        results=given.results,
        settings=dict(pair.split("=", 1) for pair in given.set),
    )


if __name__ == "__main__":
    sys.exit(main())
