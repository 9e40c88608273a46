"""What is wrong now, if anything: finds each cause that readiness knows in the snapshot. Pure.

/readyz, /status, the log and the gauge customfit_degraded share this one list. Nothing is remembered: what is found is
true now. A partition that has something to do and does not move is always named, whether a cause is known or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from consumer.ops.partition_view import PartitionView
from consumer.ops.snapshot import Snapshot
from consumer.ops.wall_time import iso
from consumer.sequencing.events import Partition
from consumer.sequencing.gate import State
from consumer.sequencing.pauses import PauseOrder
from consumer.sequencing.stops import StopCause

UNMOVED_SECONDS: Final = 15.0
SILENT_SECONDS: Final = 10.0
"""How long the cluster, a transaction, a restore or a start may take: longer than a broker's restart."""
RECORD_SECONDS: Final = 5.0
FULL_SECONDS: Final = 5.0
"""How long users wait for a place among the requests in flight before that is called slow. A burst is over by then."""
ANSWER_SECONDS: Final = 1.0
"""An answer that takes this long is slow. CustomFit's usually take some 0.05 s, and our own part of that is less."""


class Cause(StrEnum):
    """The `cause` label of customfit_degraded."""

    DESTINATION_STOPPED = "destination_stopped"
    TOPIC_GONE = "topic_gone"
    TOPIC_MADE_AGAIN = "topic_made_again"
    PAUSED = "paused"
    PARTITION_STOPPED = "partition_stopped"
    DESTINATION_UNAVAILABLE = "destination_unavailable"
    DESTINATION_THROTTLED = "destination_throttled"
    DESTINATION_SLOW = "destination_slow"
    KAFKA_UNREACHABLE = "kafka_unreachable"
    ACCESS_DENIED = "access_denied"
    GROUP_SILENT = "group_silent"
    LEADER_MISSING = "leader_missing"
    START_UNKNOWN = "start_unknown"
    END_UNKNOWN = "end_unknown"
    RESTORING = "restoring"
    STATE_TOPIC = "state_topic"
    DEAD_LETTERS_NOT_WRITTEN = "dead_letters_not_written"
    RECEIPTS_NOT_WRITTEN = "receipts_not_written"
    RECORDS_NOT_WRITTEN = "records_not_written"
    REGISTRY = "registry"
    REGISTRY_NOT_SET = "registry_not_set"
    TRANSACTION_OPEN = "transaction_open"
    NO_PROGRESS = "no_progress"


MEANINGS: Final[Mapping[Cause, str]] = {
    Cause.DESTINATION_STOPPED: "A wrong key or URL; nothing is sent until it is fixed",
    Cause.TOPIC_GONE: "The source topic does not exist any longer",
    Cause.TOPIC_MADE_AGAIN: "The source topic was deleted and made again under its name",
    Cause.PAUSED: "Somebody has paused sending for the whole group",
    Cause.PARTITION_STOPPED: "A partition stands still until somebody acts",
    Cause.DESTINATION_UNAVAILABLE: "The destination does not accept requests",
    Cause.DESTINATION_THROTTLED: "The destination is throttled: it answers 429",
    Cause.DESTINATION_SLOW: "The destination answers too slowly for what arrives, so users wait",
    Cause.KAFKA_UNREACHABLE: f"Nothing was heard of the cluster for {SILENT_SECONDS:.0f} s",
    Cause.ACCESS_DENIED: "The cluster's access lists keep us from a topic or the group",
    Cause.GROUP_SILENT: "The group accepts no commits, so nothing is sent",
    Cause.LEADER_MISSING: "A partition of ours, or of its state, has no leader",
    Cause.START_UNKNOWN: "No broker says where a partition starts",
    Cause.END_UNKNOWN: "No broker says where a partition's log ends, so its lag is not known",
    Cause.RESTORING: "A partition waits until its state is read",
    Cause.STATE_TOPIC: "The state topic can't be written, read or made larger",
    Cause.DEAD_LETTERS_NOT_WRITTEN: "Dead letters can't be written",
    Cause.RECEIPTS_NOT_WRITTEN: "Receipts can't be written",
    Cause.RECORDS_NOT_WRITTEN: "State records, dead letters or receipts of a partition are not acknowledged",
    Cause.REGISTRY: "A partition waits for a schema that the registry does not give",
    Cause.REGISTRY_NOT_SET: "A partition holds Avro, and no schema registry is set",
    Cause.TRANSACTION_OPEN: "A producer's open transaction keeps records from being read",
    Cause.NO_PROGRESS: "A partition has something to do and does not move",
}
NOT_READY: Final = frozenset({Cause.DESTINATION_STOPPED, Cause.TOPIC_GONE, Cause.TOPIC_MADE_AGAIN})
"""For these /readyz answers 503: somebody has to act. For others it answers 200, since a restart would not help."""


class Finding(NamedTuple):
    """One thing that is wrong now."""

    cause: Cause
    text: str
    partition: Partition | None = None
    """Which partition it is about; None: all."""


