"""What one seed draws: the size of the world, the rules, and how bad its weather is."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields
from typing import Any, Literal

Flavour = Literal["calm", "rough", "hostile", "flood", "stubborn", "moving", "forgetful"]
FLAVOURS: tuple[Flavour, ...] = (
    "calm",
    "rough",
    "rough",
    "rough",
    "hostile",
    "flood",
    "stubborn",
    "moving",
    "moving",
    "forgetful",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """All that was drawn; printed with a failure, because a seed alone says nothing to a reader."""

    seed: int
    flavour: Flavour
    # the log
    partitions: int
    events: int
    users: int
    keyed: bool
    """A user's events are in one partition; otherwise anywhere, and then nobody is deleted."""
    dripping: bool
    """Records appear over time; otherwise all are there at the start."""
    identifies: float
    never_identified: float
    deletes: float
    skipped: float
    rejected: float
    batches: float
    """How many records are batches, in which but one event is skipped."""
    encoded: float
    """How many records take a schema to read, in worlds that have any."""
    gaps: float
    # what the destination refuses for good, or never manages
    refused_events: float
    refused_identifies: float
    refused_introductions: float
    stubborn_events: float
    forbidden_events: float
    """Answered 401, 403 or 404, whoever else succeeds."""
    postponed_events: float
    """Answered 503 with Retry-After."""
    # its weather
    errors: float
    refusals_to_connect: float
    throttling: float
    lost_answers: float
    errors_after_acceptance: float
    late_acceptances: float
    slow_answers: float
    outages: int
    long_outage_seconds: float
    """One more, so long that it must be said; 0: none."""
    # members
    members: int
    moves: int
    zombies: int
    """How often a member is cut off from the group, or stopped and woken up."""
    session_seconds: float
    pause_seconds: float
    """For so long at the most somebody pauses sending, once or twice; 0: nobody does."""
    chaos_seconds: float
    own_stores: bool
    """Each member has its own state; otherwise it goes with the partition."""
    commit_failures: float
    slow_commits: float
    state_failures: float
    state_stalls: float
    state_losses: float
    dead_letter_failures: float
    receipts: bool
    """An offset moves only when a receipt of its delivery is written."""
    receipt_failures: float
    metadata_bytes_max: int
    # settings
    hold_seconds: float
    unidentified: Literal["introduce", "dead-letter"]
    anonymous: Literal["skip", "forward"]
    in_flight_max: int
    requests_per_second_max: float | None
    """Of all members together."""
    batch_events_max: int
    batch_bytes_max: int
    request_timeout_seconds: float
    buffer_events_max: int
    buffer_bytes_max: int
    commit_interval_seconds: float
    uncommitted_events_max: int
    drain_seconds: float
    give_up_seconds: float
    dead_letter_ratio_max: float
    fetch_records_max: int
    known_users_max: int

    def __str__(self) -> str:
        return ", ".join(f"{f.name}={_short(getattr(self, f.name))}" for f in fields(self))


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def draw(seed: int, *, is_long: bool = True) -> Options:
    """One world from one seed; `is_long`: in some, something lasts so long that members must speak of it."""
    rng = random.Random(f"options of {seed}")
    flavour = rng.choice(FLAVOURS)
    is_calm, is_flood, is_moving, is_hostile, is_forgetful = (
        flavour == one for one in ("calm", "flood", "moving", "hostile", "forgetful")
    )

    def weather(high: float) -> float:
        return 0.0 if is_calm or is_flood or rng.random() < 0.5 else rng.uniform(0, high)  # none in every second world

    def content(high: float, *, often: bool = False) -> float:
        return rng.uniform(high / 3, high) if often else rng.choice((0.0, rng.uniform(0, high)))

    keyed, own_stores = rng.random() < 0.8 or is_forgetful, rng.random() < 0.4 and not is_forgetful
    settings = _settings(rng, flavour) if not is_long else _with_patience(seed, flavour, _settings(rng, flavour))
    long = _lasting(seed, is_safe=is_calm or is_flood, is_long=is_long)
    lonely = _lonely(seed, flavour, settings)
    zombies, session_seconds = _zombies(seed, settings["request_timeout_seconds"], is_safe=is_calm or is_flood)
    return Options(
        seed=seed,
        flavour=flavour,
        partitions=1 if is_flood else rng.randint(1, 4),
        events=rng.randint(300, 340) if is_flood else rng.randint(8, 100 if is_forgetful else 60),
        users=rng.randint(1, 3 if is_forgetful else 16),
        keyed=keyed,
        dripping=not is_flood and (is_forgetful or rng.random() < 0.6),
        identifies=rng.uniform(0.03, 0.1 if is_forgetful else 0.4),
        never_identified=rng.choice((0.0, rng.uniform(0, 0.6))),
        deletes=content(0.3 if is_forgetful else 0.08, often=is_forgetful) if keyed and not own_stores else 0.0,
        skipped=content(0.2),
        rejected=rng.choice((0.05, 0.85, 0.85)) if is_flood else content(0.12),
        batches=0.0 if is_flood else random.Random(f"batches of {seed}").choice((0.0, 0.0, 0.3)),
        encoded=random.Random(f"schemas of {seed}").choice((0.0, 0.0, 0.2)),
        gaps=content(0.3),
        refused_events=content(0.6 if is_hostile else 0.08, often=is_hostile),
        refused_identifies=content(0.9 if is_hostile else 0.2, often=is_hostile),
        refused_introductions=content(0.9 if is_hostile else 0.2, often=is_hostile),
        stubborn_events=content(0.2, often=True) if flavour == "stubborn" else 0.0,
        errors=weather(0.15),
        refusals_to_connect=weather(0.1),
        throttling=weather(0.1),
        lost_answers=weather(0.1),
        errors_after_acceptance=weather(0.06),
        late_acceptances=weather(0.05),
        slow_answers=rng.uniform(0.1, 0.4) if is_moving else weather(0.2),
        outages=0 if is_calm or is_flood else rng.choice((0, 0, 1, 1, 2)),
        members=rng.randint(1, 3),
        moves=0
        if is_calm or is_flood
        else rng.randint(4, 24 if is_forgetful else 12)
        if is_moving or is_forgetful
        else rng.choice((0, 1, 2, 4)),
        chaos_seconds=(rng.uniform(20, 60) if is_forgetful else rng.uniform(3, 12)) + 3 * zombies + sum(long.values()),
        own_stores=own_stores,
        commit_failures=weather(0.3),
        slow_commits=weather(0.5),
        state_failures=weather(0.2),
        state_stalls=0.2 if is_forgetful else weather(0.2),
        state_losses=weather(0.5),
        dead_letter_failures=weather(0.4),
        metadata_bytes_max=rng.choice((3_000, 3_000, 16)) if not (is_hostile or lonely["is_roomy"]) else 3_000,
        forbidden_events=lonely["forbidden_events"],
        postponed_events=lonely["postponed_events"],
        zombies=zombies,
        session_seconds=session_seconds,
        **settings | _receipts(seed, is_safe=is_calm or is_flood) | _rate(seed) | long,
        known_users_max=random.Random(f"known users of {seed}").choice((0, 3, 1_000_000)),
    )


