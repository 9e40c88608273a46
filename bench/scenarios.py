"""What is measured: each scenario is a list of points, and at each point its contenders run side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.contenders import OURS, SEVERAL, TWO
from bench.several_members import MEMBERS
from bench.workload import Workload

PEERS = ("parallel-consumer", "quix-streams", "go")
AIMS = (
    *("zero-latency-64", "cold", "latency-50-512", "hot-user", "caught-up", "audience-sync", "restore", "users"),
    "partitions",
)
"""Those that an aim is about, in under an hour; the others show how it behaves between them."""


@dataclass(frozen=True, slots=True)
class Point:
    """One set of conditions."""

    x: float | str
    contenders: tuple[str, ...]
    latency_ms: float = 0.0
    in_flight: int = 64
    partitions: int = 6
    workload: Workload = field(default_factory=Workload)
    warm_up_events: int = 0
    identifies_first: bool = False
    """The other events are produced when those of all users are delivered and stored."""
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """`points` is told how many events or users are asked for, None for as many as it takes to be worth quoting."""

    name: str
    title: str
    points: Callable[[int | None], list[Point]]
    axis: str | None = None
    """What its points differ in, where they are worth a plot."""
    to_the_end: bool = False
    """Each run goes on until all events have arrived, with no warm-up."""
    events_per_second: float | None = None
    """Produced at this rate while the contenders run: latency is measured, not throughput."""
    restore: bool = False
    """All events are delivered; then a member with an empty folder starts in the same group, until it is ready."""
    rounds: int = 5

    @property
    def shows(self) -> str:
        """What kind of figures: `throughput`, `latency` or `restore`."""
        return "restore" if self.restore else "latency" if self.events_per_second is not None else "throughput"


def _zero_latency(events: int | None) -> list[Point]:
    contenders = (OURS, TWO, *PEERS, "plain-loop")
    return [Point("64 at once, 0 ms", contenders, workload=Workload(events=events or 800_000))]


def _limits(events: int | None) -> list[Point]:
    contenders = (OURS, "customfit-consumer-httpx", "go-single", "consume-only", "sink-limit")
    return [Point("64 at once, 0 ms", contenders, workload=Workload(events=events or 800_000))]


def _cold(events: int | None) -> list[Point]:
    contenders = (OURS, TWO, *PEERS, "plain-loop")
    return [Point("64 at once, 0 ms", contenders, workload=Workload(events=events or 60_000))]


def _latency_50(events: int | None) -> list[Point]:
    workload = Workload(events=events or 300_000)
    return [Point("512 at once, 50 ms", (OURS, *PEERS), latency_ms=50, in_flight=512, workload=workload)]


def _hot_user(events: int | None) -> list[Point]:
    def point(label: str, share: float) -> Point:
        workload = Workload(users=1, events=events or 60_000, identify_share=share)
        return Point(label, (OURS, "parallel-consumer", "go"), latency_ms=50, workload=workload)

    return [point("identified once", 0.0), point("4 % identifies", 0.04)]


def _caught_up(events: int | None) -> list[Point]:
    return [Point("100 events/s", (OURS, *PEERS), workload=Workload(events=events or 4_000))]


def _audience_sync(events: int | None) -> list[Point]:
    users = events or 1_000_000
    workload = Workload(users=users, events=users, identify_all=True)
    return [Point(f"{users:,} users", (OURS,), latency_ms=20, in_flight=256, workload=workload)]


def _restore(events: int | None) -> list[Point]:
    users = events or 1_000_000
    workload = Workload(users=users, events=users, identify_all=True)
    return [Point(f"{users:,} users", (OURS,), in_flight=256, workload=workload)]


def _users(events: int | None) -> list[Point]:
    measured = events or 150_000
    ahead = measured // 3
    return [
        Point(
            users,
            (OURS,),
            workload=Workload(
                users=users, events=users + ahead + measured, identify_share=0, identify_all=True, even=True
            ),
            warm_up_events=users + ahead,
            identifies_first=True,
            settings={"CUSTOMFIT_BATCH_EVENTS_MAX": "1"},  # else few users would mean large batches
        )
        for users in (1_000, 10_000, 100_000, 1_000_000)
        if events is None or users <= 10 * events
    ]


def _partitions(events: int | None) -> list[Point]:
    workload = Workload(events=events or 200_000)
    return [Point(count, (OURS,), partitions=count, workload=workload) for count in (1, 8, 64, 256)]


def _members(events: int | None) -> list[Point]:
    """The destination is the limit, not the processor."""
    workload = Workload(events=events or 400_000)
    return [
        Point(count, (SEVERAL,), latency_ms=50, partitions=12, workload=workload, settings={MEMBERS: str(count)})
        for count in (1, 2, 4)
    ]


def _latency(events: int | None) -> list[Point]:
    workload = Workload(events=events or 300_000)
    contenders = (OURS, "parallel-consumer", "go")
    return [Point(ms, contenders, latency_ms=ms, in_flight=256, workload=workload) for ms in (0, 5, 20, 50, 200)]


def _in_flight(events: int | None) -> list[Point]:
    workload = Workload(events=events or 300_000)
    contenders = (OURS, "parallel-consumer", "go")
    return [
        Point(count, contenders, latency_ms=20, in_flight=count, workload=workload)
        for count in (16, 32, 64, 128, 256, 512)
    ]


def _backlog(events: int | None) -> list[Point]:
    largest = events or 1_000_000
    return [
        Point(size, (OURS,), workload=Workload(events=size))
        for size in (10_000, 30_000, 100_000, 300_000, 1_000_000)
        if size <= largest
    ]


def _buffer(events: int | None) -> list[Point]:
    workload = Workload(events=events or 600_000)
    return [
        Point(size, (OURS,), workload=workload, settings={"CUSTOMFIT_BUFFER_EVENTS_MAX": str(size)})
        for size in (5_000, 20_000, 30_000, 40_000, 60_000)
    ]


SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("zero-latency-64", "The destination answers at once, 64 requests at a time", _zero_latency),
        Scenario(
            "cold",
            "The same from a cold start: all of 60,000 events, from the first arrival to the last",
            _cold,
            to_the_end=True,
        ),
        Scenario("limits", "What the Kafka client and the sink allow, and other ways of sending", _limits, rounds=3),
        Scenario("latency-50-512", "The destination takes 50 ms, 512 requests at a time", _latency_50),
        Scenario("hot-user", "One user causes all events, 50 ms", _hot_user, rounds=3),
        Scenario(
            "caught-up",
            "No backlog: 100 events a second, from producing to arrival",
            _caught_up,
            events_per_second=100,
            rounds=3,
        ),
        Scenario(
            "audience-sync",
            "An audience is synchronised: one identify of each user, 20 ms, 256 at a time",
            _audience_sync,
            to_the_end=True,
            rounds=1,
        ),
        Scenario(
            "restore", "A member with an empty disk takes over users who are known", _restore, restore=True, rounds=1
        ),
        Scenario(
            "users", "Tracks of users who are all known, one event a request", _users, axis="known users", rounds=3
        ),
        Scenario("partitions", "Throughput against partitions", _partitions, axis="partitions", rounds=3),
        Scenario("members", "Throughput against members, 50 ms, 64 requests at a time each", _members, axis="members"),
        Scenario("latency", "Throughput against the destination's latency", _latency, axis="latency (ms)", rounds=3),
        Scenario(
            "in-flight", "Throughput against requests at once, 20 ms", _in_flight, axis="requests at once", rounds=3
        ),
        Scenario(
            "backlog",
            "Cost of an event against the backlog",
            _backlog,
            axis="backlog (events)",
            to_the_end=True,
            rounds=3,
        ),
        Scenario("buffer", "Throughput against the buffer", _buffer, axis="CUSTOMFIT_BUFFER_EVENTS_MAX", rounds=3),
    )
}
