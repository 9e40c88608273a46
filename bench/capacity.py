"""The capacity model: what a load needs in members, partitions, memory, disk and bandwidth, from what was measured.

    python -m bench.capacity --events-per-second 10000 --users 1000000 [--answer-ms 20] [--in-flight 64]
    python -m bench.capacity --page       # makes the tables of docs/scaling.md again, from bench/results

Two figures decide the CPU: what an event costs, and what a request costs. They are fitted to two scenarios (`users`,
one event a request, and `zero-latency-64`, about five); the other scenarios were not used for it, and are held against
it.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.contenders import OURS
from bench.report import RESULTS, ROOT, table

PAGE: Final = ROOT / "docs" / "scaling.md"
BUSY_SHARE_MAX: Final = 0.6
"""Of a member's core: the rest is for catching up, and for the partitions of a member that is gone."""
PARTITIONS_A_MEMBER: Final = 4
"""So that the load is even, and that a member can be added."""
MEMBERS_SPARE: Final = 1
STATE_RECORD_BYTES: Final = 150
"""In the state topic, with Kafka's overhead: the key is the user's id, the value some 60 bytes."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one machine. Microseconds are CPU time of a member."""

    event_us: float
    request_us: float
    identify_us: float
    """A first identify: a request, a record of the state and a row."""
    member_mb: float
    """With a full buffer."""
    known_user_bytes: float
    """Of memory, up to CUSTOMFIT_KNOWN_USERS_MAX users."""
    stored_user_bytes: float
    """On the member's disk."""
    restored_users_per_second: float
    """By a member without files."""

    def of_event_us(self, events_a_request: float) -> float:
        """CPU of a track, when so many go together."""
        return self.event_us + self.request_us / events_a_request


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for."""

    events_per_second: float
    users: float
    answer_seconds: float = 0.02
    in_flight: int = 64
    """Of each member."""
    event_bytes: int = 600
    identify_share: float = 0.04
    events_a_request: float = 1.0
    """1 without a backlog; a member that catches up sends several together."""


@dataclass(frozen=True, slots=True)
class Need:
    """What it takes."""

    members: int
    partitions: int
    limit: str
    """What decides: `processor` or `requests at once`."""
    memory_mb: float
    """Of each member."""
    disk_gb: float
    """Of each member, for the state of its partitions."""
    restore_seconds: float
    """A member that lost its disk takes over its partitions."""
    state_topic_gb: float
    broker_in_mb_per_second: float
    """To be written to Kafka by the producers and the members, before replication."""
    broker_out_mb_per_second: float


KNOWN_USERS_MAX: Final = 1_000_000


def need(load: Load, costs: Costs) -> Need:
    """What this load takes, all members alike."""
    identifies = load.events_per_second * load.identify_share
    others = load.events_per_second - identifies
    busy_cores = (identifies * costs.identify_us + others * costs.of_event_us(load.events_a_request)) / 1e6
    at_once = (identifies + others / load.events_a_request) * load.answer_seconds
    by_processor = busy_cores / BUSY_SHARE_MAX
    by_requests = at_once / (load.in_flight * BUSY_SHARE_MAX)
    working = max(math.ceil(max(by_processor, by_requests)), 1)
    users = load.users / working
    return Need(
        members=working + MEMBERS_SPARE,
        partitions=working * PARTITIONS_A_MEMBER,
        limit="processor" if by_processor >= by_requests else "requests at once",
        memory_mb=costs.member_mb + min(users, KNOWN_USERS_MAX) * costs.known_user_bytes / 1e6,
        disk_gb=users * costs.stored_user_bytes / 1e9,
        restore_seconds=users / costs.restored_users_per_second,
        state_topic_gb=load.users * STATE_RECORD_BYTES / 1e9,
        broker_in_mb_per_second=(load.events_per_second * load.event_bytes + identifies * STATE_RECORD_BYTES) / 1e6,
        broker_out_mb_per_second=load.events_per_second * load.event_bytes / 1e6,
    )


# ------------------------------------------------------------------ from what was measured


def fitted(results: dict[str, dict[str, Any]]) -> Costs:
    """From `users`, `zero-latency-64`, `audience-sync` and `restore`."""
    few, many = _points(results["users"])[0], _points(results["users"])[-1]
    fast, audience = _points(results["zero-latency-64"])[0], _points(results["audience-sync"])[0]
    [restored] = _points(results["restore"])
    one, several = 10 * few["cpu_seconds_per_100k"], 10 * fast["cpu_seconds_per_100k"]
    request_us = (one - several) / (1 / few["events_per_request"] - 1 / fast["events_per_request"])
    more_users = many["x"] - few["x"]
    return Costs(
        event_us=one - request_us / few["events_per_request"],
        request_us=request_us,
        identify_us=10 * audience["cpu_seconds_per_100k"],
        member_mb=fast["peak_memory_mb"],
        known_user_bytes=1e6 * (many["peak_memory_mb"] - few["peak_memory_mb"]) / more_users,
        stored_user_bytes=1e6 * (many["state_mb"] - few["state_mb"]) / more_users,
        restored_users_per_second=restored["users"] / restored["ready_seconds"],
    )


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A run that the fit does not know, beside what the model says of it."""

    name: str
    events_a_request: float
    predicted_us: float
    measured_us: float

    @property
    def off(self) -> float:
        """As a share of what was measured."""
        return self.predicted_us / self.measured_us - 1


