"""Snapshot → alive? ready? what to show. Pure. Live never depends on Kafka or on the destination.

A restart fixes neither.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from consumer.ops.snapshot import PartitionView, Phase, Snapshot
from consumer.sequencing.accounting import End
from consumer.sequencing.gate import State

LOOP_SILENT_SECONDS_MAX: Final = 60.0
POLL_SILENT_SECONDS_MAX: Final = 120.0
"""The Kafka thread may wait for a drain; much longer and it hangs.

The broker's own limit is max.poll.interval (300 s).
"""


class Health(NamedTuple):
    """`ok` decides the status code; `reasons` are for people, also when it is ok (degraded)."""

    ok: bool
    status: str
    reasons: list[str]


def liveness(snapshot: Snapshot, polled_at: float, now: float) -> Health:
    """Whether the loop turns and the Kafka thread polls. `now`, `polled_at`: monotonic seconds."""
    reasons = []
    if now - snapshot.taken_at > LOOP_SILENT_SECONDS_MAX:
        reasons.append(f"the loop has not turned for {now - snapshot.taken_at:.0f} s")
    if now - polled_at > POLL_SILENT_SECONDS_MAX:
        reasons.append(f"the Kafka thread has not polled for {now - polled_at:.0f} s")
    return Health(not reasons, "stuck" if reasons else "alive", reasons)


def readiness(snapshot: Snapshot) -> Health:
    """Whether it does its work. An outage of the destination is `degraded` and ready: a restart would not help."""
    if snapshot.phase is not Phase.RUNNING:
        return Health(False, snapshot.phase.value, [f"{snapshot.phase.value}"])
    if not snapshot.joined:
        return Health(False, "starting", ["the consumer group has not answered yet"])
    restoring = [str(view.partition) for view in snapshot.partitions if view.restoring]
    if restoring:
        problem = [snapshot.state_problem] if snapshot.state_problem else []
        return Health(False, "restoring", [f"reading the state of {', '.join(restoring)}", *problem])
    if snapshot.destination_state is State.STOPPED:
        return Health(False, "stopped", [f"the destination is stopped: {snapshot.destination_reason}"])
    reasons = [f"{view.partition}: {view.problem}" for view in snapshot.partitions if view.problem]
    if snapshot.destination_state is not State.DELIVERING:
        reasons.append(f"the destination is {snapshot.destination_state.value}: {snapshot.destination_reason}")
    if snapshot.kafka_problem:
        reasons.append(f"Kafka: {snapshot.kafka_problem}")
    reasons += snapshot.denied
    if snapshot.state_problem:
        reasons.append(f"the state topic: {snapshot.state_problem}")
    if snapshot.group_problem:
        reasons.append(snapshot.group_problem)
    if snapshot.registry_problem and snapshot.awaiting_schemas:
        waiting = ", ".join(map(str, snapshot.awaiting_schemas))
        reasons.append(f"the schema registry: {snapshot.registry_problem}; {waiting} wait for a schema")
    if snapshot.dead_letter_problem:
        reasons.append(f"dead letters can't be written: {snapshot.dead_letter_problem}")
    return Health(True, "degraded" if reasons else "ready", reasons)


def status(snapshot: Snapshot, wall_seconds: float) -> dict[str, Any]:
    """/status: all of it, for people and scripts."""
    health = readiness(snapshot)
    return {
        "status": health.status,
        "reasons": health.reasons,
        "destination": {"state": snapshot.destination_state.value, "reason": snapshot.destination_reason},
        "partitions": [_partition(view, wall_seconds) for view in snapshot.partitions],
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
        "requests_in_flight": snapshot.in_flight,
        "requests_in_flight_limit": snapshot.in_flight_limit,
    }


def _partition(view: PartitionView, wall_seconds: float) -> dict[str, Any]:
    return {
        "topic": view.partition.topic,
        "partition": view.partition.number,
        "committed_offset": view.committed_offset,
        "position": view.position,
        "end_offset": view.end_offset,
        "lag_events": view.lag_events,
        "lag_seconds": view.lag_seconds(wall_seconds),
        "unfinished": view.unfinished,
        "restoring": view.restoring,
        "restore_remaining": view.restore_remaining,
        "identified_users": view.identified_users,
        "problem": view.problem,
    }


def _name(reason: Any) -> str:
    return "ok" if reason is None else str(reason.value)
