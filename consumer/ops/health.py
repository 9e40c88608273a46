"""Snapshot → alive? ready? Pure. Live never depends on Kafka or on the destination.

A restart fixes neither.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from consumer.ops.causes import NOT_READY, SILENT_SECONDS, findings
from consumer.ops.snapshot import Phase, Snapshot

LOOP_SILENT_SECONDS_MAX: Final = 60.0
"""After this the loop is not alive, and a restart is worth what it costs."""
LOOP_LATE_SECONDS: Final = 10.0
"""After this, what the loop said last is no longer taken for true. It turns once a second even if nothing happens."""
STUCK: Final = "stuck"
POLL_SILENT_SECONDS_MAX: Final = 120.0
"""The Kafka thread may have to wait for a drain. If it takes much longer, it hangs.

The broker's own limit is max.poll.interval (300 s).
"""


class Health(NamedTuple):
    """`ok` decides the status code. `reasons` are for people, and may be there even if it is ok (degraded)."""

    ok: bool
    status: str
    reasons: list[str]


def liveness(snapshot: Snapshot, polled_at: float, now: float) -> Health:
    """Whether the loop turns and the Kafka thread polls. `now`, `polled_at`: monotonic seconds.

    Before they run, the process may be waiting for Kafka. The start has a time-out of its own.
    """
    if snapshot.phase is Phase.STARTING:
        return Health(True, "alive", [])
    reasons = []
    if now - snapshot.taken_at > LOOP_SILENT_SECONDS_MAX:
        reasons.append(f"the loop has not turned for {now - snapshot.taken_at:.0f} s")
    if now - polled_at > POLL_SILENT_SECONDS_MAX:
        reasons.append(f"the Kafka thread has not polled for {now - polled_at:.0f} s")
    return Health(not reasons, STUCK if reasons else "alive", reasons)


def readiness_now(snapshot: Snapshot, now: float) -> Health:
    """Readiness, seen from outside of the loop, which can't say itself that it hangs. `now`: monotonic seconds.

    Before the loop runs, the process may wait for Kafka for as long as that takes.
    """
    silent_seconds = now - snapshot.taken_at
    if snapshot.phase is Phase.STARTING or silent_seconds <= LOOP_LATE_SECONDS:
        return readiness(snapshot)
    text = f"the loop has not turned for {silent_seconds:.0f} s; what is shown is as old as that"
    return Health(False, STUCK, [text, *readiness(snapshot).reasons])


def readiness(snapshot: Snapshot) -> Health:
    """Whether it does its work. In an outage of the destination it is `degraded` and ready: a restart would not help.

    The same holds for a pause, which somebody wants.
    """
    found = findings(snapshot)
    reasons = [finding.text for finding in found]
    if snapshot.phase is not Phase.RUNNING:
        return Health(False, snapshot.phase.value, [snapshot.phase.value, *reasons])
    if not snapshot.joined:
        return Health(False, "starting", ["the consumer group has not answered yet"])
    if any(finding.cause in NOT_READY for finding in found):
        return Health(False, "stopped", reasons)
    if not snapshot.is_pause_known:
        return Health(False, "starting", ["whether sending is paused is being read from the state topic", *reasons])
    ours = [view for view in snapshot.partitions if view.is_ours and view.partition.topic == snapshot.source_topic]
    if ours and all(0 < view.waits.start_seconds < SILENT_SECONDS for view in ours):
        return Health(False, "starting", ["where the partitions start is being asked for", *reasons])
    if ours and all(view.restoring and not view.waits.start_seconds for view in ours):
        names = ", ".join(str(view.partition) for view in ours)
        return Health(False, "restoring", [f"reading the state of {names}", *reasons])
    if snapshot.pause is not None:
        return Health(True, "paused", reasons)
    return Health(True, "degraded" if found else "ready", reasons)
