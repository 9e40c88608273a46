"""Why a user's events wait, in sentences; and why there may be more that nobody has read yet. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from consumer.ops.causes import SILENT_SECONDS, UNMOVED_SECONDS, paused_sentence
from consumer.ops.partition_view import PartitionView
from consumer.ops.snapshot import Rest, Snapshot
from consumer.sequencing.user_waits import UserWaits, Why

_ALWAYS_THE_SAME: Final[Mapping[Why, str]] = {
    Why.GIVEN_BACK: "the partition is being given back; its next owner goes on",
    Why.LOOK_UP: "the stored state is being asked whether they are identified",
    Why.EARLIER_REQUEST: "a request sent before the partition went and came back is not answered yet",
    Why.COMMITS: "nothing more is sent until a commit, or what is being written, is acknowledged",
    Why.RECORD: "all of theirs is answered; the state topic has yet to acknowledge what is known of them",
}


def sentence(waits: UserWaits, snapshot: Snapshot, now: float) -> str:
    """For one user in one partition: what is waited for, which attempt, the last answer, how much is behind it."""
    parts = [_why(waits, snapshot, now)]
    if waits.attempts and waits.last_answer:
        attempts = "1 attempt" if waits.attempts == 1 else f"{waits.attempts} attempts"
        since = "" if waits.first_failed_at is None else f" in {now - waits.first_failed_at:.0f} s"
        parts.append(f"{attempts}{since}, last answer {waits.last_answer}")
    if waits.given_up_at is not None:
        parts.append(f"given up in {_left(waits.given_up_at, now)} if others go on succeeding")
    if waits.events_behind:
        parts.append(f"{count_of_events(waits.events_behind)} behind it")
    return "; ".join(parts)


def _why(waits: UserWaits, snapshot: Snapshot, now: float) -> str:
    left = "" if waits.next_try_at is None else _left(waits.next_try_at, now)
    match waits.why:
        case Why.PARTITION_STOPPED:
            return f"the partition has stopped: {waits.reason}"
        case Why.HOLD:
            return f"held until an identify of theirs comes, for another {left} at most"
        case Why.IN_FLIGHT:
            return f"{_request(waits)} is under way"
        case Why.RETRY:
            return f"{_request(waits)} is tried again in {left}"
        case Why.GROUP_SILENT:
            return snapshot.group_problem or "the group has yet to accept a commit of the partition"
        case Why.RATE:
            return f"it is not their turn yet: {snapshot.rate}"
        case Why.PAUSED:
            unknown = "whether sending is paused is being read from the state topic"
            return unknown if snapshot.pause is None else f"sending is {paused_sentence(snapshot.pause)}"
        case Why.QUEUED:
            return f"it is not their turn yet: {snapshot.in_flight} requests are in flight"
        case Why.DESTINATION_STOPPED | Why.DESTINATION_UNAVAILABLE | Why.DESTINATION_THROTTLED:
            return _destination(waits, left)
        case _:
            return _ALWAYS_THE_SAME[waits.why]


def _request(waits: UserWaits) -> str:
    match waits.request:
        case "introduction":
            return "an identify with nothing but their id"
        case "events":
            return f"a request with {count_of_events(waits.request_events)}"
        case name:
            return f"their {name}"


def _destination(waits: UserWaits, left: str) -> str:
    state = waits.why.value.removeprefix("destination_")
    told = f"the destination is {state}: {waits.reason}"
    if waits.why is Why.DESTINATION_THROTTLED:
        return f"{told}; nothing is sent for another {left}" if left else f"{told}; fewer requests are sent at once"
    return f"{told}; the next try, theirs or another user's, is in {left}" if left else told


class Unread(NamedTuple):
    """Why records of a partition are not read yet."""

    why: str
    """A cause of readiness, or a reason for a rest, if there is one."""
    text: str


def unread(view: PartitionView, snapshot: Snapshot) -> Unread | None:
    """Why records of it are not read yet, which may be anybody's. None: all are read, or it is not ours."""
    if not view.is_ours:
        return None
    waits = view.waits
    if view.stopped is not None:
        return Unread("partition_stopped", f"it has stopped: {view.stopped.reason}")
    if not waits.has_leader:
        return Unread("leader_missing", "it has no leader")
    if view.committed_offset is None or waits.start_seconds:
        return Unread("start_unknown", "where it starts is being asked for")
    if view.restoring:
        left = "" if view.restore_remaining is None else f", {view.restore_remaining} records to go"
        return Unread("restoring", f"its state is being read{left}")
    if waits.registry_not_set:
        return Unread("registry_not_set", f"{waits.registry_not_set}, and no schema registry is set")
    if waits.schema:
        problem = f"; the registry: {snapshot.registry_problem}" if snapshot.registry_problem else ""
        return Unread("schema", f"its next record waits for a schema, or for room in the buffer{problem}")
    end = view.end_offset if view.stable_offset is None else view.stable_offset
    if end is not None and end > view.position:
        return Unread("behind", f"{end - view.position} records are to be read{_when(view, snapshot)}")
    if snapshot.kafka_silent_seconds >= SILENT_SECONDS:
        silent = f"{snapshot.kafka_silent_seconds:.0f} s"
        return Unread("kafka_unreachable", f"nothing was heard of Kafka for {silent}, so there may be more to read")
    if end is None or waits.end_seconds >= UNMOVED_SECONDS:
        return Unread("end_unknown", "where it ends is being asked for, so there may be more to read")
    if view.blocked_by_transaction:
        told = f"an open transaction keeps {view.blocked_by_transaction} offsets from being read"
        return Unread("transaction_open", told)
    return None


def _when(view: PartitionView, snapshot: Snapshot) -> str:
    if view.waits.share:
        return ", when what it has in hand is finished"
    if snapshot.paused.get(Rest.BUFFER):
        return ", when there is room in the buffer"
    return ", when a commit is acknowledged" if snapshot.paused.get(Rest.COMMITS) else ""


def count_of_events(count: int) -> str:
    """For a sentence."""
    return "1 event" if count == 1 else f"{count} events"


def _left(moment: float, now: float) -> str:
    return f"{max(moment - now, 0):.0f} s"