def _lonely(seed: int, flavour: Flavour, settings: dict[str, Any]) -> dict[str, Any]:
    """Users whose events alone are answered as with a wrong key, or with Retry-After, in a world with room for them.

    A 401 is never given up because the buffer is full of it: it may be the key, and then it waits for an operator.
    """
    rng = random.Random(f"lonely of {seed}")
    if flavour not in ("rough", "moving", "stubborn") or rng.random() < 0.75:
        return {"forbidden_events": 0.0, "postponed_events": 0.0, "is_roomy": False}
    settings |= {"buffer_events_max": 200, "buffer_bytes_max": 100_000, "give_up_seconds": rng.uniform(0.5, 1.5)}
    forbidden_events, postponed_events = rng.choice(((0.2, 0.0), (0.0, 0.2), (0.15, 0.15)))
    return {"forbidden_events": forbidden_events, "postponed_events": postponed_events, "is_roomy": True}


def _receipts(seed: int, *, is_safe: bool) -> dict[str, Any]:
    """Whether there are some, and how often one is not written at first."""
    rng = random.Random(f"receipts of {seed}")
    if rng.random() < 0.7:
        return {"receipts": False, "receipt_failures": 0.0}
    return {"receipts": True, "receipt_failures": 0.0 if is_safe or rng.random() < 0.5 else rng.uniform(0, 0.4)}