def findings(snapshot: Snapshot) -> list[Finding]:
    """All that is wrong now, the worst first."""
    found = [*_of_orders(snapshot), *_of_destination(snapshot), *_of_topics(snapshot), *_of_edges(snapshot)]
    for view in snapshot.partitions:
        if view.is_ours:
            own = list(_of_partition(view, snapshot))
            found += own or _without_progress(view, snapshot)
    order = list(Cause)
    return sorted(found, key=lambda finding: order.index(finding.cause))


def paused_sentence(pause: PauseOrder) -> str:
    """Who has paused sending, since when, and why."""
    reason = f" because: {pause.reason}" if pause.reason else ""
    return f"paused by {pause.by or 'somebody'} since {iso(pause.at_ms / 1000)}{reason}"


def _of_orders(snapshot: Snapshot) -> Iterator[Finding]:
    if snapshot.pause is not None:
        yield Finding(Cause.PAUSED, paused_sentence(snapshot.pause))


def _of_destination(snapshot: Snapshot) -> Iterator[Finding]:
    state, reason = snapshot.destination_state, snapshot.destination_reason
    until = snapshot.destination_closed_seconds
    for_now = f"; nothing is sent for another {until:.0f} s" if until >= 1 else ""
    match state:
        case State.STOPPED:
            yield Finding(Cause.DESTINATION_STOPPED, f"the destination is stopped: {reason}{for_now}")
        case State.UNAVAILABLE:
            yield Finding(Cause.DESTINATION_UNAVAILABLE, f"the destination is unavailable: {reason}{for_now}")
        case State.THROTTLED:
            yield Finding(Cause.DESTINATION_THROTTLED, f"the destination is throttled: {reason}{for_now}")
        case State.DELIVERING:
            if for_now:
                yield Finding(Cause.DESTINATION_UNAVAILABLE, f"the destination is paused: {reason}{for_now}")
            elif is_slow(snapshot):
                text = (
                    f"the destination is slow: an answer takes {snapshot.answer_seconds:.1f} s, and others wait while "
                    f"as many requests as may be ({snapshot.in_flight_limit}) are in flight"
                )
                yield Finding(Cause.DESTINATION_SLOW, text)


def is_slow(snapshot: Snapshot) -> bool:
    """Whether the destination accepts what it is sent, but users wait because its answers take long."""
    return snapshot.full_seconds >= FULL_SECONDS and snapshot.answer_seconds >= ANSWER_SECONDS


def _of_topics(snapshot: Snapshot) -> Iterator[Finding]:
    for topic, partitions in snapshot.topic_partitions.items():
        if partitions is None and topic == snapshot.source_topic:
            yield Finding(
                Cause.TOPIC_GONE,
                f"the topic {topic} does not exist any longer; make it again, or set CUSTOMFIT_KAFKA_TOPIC and restart",
            )


def _of_edges(snapshot: Snapshot) -> Iterator[Finding]:
    if snapshot.kafka_silent_seconds >= SILENT_SECONDS:
        last = f"; last: {snapshot.kafka_problem}" if snapshot.kafka_problem else ""
        text = f"Kafka: nothing was heard for {snapshot.kafka_silent_seconds:.0f} s{last}"
        yield Finding(Cause.KAFKA_UNREACHABLE, text)
    for text in snapshot.denied:
        yield Finding(Cause.ACCESS_DENIED, text)
    if snapshot.state_problem:
        yield Finding(Cause.STATE_TOPIC, f"the state topic: {snapshot.state_problem}")
    if snapshot.group_problem:
        yield Finding(Cause.GROUP_SILENT, snapshot.group_problem)
    if snapshot.lost_seconds >= SILENT_SECONDS:
        lost = ", ".join(str(view.partition) for view in snapshot.partitions if not view.is_ours)
        text = f"the group took {lost} away {snapshot.lost_seconds:.0f} s ago and has given nothing since"
        yield Finding(Cause.GROUP_SILENT, text)
    if any(view.waits.record_seconds >= RECORD_SECONDS for view in snapshot.partitions):
        if snapshot.dead_letter_problem:
            text = f"dead letters can't be written: {snapshot.dead_letter_problem}"
            yield Finding(Cause.DEAD_LETTERS_NOT_WRITTEN, text)
        if snapshot.receipt_problem:
            text = f"receipts can't be written: {snapshot.receipt_problem}"
            yield Finding(Cause.RECEIPTS_NOT_WRITTEN, text)


