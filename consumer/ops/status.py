"""Snapshot → /status: all of it, for people and scripts. Pure."""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from operator import attrgetter
from typing import Any, Final

from consumer.ops.causes import findings
from consumer.ops.growth_note import note as grown_note
from consumer.ops.health import readiness_now
from consumer.ops.key_note import note as keyed_note
from consumer.ops.partition_view import PartitionView, Waits
from consumer.ops.snapshot import Snapshot
from consumer.ops.wall_time import iso
from consumer.ops.why import first_line, of_lane, of_partition, of_partitions
from consumer.sequencing.accounting import End
from consumer.sequencing.pauses import PauseOrder
from consumer.sequencing.waiting import Waiting

WAITS: Final = tuple(one.name for one in fields(Waits))
_of_waits: Final = attrgetter(*WAITS)


def _notes(snapshot: Snapshot) -> list[str]:
    """What somebody should know who looks, though nothing is wrong."""
    said = (grown_note(snapshot.grown, has_rate=snapshot.rate is not None), keyed_note(snapshot.keyed))
    return [text for text in said if text]


def status(snapshot: Snapshot, wall_seconds: float, monotonic_seconds: float) -> dict[str, Any]:
    """What /status says of the loop, as JSON values. Nothing in it is masked yet: see overview.py."""
    health = readiness_now(snapshot, monotonic_seconds)
    found = findings(snapshot)
    reasons = of_partitions(found)
    return {
        "first": first_line(health, found, snapshot),
        "status": health.status,
        "reasons": health.reasons,
        "causes": sorted({finding.cause.value for finding in found}),
        "notes": _notes(snapshot),
        "pause": _pause(snapshot.pause),
        "destination": {
            "state": snapshot.destination_state.value,
            "reason": snapshot.destination_reason,
            "closed_seconds": round(snapshot.destination_closed_seconds, 1),
        },
        "rate": None if snapshot.rate is None else asdict(snapshot.rate),
        "topics": dict(snapshot.topic_partitions),
        "partitions": [
            _partition(view, wall_seconds, monotonic_seconds)
            | {"why": reasons.get(view.partition) or of_partition(view, snapshot)}
            for view in snapshot.partitions
        ],
        "standby": None if snapshot.state.standby is None else snapshot.state.standby._asdict(),
        "events": {
            "consumed": dict(snapshot.consumed),
            "unfinished": snapshot.unfinished,
            "finished": {
                end.value: {_name(reason): n for (e, reason), n in snapshot.finished.items() if e is end} for end in End
            },
            "held": {
                "events": snapshot.held_events,
                "users": snapshot.held_users,
                "cut_short": snapshot.holds_cut_short,
            },
            "introductions": snapshot.introductions,
        },
        "keyed": dict(snapshot.keyed),
        "rules": [
            {"setting": setting, "rule": rule, "matched": matched}
            for (setting, rule), matched in snapshot.rules_matched.items()
        ],
        "users_retrying": snapshot.users_retrying,
        "waiting": [
            _waiting(one, snapshot, wall_seconds - monotonic_seconds) | {"why": of_lane(one, snapshot)}
            for one in snapshot.waiting
        ],
        "buffer_events": snapshot.buffer_events,
        "buffer_events_limit": snapshot.buffer_events_limit,
        "paused": dict(snapshot.paused),
        "requests_in_flight": snapshot.in_flight,
        "requests_in_flight_limit": snapshot.in_flight_limit,
    }


def _pause(pause: PauseOrder | None) -> dict[str, Any] | None:
    if pause is None:
        return None
    return {"by": pause.by, "since": iso(pause.at_ms / 1000), "reason": pause.reason}


def _partition(view: PartitionView, wall_seconds: float, monotonic_seconds: float) -> dict[str, Any]:
    headroom = view.retention_headroom_seconds(wall_seconds)
    return {
        "topic": view.partition.topic,
        "partition": view.partition.number,
        "is_ours": view.is_ours,
        "committed_offset": view.committed_offset,
        "position": view.position,
        "end_offset": view.end_offset,
        "lag_events": view.lag_events,
        "lag_seconds": view.lag_seconds(wall_seconds),
        "unfinished": view.unfinished,
        "unfinished_seconds": view.unfinished_seconds(monotonic_seconds),
        "unmoved_seconds": view.unmoved_seconds,
        "retention_headroom_seconds": None if math.isinf(headroom) else headroom,
        "restoring": view.restoring,
        "restore_remaining": view.restore_remaining,
        "identified_users": view.identified_users,
        "problem": None if view.stopped is None else view.stopped.reason,
        "waits": dict(zip(WAITS, _of_waits(view.waits), strict=True)),
    }


def _waiting(waiting: Waiting, snapshot: Snapshot, wall_offset_seconds: float) -> dict[str, Any]:
    """A lane. Its user is named by a pseudonym, which `customfit-consumer user` takes, too."""

    def wall(moment: float | None) -> str | None:
        if moment is None:
            return None
        return iso(moment + wall_offset_seconds)

    return {
        "kind": waiting.kind,
        "topic": waiting.partition.topic,
        "partition": waiting.partition.number,
        "offset": waiting.offset,
        "user": snapshot.pseudonyms.of(waiting.user),
        "since": wall(waiting.since),
        "attempts": waiting.attempts,
        "last_answer": waiting.last_answer,
        "next_try": wall(waiting.next_try_at),
        "failing_seconds": round(waiting.failing_seconds, 1),
        "given_up": wall(waiting.given_up_at),
    }


def _name(reason: Any) -> str:
    return "ok" if reason is None else str(reason.value)