def _rate(seed: int) -> dict[str, float | None]:
    """From two requests a second to fifty; in most worlds there is none."""
    rng = random.Random(f"rate of {seed}")
    return {"requests_per_second_max": None if rng.random() < 0.8 else 2.0 * 25 ** rng.random()}


def _zombies(seed: int, request_timeout_seconds: float, *, is_safe: bool) -> tuple[int, float]:
    """How many there are, and how soon the group misses a member: soon where there are some."""
    rng = random.Random(f"zombies of {seed}")
    if is_safe or rng.random() < 0.65:
        return 0, 45.0
    return rng.randint(1, 3), round((request_timeout_seconds + 1) * rng.uniform(1.6, 3), 3)


def _lasting(seed: int, *, is_safe: bool, is_long: bool) -> dict[str, Any]:
    """What the chaos has to last longer for: an outage, and somebody who pauses sending; some of them are long."""
    rng = random.Random(f"pauses of {seed}")
    pause_seconds = 0.0
    if rng.random() >= 0.85:
        pause_seconds = 50.0 if is_long and rng.random() < 0.3 else rng.uniform(1, 8)
    long_outage_seconds = _long_outage_seconds(seed, is_safe=is_safe or not is_long)
    return {"long_outage_seconds": long_outage_seconds, "pause_seconds": pause_seconds}


def _with_patience(seed: int, flavour: Flavour, settings: dict[str, Any]) -> dict[str, Any]:
    """Worlds in which something holds up a partition for so long that it must be said, or must not.

    Not where one user's events fill a small buffer: each of them takes a hundred times as long to be given up.
    """
    rng = random.Random(f"patience of {seed}")
    if flavour == "stubborn" and rng.random() < 0.25 and settings["buffer_events_max"] >= 50:
        return settings | {"give_up_seconds": 20.0}
    if flavour in ("calm", "rough", "moving") and rng.random() < 0.03:
        return settings | {"hold_seconds": 40.0}
    return settings


def _long_outage_seconds(seed: int, *, is_safe: bool) -> float:
    rng = random.Random(f"long outage of {seed}")
    return 0.0 if is_safe or rng.random() < 0.95 else rng.uniform(35, 80)


def _settings(rng: random.Random, flavour: Flavour) -> dict[str, Any]:
    """The part of them that are settings of the program."""
    # A buffer full of what three users are refused looks like a wrong setting, and would wait for an operator.
    is_roomy = flavour == "hostile"
    return {
        "hold_seconds": rng.choice((0.0, 0.0, rng.uniform(0.2, 6))) if flavour != "forgetful" else 0.0,
        "unidentified": "introduce" if rng.random() < (0.2 if flavour == "forgetful" else 0.7) else "dead-letter",
        "anonymous": rng.choice(("skip", "forward")),
        "in_flight_max": rng.choice((1, 2, 4, 16)),
        "batch_events_max": rng.choice((1, 2, 3, 8, 100)),
        "batch_bytes_max": rng.choice((300, 900, 450_000)),
        "request_timeout_seconds": rng.uniform(1, 5),
        "buffer_events_max": rng.choice((6, 12, 40, 200)) if not is_roomy else 200,
        "buffer_bytes_max": rng.choice((4_000, 100_000)) if not is_roomy else 100_000,
        "commit_interval_seconds": rng.uniform(0.1, 2),
        "uncommitted_events_max": rng.choice((4, 20, 10_000)),
        "drain_seconds": rng.uniform(0.1, 4),
        "give_up_seconds": rng.uniform(0.5, 1.5) if flavour == "stubborn" else rng.choice((2.0, 900.0)),
        "dead_letter_ratio_max": rng.choice((0.2, 0.5)),
        "fetch_records_max": {"flood": 100, "forgetful": 2}.get(flavour) or rng.choice((3, 10, 100)),
    }