def _of_partition(view: PartitionView, snapshot: Snapshot) -> Iterator[Finding]:
    """What is known to be wrong with this partition."""
    name, waits, partition = view.partition, view.waits, view.partition
    if view.stopped is not None:
        made_again = view.stopped.cause is StopCause.TOPIC_MADE_AGAIN
        cause = Cause.TOPIC_MADE_AGAIN if made_again else Cause.PARTITION_STOPPED
        yield Finding(cause, f"{name}: {view.stopped.reason}", partition)
        return
    if not waits.has_leader:
        yield Finding(Cause.LEADER_MISSING, f"{name} has no leader; it waits alone until a broker leads it", partition)
    if not waits.has_state_leader:
        text = f"{name}: its partition of the state topic has no leader; who is identified can't be recorded"
        yield Finding(Cause.LEADER_MISSING, text, partition)
    if waits.start_seconds >= SILENT_SECONDS and waits.has_leader:
        text = f"{name}: for {waits.start_seconds:.0f} s nobody has said where it starts; it is asked again"
        yield Finding(Cause.START_UNKNOWN, text, partition)
    if waits.end_seconds >= UNMOVED_SECONDS and waits.has_leader:
        text = f"{name}: for {waits.end_seconds:.0f} s nobody has said where its log ends; can its broker be reached?"
        yield Finding(Cause.END_UNKNOWN, text, partition)
    if view.restoring and waits.restoring_seconds >= SILENT_SECONDS:
        left = "" if view.restore_remaining is None else f", {view.restore_remaining} records to go"
        yield Finding(Cause.RESTORING, f"{name}: its state is being read{left}", partition)
    if waits.record_seconds >= RECORD_SECONDS and waits.has_state_leader:
        text = f"{name}: no state record, dead letter or receipt was acknowledged for {waits.record_seconds:.0f} s"
        yield Finding(Cause.RECORDS_NOT_WRITTEN, text, partition)
    if waits.schema and snapshot.registry_problem:
        text = f"the schema registry: {snapshot.registry_problem}; {name} waits for a schema"
        yield Finding(Cause.REGISTRY, text, partition)
    if waits.registry_not_set:
        text = (
            f"{name}: {waits.registry_not_set}, and no schema registry is set; the partition waits: set "
            "CUSTOMFIT_SCHEMA_REGISTRY_URL, or CUSTOMFIT_VALUE_FORMAT=json if the topic is JSON and such records are "
            "garbage, and restart"
        )
        yield Finding(Cause.REGISTRY_NOT_SET, text, partition)
    if waits.transaction_seconds >= SILENT_SECONDS:
        text = (
            f"{name}: an open transaction has kept {view.blocked_by_transaction} offsets from being read for "
            f"{waits.transaction_seconds:.0f} s; look for its producer with kafka-transactions.sh"
        )
        yield Finding(Cause.TRANSACTION_OPEN, text, partition)


def _without_progress(view: PartitionView, snapshot: Snapshot) -> list[Finding]:
    """It has something to do and does not move, whatever the reason.

    What a hold or one failing user explains is left out.
    """
    waits = view.waits
    if min(view.unmoved_seconds, snapshot.unpaused_seconds) < UNMOVED_SECONDS:
        return []
    # If something stood still for longer than a hold may last, a hold is not the reason.
    held = waits.held_events if view.unmoved_seconds < waits.hold_seconds + UNMOVED_SECONDS else 0
    explained = held + waits.retried_events
    is_read = view.unread_seconds < UNMOVED_SECONDS
    # Right after an outage nobody can tell yet which users fail alone.
    is_delivering = snapshot.destination_state is State.DELIVERING and snapshot.destination_seconds >= UNMOVED_SECONDS
    is_delivering = is_delivering or held >= view.unfinished
    if view.unfinished and explained >= view.unfinished and is_read and is_delivering:
        return []
    if snapshot.destination_state is State.DELIVERING and waits.answer_seconds >= UNMOVED_SECONDS:
        text = (
            f"{view.partition}: the destination is slow: for {waits.answer_seconds:.0f} s there has been no answer; "
            f"{view.unfinished} events in hand"
        )
        return [Finding(Cause.DESTINATION_SLOW, text, view.partition)]
    text = f"{view.partition}: no progress for {view.unmoved_seconds:.0f} s: {_why(view, snapshot)}"
    return [Finding(Cause.NO_PROGRESS, text, view.partition)]


def _why(view: PartitionView, snapshot: Snapshot) -> str:
    """The one reason that explains most."""
    waits = view.waits
    if snapshot.kafka_silent_seconds >= SILENT_SECONDS:
        return "Kafka does not answer"
    if destination := of_destination(snapshot):
        return destination
    if waits.start_seconds:
        return "where it starts is being asked for"
    if view.restoring:
        return "its state is being read"
    if waits.schema:
        return "it waits for a schema"
    if waits.commit_seconds >= RECORD_SECONDS:
        return f"no commit of it was acknowledged for {waits.commit_seconds:.0f} s"
    if waits.share:
        return "it is held to its share, since what it has is not finished"
    if waits.retried_events:
        return f"{waits.retried_events} events of users whose requests fail"
    if waits.held_events:
        return f"{waits.held_events} events are held for their users' identify"
    if is_held_back(snapshot):
        return str(snapshot.rate)
    if view.unfinished:
        return f"{view.unfinished} events in hand"
    return "there are records to read, and none is fetched"


def of_destination(snapshot: Snapshot) -> str:
    """What everybody waits for because of the destination, in short; empty while it accepts requests."""
    state = snapshot.destination_state
    if state is not State.DELIVERING:
        return f"the destination is {state.value}"
    return "the destination is slow" if is_slow(snapshot) else ""


def is_held_back(snapshot: Snapshot) -> bool:
    """Whether requests wait for our own rate limit, and for nothing else."""
    return snapshot.rate is not None and snapshot.rate.waiting_seconds > 0