HELD_OUT: Final = ("cold", "latency-50-512", "partitions")
"""Not `members`: there one or two are far from their limit, and the model is of members that are at it."""


def held_out(results: dict[str, dict[str, Any]], costs: Costs) -> list[HeldOut]:
    """CPU of an event in the other scenarios, as predicted from the events a request there."""
    found = []
    for name in HELD_OUT:
        for point in _points(results[name]) if name in results else []:
            together = point["events_per_request"]
            measured = 10 * point["cpu_seconds_per_100k"]
            label = f"`{name}`, {point['x']}"
            found.append(HeldOut(label, together, costs.of_event_us(together), measured))
    return found


def _points(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Of each point the medians of our rounds."""
    found = []
    for point in result["points"]:
        rounds = next(rounds for name, rounds in point["rounds"].items() if name.startswith(OURS))
        numbers = [key for key, value in rounds[0].items() if isinstance(value, int | float)]
        found.append({key: median(one[key] for one in rounds) for key in numbers} | {"x": point["x"]})
    return found


# ------------------------------------------------------------------ shown

LOADS: Final = tuple(
    Load(events, users) for events in (1_000.0, 10_000.0, 100_000.0, 1_000_000.0) for users in (1e7, 1e8, 1e9)
)


def rows(loads: tuple[Load, ...], costs: Costs) -> str:
    """A table."""
    head = ["events/s", "users", "members", "partitions", "the limit is", "memory MB", "disk GB", "restore s"]
    head += ["state topic GB", "broker in MB/s", "out MB/s"]
    lines = []
    for load in loads:
        got = need(load, costs)
        lines.append(
            [
                *(
                    f"{load.events_per_second:,.0f}",
                    f"{load.users:,.0f}",
                    f"{got.members}",
                    f"{got.partitions}",
                    got.limit,
                ),
                *(f"{got.memory_mb:,.0f}", f"{got.disk_gb:.2f}", f"{got.restore_seconds:,.0f}"),
                *(f"{got.state_topic_gb:.1f}", f"{got.broker_in_mb_per_second:,.1f}"),
                f"{got.broker_out_mb_per_second:,.1f}",
            ]
        )
    return table(head, lines)


def shown(costs: Costs, others: list[HeldOut]) -> str:
    """All that docs/scaling.md has of it."""
    constants = table(
        ["what", "measured"],
        [
            ["an event, beside its request", f"{costs.event_us:.1f} µs of CPU"],
            ["a request", f"{costs.request_us:.1f} µs of CPU"],
            ["a user's first identify, all in all", f"{costs.identify_us:.0f} µs of CPU"],
            ["a member with a full buffer", f"{costs.member_mb:.0f} MB"],
            ["a known user in memory", f"{costs.known_user_bytes:.0f} bytes"],
            ["a user on the member's disk", f"{costs.stored_user_bytes:.0f} bytes"],
            ["restore without files", f"{costs.restored_users_per_second:,.0f} users/s"],
        ],
    )
    checks = table(
        ["run", "events a request", "predicted µs", "measured µs", "off by"],
        [
            [o.name, f"{o.events_a_request:.1f}", f"{o.predicted_us:.1f}", f"{o.measured_us:.1f}", f"{o.off:+.0%}"]
            for o in others
        ],
    )
    return f"{constants}\n{rows(LOADS, costs)}\n{checks}"


def main() -> None:
    """Print a plan, or make the page's tables again."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--page", action="store_true", help="write docs/scaling.md")
    parser.add_argument("--events-per-second", type=float, default=1_000)
    parser.add_argument("--users", type=float, default=1e6)
    parser.add_argument("--answer-ms", type=float, default=20)
    parser.add_argument("--in-flight", type=int, default=64, help="CUSTOMFIT_IN_FLIGHT_MAX of each member")
    parser.add_argument("--event-bytes", type=int, default=600)
    parser.add_argument("--identify-share", type=float, default=0.04)
    given = parser.parse_args()
    results = {file.stem: json.loads(file.read_text()) for file in sorted(Path(RESULTS).glob("*.json"))}
    costs = fitted(results)
    if given.page:
        text = shown(costs, held_out(results, costs))
        page = re.sub(
            r"<!-- capacity -->\n.*?<!-- /capacity -->",
            lambda _found: f"<!-- capacity -->\n{text}<!-- /capacity -->",
            PAGE.read_text(),
            flags=re.DOTALL,
        )
        PAGE.write_text(page)
        return
    load = Load(
        given.events_per_second,
        given.users,
        given.answer_ms / 1000,
        given.in_flight,
        given.event_bytes,
        given.identify_share,
    )
    print(rows((load,), costs))


if __name__ == "__main__":
    main()
