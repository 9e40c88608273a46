"""Every metric of ours: one row each, with its name, its help, its labels, and where its figures come from. Pure.

A gauge or a counter that is read from the snapshot is one row of FROM_SNAPSHOT, and the field of the snapshot that it
reads: rows of one scrape agree with each other (consumed = finished + unfinished). What the edges count is one row of
COUNTERS, and one call of `Metrics.count` where it happens.

Label values are closed sets and start at 0, so that `rate()` works from the first error on. No user id, event name,
URL or error text is ever a label; rules are, of which the settings have at most some hundred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from consumer.customfit.answers import RESULTS
from consumer.customfit.forwarding import NOT_FORWARDED
from consumer.ops.causes import Cause, findings
from consumer.ops.health import readiness_now
from consumer.ops.metric_kinds import (
    Counted,
    Durations,
    FromSnapshot,
    Now,
    Row,
    Samples,
    counted,
    flags,
    gauge,
    one_of,
    per_partition,
    total,
)
from consumer.ops.partition_view import PartitionView
from consumer.ops.snapshot import Phase, Rest, Snapshot
from consumer.ports.state_figures import StandbyFigures
from consumer.sequencing.gate import State
from consumer.sequencing.stops import StopCause

# ---------------------------------------------------------------------- read from the snapshot


def _consumed(snapshot: Snapshot, _: Now) -> Samples:
    return (((type_,), count) for type_, count in snapshot.consumed.items())


def _finished(snapshot: Snapshot, _: Now) -> Samples:
    for (end, reason), count in snapshot.finished.items():
        yield (end.value, "ok" if reason is None else reason.value), count


def _identified_users(snapshot: Snapshot, _: Now) -> Samples:
    """The topics that are read share the users of a partition number."""
    users: Counter[int] = Counter()
    for view in snapshot.partitions:
        users[view.partition.number] += view.identified_users
    return (((str(number),), count) for number, count in users.items())


def _restore_remaining(view: PartitionView, _: Now) -> float | None:
    return view.restore_remaining if view.restoring else 0


def _standby_behind(snapshot: Snapshot, _: Now) -> Samples:
    standby = snapshot.state.standby or StandbyFigures(behind_records=0)
    return [] if standby.behind_records is None else [((), standby.behind_records)]


def _destination_up(snapshot: Snapshot, _: Now) -> float:
    return snapshot.destination_state in (State.DELIVERING, State.THROTTLED)


def _per_topic(read: Callable[[Snapshot], Mapping[str, int]]) -> Callable[[Snapshot, Now], Samples]:
    return lambda snapshot, _: (((topic,), count) for topic, count in read(snapshot).items())


def _topic_partitions(snapshot: Snapshot) -> dict[str, int]:
    return {topic: partitions or 0 for topic, partitions in snapshot.topic_partitions.items()}


def _assigned(snapshot: Snapshot) -> Counter[str]:
    assigned = Counter(dict.fromkeys([snapshot.source_topic, *snapshot.topic_partitions], 0))
    assigned.update(view.partition.topic for view in snapshot.partitions if view.is_ours)
    return assigned


def _stopped(snapshot: Snapshot, _: Now) -> Samples:
    causes = [(cause, cause.value) for cause in StopCause]
    for view in snapshot.partitions:
        (topic, number), found = view.labels, None if view.stopped is None else view.stopped.cause
        for cause, name in causes:
            yield (topic, number, name), int(cause is found)


def _paused(snapshot: Snapshot, _: Now) -> Samples:
    return (((reason.value,), snapshot.paused.get(reason, 0)) for reason in Rest)


def _oldest_held_seconds(snapshot: Snapshot, now: Now) -> float:
    return 0.0 if snapshot.oldest_held_at is None else max(now.monotonic_seconds - snapshot.oldest_held_at, 0.0)


def _loop_silent_seconds(snapshot: Snapshot, now: Now) -> float:
    return 0.0 if snapshot.phase is Phase.STARTING else max(now.monotonic_seconds - snapshot.taken_at, 0.0)


def _ready(snapshot: Snapshot, now: Now) -> float:
    return readiness_now(snapshot, now.monotonic_seconds).ok


FROM_SNAPSHOT: Final = (
    gauge("customfit_ready", "1 exactly when /readyz answers 200", _ready),
    flags(
        "customfit_degraded",
        "1 for each cause for which /readyz does not say ready",
        "cause",
        [cause.value for cause in Cause],
        lambda shown, _: [finding.cause.value for finding in findings(shown)],
    ),
    one_of("customfit_phase", "1 for the phase that the process is in", "phase", Phase, lambda shown, _: shown.phase),
    FromSnapshot(
        "gauge",
        "customfit_topic_partitions",
        "Partitions of the topic; 0: it does not exist",
        ("topic",),
        _per_topic(_topic_partitions),
    ),
    FromSnapshot(
        "gauge",
        "customfit_partitions_assigned",
        "Partitions assigned to this member",
        ("topic",),
        _per_topic(_assigned),
    ),
    FromSnapshot(
        "gauge",
        "customfit_partition_stopped",
        "1 while the partition stands still until somebody acts",
        ("topic", "partition", "cause"),
        _stopped,
    ),
    FromSnapshot(
        "gauge", "customfit_paused", "Partitions that are not fetched, or not sent, by the reason", ("reason",), _paused
    ),
    per_partition(
        "customfit_oldest_unfinished_seconds",
        "How long the oldest uncommitted record has been there to be read, by this machine's clock",
        lambda view, now: view.unfinished_seconds(now.monotonic_seconds),
    ),
    per_partition(
        "customfit_blocked_by_transaction_events",
        "Offsets that can't be read because of an open transaction",
        lambda view, _: view.blocked_by_transaction,
    ),
    per_partition(
        "customfit_retention_headroom_seconds",
        "Time until retention may delete the oldest uncommitted record",
        lambda view, now: view.retention_headroom_seconds(now.wall_seconds),
    ),
    gauge(
        "customfit_users_retrying",
        "Users whose requests fail and are sent again",
        lambda shown, _: shown.users_retrying,
    ),
    gauge("customfit_oldest_held_seconds", "How long the oldest hold has lasted", _oldest_held_seconds),
    gauge("customfit_buffer_events", "Events fetched and kept in memory", lambda shown, _: shown.buffer_events),
    gauge("customfit_buffer_events_limit", "Most events kept in memory", lambda shown, _: shown.buffer_events_limit),
    gauge(
        "customfit_last_delivery_timestamp_seconds",
        "Unix time at which a request was last accepted; 0: none yet",
        lambda shown, _: shown.last_delivery_at,
    ),
    gauge(
        "customfit_last_commit_timestamp_seconds",
        "Unix time at which a commit was last accepted; 0: none yet",
        lambda shown, _: shown.last_commit_at,
    ),
    per_partition("customfit_lag_events", "High watermark minus committed offset", lambda view, _: view.lag_events),
    per_partition(
        "customfit_lag_seconds",
        "Age of the oldest uncommitted record, by its timestamp",
        lambda view, now: view.lag_seconds(now.wall_seconds),
    ),
    per_partition(
        "customfit_restore_remaining_records",
        "Records of the state topic that are still to be read",
        _restore_remaining,
    ),
    total(
        "customfit_restored_records",
        "Records of the state topic that were read to make this member's partitions ready",
        lambda shown, _: shown.state.restored_records,
    ),
    gauge(
        "customfit_standby_partitions",
        "Other members' partitions whose state is followed (CUSTOMFIT_STANDBY); 0: off, or all are ours",
        lambda shown, _: shown.state.standby.partitions if shown.state.standby else 0,
    ),
    FromSnapshot(
        "gauge",
        "customfit_standby_behind_records",
        "Records of these partitions that are not copied yet; absent while that is not known",
        (),
        _standby_behind,
    ),
    total(
        "customfit_standby_records",
        "Records of these partitions that were copied",
        lambda shown, _: shown.state.standby.records if shown.state.standby else 0,
    ),
    FromSnapshot(
        "gauge", "customfit_identified_users", "Users stored as identified", ("partition",), _identified_users
    ),
    FromSnapshot("counter", "customfit_events_consumed", "Events fetched", ("type",), _consumed),
    FromSnapshot("counter", "customfit_events_finished", "Events by how they ended", ("outcome", "reason"), _finished),
    FromSnapshot(
        "counter",
        "customfit_records_keyed",
        "Records with an event, by their key: the id of its user, another one, or none",
        ("key",),
        lambda shown, _: (((key,), count) for key, count in shown.keyed.items()),
    ),
    gauge(
        "customfit_rekeyed",
        "1 with CUSTOMFIT_REKEYED=true: what is read is what `rekey` writes",
        lambda shown, _: shown.rekeyed,
    ),
    FromSnapshot(
        "counter",
        "customfit_filter_matched",
        "How often each rule of CUSTOMFIT_EVENTS_ALLOW, _DENY and CUSTOMFIT_PROPERTIES_DROP, _HASH has matched",
        ("setting", "rule"),
        lambda shown, _: shown.rules_matched.items(),
    ),
    gauge("customfit_events_unfinished", "Events fetched and not finished", lambda shown, _: shown.unfinished),
    total("customfit_introductions", "Identifies made by the consumer itself", lambda shown, _: shown.introductions),
    total(
        "customfit_hold_cut_short",
        "Holds ended early because held events filled half of the buffer",
        lambda shown, _: shown.holds_cut_short,
    ),
    gauge("customfit_held_events", "Events that wait for their user's identify", lambda shown, _: shown.held_events),
    gauge("customfit_held_users", "Users whose events wait for their identify", lambda shown, _: shown.held_users),
    gauge("customfit_requests_in_flight", "Requests that wait for their answer", lambda shown, _: shown.in_flight),
    gauge(
        "customfit_requests_in_flight_limit",
        "Current limit on concurrent requests",
        lambda shown, _: shown.in_flight_limit,
    ),
    gauge(
        "customfit_rate_limit",
        "Requests a second that the whole group may start, CUSTOMFIT_REQUESTS_PER_SECOND_MAX; 0: no limit",
        lambda shown, _: shown.rate.limit if shown.rate else 0,
    ),
    gauge(
        "customfit_rate_share",
        "This member's part of customfit_rate_limit, by its partitions",
        lambda shown, _: shown.rate.share if shown.rate else 0,
    ),
    total(
        "customfit_rate_wait_seconds",
        "Time in which requests waited for customfit_rate_limit, and for nothing else",
        lambda shown, _: shown.rate.waited_seconds if shown.rate else 0,
    ),
    total(
        "customfit_loop_cpu_seconds",
        "CPU time of the loop's thread; if it grows by 1 s a second, the loop is the limit",
        lambda shown, _: shown.loop_cpu_seconds,
    ),
    gauge(
        "customfit_loop_silent_seconds",
        "How long the loop has not turned, which it does at least once a second; above 60 /livez answers 503",
        _loop_silent_seconds,
    ),
    gauge("customfit_destination_up", "1 delivering, 0 stopped or unavailable", _destination_up),
    one_of(
        "customfit_destination_state",
        "1 for the state that the destination is in",
        "state",
        State,
        lambda shown, _: shown.destination_state,
    ),
)

# ---------------------------------------------------------------------- counted by the edges

ERROR_KINDS: Final[dict[str, tuple[str, ...]]] = {
    "decode": ("undecodable", "invalid_event", "too_large", "registry"),
    "deliver": ("refused", "gave_up", "unavailable", "misdirected"),
    "dead_letter": ("value_omitted", "not_written", "ratio"),
    "receipt": ("not_written",),
    "state": (
        *("not_written", "not_stored", "not_read", "not_grown", "not_followed", "set_aside", "unknown_record"),
        *("standby_not_read", "standby_not_stored"),
    ),
    "commit": ("failed", "metadata"),
    "kafka": ("client", "partition", "denied"),
}
"""Kinds of errors by the stage where they happen."""

REQUESTS: Final = counted("customfit_requests", "Requests to the destination", result=RESULTS)
ERRORS: Final = Counted(
    "customfit_errors",
    "Errors by stage and kind",
    ("stage", "kind"),
    tuple((stage, kind) for stage, kinds in ERROR_KINDS.items() for kind in kinds),
)
REBALANCES: Final = counted("customfit_rebalances", "Rebalance callbacks", event=("assigned", "revoked", "lost"))
COMMITS: Final = counted("customfit_commits", "Offset commits", result=("ok", "error"))
SURROGATES_REPLACED: Final = counted(
    "customfit_surrogates_replaced", "Halves of surrogate pairs in traits and properties, sent as U+FFFD"
)
HEADERS_NOT_FORWARDED: Final = counted(
    "customfit_headers_not_forwarded",
    "Headers of CUSTOMFIT_FORWARD_HEADERS that were left out of a request, by what is wrong with their value",
    reason=NOT_FORWARDED,
)
COUNTERS: Final = (REQUESTS, ERRORS, REBALANCES, COMMITS, SURROGATES_REPLACED, HEADERS_NOT_FORWARDED)

REQUEST_SECONDS: Final = Durations(
    "customfit_request_duration_seconds",
    "From sending a request to its answer",
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
LATENCY_SECONDS: Final = Durations(
    "customfit_delivery_latency_seconds",
    "From an event's record timestamp to its 2xx",
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600),
)
HISTOGRAMS: Final = (REQUEST_SECONDS, LATENCY_SECONDS)

BUILD_INFO: Final = Row(
    "customfit_build_info", "gauge", ("version", "python", "librdkafka"), "Always 1; the versions are in the labels"
)


def rows() -> list[Row]:
    """A row of the documentation for each metric, in the order of this file."""
    shown = [Row(_shown(metric.name, metric.kind), metric.kind, metric.labels, metric.help) for metric in FROM_SNAPSHOT]
    shown += [Row(_shown(metric.name, "counter"), "counter", metric.labels, metric.help) for metric in COUNTERS]
    shown += [Row(metric.name, "histogram", (), metric.help) for metric in HISTOGRAMS]
    return [*shown, BUILD_INFO]


def _shown(name: str, kind: str) -> str:
    return f"{name}_total" if kind == "counter" else name
