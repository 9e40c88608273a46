"""What GET /users/{pseudonym} says: what waits of a user here, and why. Pure; no id stands in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consumer.ops.snapshot import Snapshot
from consumer.ops.wall_time import iso
from consumer.ops.why_waiting import count_of_events, sentence, unread
from consumer.sequencing.user_waits import UserWaits

IdentifiedAt = Mapping[str, Mapping[int, int]]
"""Destination → partition → when, in milliseconds."""


@dataclass(slots=True, frozen=True)
class Found:
    """What is known here of the user behind a pseudonym."""

    pseudonym: str
    group: str
    destination: str
    waits: Sequence[UserWaits] = ()
    is_known: bool = False
    """They have nothing in hand, and are remembered as identified."""
    identified_at: IdentifiedAt | None = None
    """What the stored state says; None: it was not asked, since nobody here has the id, or has not answered."""


def user_answer(found: Found, snapshot: Snapshot, wall_seconds: float, monotonic_seconds: float) -> dict[str, Any]:
    """What is known here of one user's events, as JSON values."""
    now, offset = monotonic_seconds, wall_seconds - monotonic_seconds
    not_read = [
        {"topic": view.partition.topic, "partition": view.partition.number, **why._asdict()}
        for view in snapshot.partitions
        if (why := unread(view, snapshot)) is not None
    ]
    return {
        "user": found.pseudonym,
        "now": iso(wall_seconds),
        "group": found.group,
        "destination": found.destination,
        "text": _first_line(found.waits, is_all_read=not not_read),
        "here": bool(found.waits),
        "identified": _identified(found),
        "recorded": all(one.is_recorded for one in found.waits) if found.waits else None,
        "identified_at": None if found.identified_at is None else _times(found.identified_at),
        "waits": [_waits(one, snapshot, offset, now) for one in found.waits],
        "unread": not_read,
    }


def _first_line(waits: Sequence[UserWaits], *, is_all_read: bool) -> str:
    if not waits:
        told = "nothing of theirs is here"
        return told if is_all_read else f"{told}, as far as it is read; records that are not read yet may be theirs"
    events = sum(one.request_events + one.events_behind for one in waits)
    if not events:
        return "all of theirs here is answered, and waits to be recorded"
    return f"{count_of_events(events)} of theirs {'waits' if events == 1 else 'wait'} here"


def _identified(found: Found) -> bool | None:
    """None: nobody here knows, or they were not looked up and the stored state has not answered now either."""
    stored = found.identified_at is not None and found.identified_at.get(found.destination)
    if found.is_known or stored or any(one.identified for one in found.waits):
        return True
    is_told = found.identified_at is not None or all(one.identified is not None for one in found.waits)
    return False if is_told and found.waits else None


def _times(identified_at: IdentifiedAt) -> dict[str, dict[str, str]]:
    return {
        name: {str(number): iso(at_ms / 1000) for number, at_ms in sorted(partitions.items())}
        for name, partitions in identified_at.items()
    }


def _waits(one: UserWaits, snapshot: Snapshot, wall_offset_seconds: float, now: float) -> dict[str, Any]:
    def wall(moment: float | None) -> str | None:
        return None if moment is None else iso(moment + wall_offset_seconds)

    return {
        "topic": one.partition.topic,
        "partition": one.partition.number,
        "why": one.why.value,
        "text": sentence(one, snapshot, now),
        "identified": one.identified,
        "recorded": one.is_recorded,
        "request": one.request or None,
        "offset": one.offset,
        "request_events": one.request_events,
        "events_behind": one.events_behind,
        "unrecorded_events": one.unrecorded_events,
        "fetched": wall(one.since),
        "attempts": one.attempts,
        "first_failed": wall(one.first_failed_at),
        "last_answer": one.last_answer or None,
        "next_try": wall(one.next_try_at),
        "failing_seconds": round(one.failing_seconds, 1),
        "given_up": wall(one.given_up_at),
    }
