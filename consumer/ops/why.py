"""Why something waits, in one short sentence: the process as a whole, a partition, a lane. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from consumer.ops.advice import DO, DO_WHEN_STUCK, RUNBOOK_WHEN_STUCK, runbook
from consumer.ops.causes import Finding, is_held_back, of_destination, paused_sentence
from consumer.ops.health import STUCK, Health
from consumer.ops.partition_view import PartitionView
from consumer.ops.snapshot import Rest, Snapshot
from consumer.sequencing.events import Partition
from consumer.sequencing.gate import State
from consumer.sequencing.waiting import Waiting


def first_line(health: Health, found: Sequence[Finding], snapshot: Snapshot) -> dict[str, Any]:
    """The first reason of /readyz, and what to do about it; or that all is well."""
    text = health.reasons[0] if health.reasons else _well(snapshot)
    if found and found[0].text == text:
        cause = found[0].cause
        return {"cause": cause.value, "text": text, "do": DO[cause], "runbook": runbook(cause)}
    if health.status == STUCK:
        return {"cause": None, "text": text, "do": DO_WHEN_STUCK, "runbook": RUNBOOK_WHEN_STUCK}
    return {"cause": None, "text": text, "do": "", "runbook": ""}


def of_partitions(found: Iterable[Finding]) -> dict[Partition, str]:
    """For each partition with a problem: the worst of its problems, without its name."""
    reasons: dict[Partition, str] = {}
    for finding in found:
        if finding.partition is not None:
            reasons.setdefault(finding.partition, finding.text.removeprefix(f"{finding.partition}: "))
    return reasons


def of_partition(view: PartitionView, snapshot: Snapshot) -> str:
    """What a partition waits for although nothing is wrong with it; empty: it waits for nothing."""
    waits = view.waits
    if not view.is_ours:
        return "it was ours until the group took it away, and may be another member's by now"
    if waits.start_seconds:
        return "where it starts is being asked for"
    if view.restoring:
        left = "" if view.restore_remaining is None else f", {view.restore_remaining} records to go"
        return f"its state is being read{left}"
    if for_all := _what_all_wait_for(snapshot):
        return for_all if view.unfinished or view.lag_events else ""
    if waits.schema:
        return "its next record waits for a schema, or for room in the buffer"
    if waits.share:
        return "it is held to its share, since what it has is not finished"
    if snapshot.paused.get(Rest.COMMITS):
        return "nothing is fetched until more is committed"
    if snapshot.paused.get(Rest.BUFFER):
        return "nothing is fetched until there is room in the buffer"
    if view.blocked_by_transaction:
        return f"an open transaction keeps {view.blocked_by_transaction} offsets from being read"
    return _of_events(view, snapshot)


def _of_events(view: PartitionView, snapshot: Snapshot) -> str:
    waits = view.waits
    if view.unfinished and is_held_back(snapshot):
        return str(snapshot.rate)
    if waits.retried_events:
        return f"{waits.retried_events} events of users whose requests are tried again"
    if waits.held_events:
        return f"{waits.held_events} events wait for their users' identify"
    return ""


def _what_all_wait_for(snapshot: Snapshot) -> str:
    if snapshot.pause is not None:
        return paused_sentence(snapshot.pause)
    return of_destination(snapshot)


def of_lane(waiting: Waiting, snapshot: Snapshot) -> str:
    """Why a lane waits, in words. Its attempts, the last answer and the next try are shown beside it."""
    if waiting.kind == "held":
        return "it waits for its user's identify"
    if snapshot.pause is not None:
        return "nothing is sent while sending is paused"
    if snapshot.destination_state is State.STOPPED:
        return "nothing is sent while the destination is stopped"
    if waiting.next_try_at is None:
        return "its request failed; it is being sent again, or waits for its partition"
    return "its request failed, and is sent again"


def _well(snapshot: Snapshot) -> str:
    ours = [view for view in snapshot.partitions if view.is_ours and view.partition.topic == snapshot.source_topic]
    if not ours:
        return "ready: no partition is this member's; it takes over when another one leaves"
    doing = [
        _retrying(snapshot.users_retrying),
        f"{snapshot.held_events} events wait for their users' identify" if snapshot.held_events else "",
        f"{snapshot.unfinished} events in hand" if snapshot.unfinished else "",
        str(snapshot.rate) if is_held_back(snapshot) else "",
    ]
    partitions = "1 partition" if len(ours) == 1 else f"{len(ours)} partitions"
    return f"ready: {partitions}, {', '.join(filter(None, doing)) or 'nothing waits'}"


def _retrying(users: int) -> str:
    if users == 1:
        return "a request of one user is tried again"
    return f"requests of {users} users are tried again" if users else ""
