"""What goes wrong is grouped by what it is: how often, since when, and the last words."""

from __future__ import annotations

from consumer.ops.error_groups import KEPT_CHARACTERS_MAX, ErrorGroups
from consumer.ops.metrics import Metrics
from consumer.ops.metrics_table import ERROR_KINDS
from consumer.ops.reporter import Reporter
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Event, Kind, Misdirected, Partition, Record, Unavailable, User
from consumer.sequencing.lanes import Delivery, Lane
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.rule import DeliveryKind
from consumer.sequencing.stops import StopCause, Stopped
from tests.ops.given_snapshot import snapshot


def test_errors_of_a_kind_are_one_group() -> None:
    """With its count, its first and last time and the last text; the newest group first."""
    groups = ErrorGroups()
    groups.note("deliver", "unavailable", "503", 10.0)
    groups.note("commit", "failed", "no coordinator", 20.0)
    groups.note("deliver", "unavailable", "502", 30.0)

    assert [
        ("deliver", "unavailable", (2, 10.0, 30.0, "502")),
        ("commit", "failed", (1, 20.0, 20.0, "no coordinator")),
    ] == groups.latest()


def test_of_a_long_text_a_part_is_kept() -> None:
    """A server may say as much as it likes."""
    groups = ErrorGroups()
    groups.note("deliver", "unavailable", "x" * 10**6, 0.0)

    assert KEPT_CHARACTERS_MAX == len(groups.latest()[0][2].text)


def test_what_the_metric_counts_has_words() -> None:
    """Each error that is counted is in a group of the same stage and kind, with what was said of it."""
    reporter = Reporter(Metrics(snapshot), "letters")
    partition = Partition("t", 1)
    reporter.registry_problem("503 from the registry")
    event = Event(Record(partition, 7, 0, None, b"{}", None), Kind.TRACK, User("ann"), "id", "")
    request = Delivery(Lane(Assignment(partition, OffsetTracker(0)), User("ann"), True), DeliveryKind.EVENTS, [event])
    reporter.not_delivered(Misdirected(401), request)
    reporter.not_delivered(Unavailable("503"), request)
    reporter.committed("no coordinator")
    reporter.metadata_ignored(partition)
    reporter.kafka_problem("_TRANSPORT", "connection refused")
    reporter.access_denied("t", "the right to Read is missing")
    reporter.partition_failed(partition, "out of range", "reset it")
    reporter.stopped(partition, Stopped(StopCause.DEAD_LETTER_RATIO, "too many"))
    reporter.state_problem("not_stored", "disk full")
    reporter.dead_letter_failed("not_written", "no leader")
    shown = {(stage, kind): group.text for stage, kind, group in reporter.errors.latest()}

    assert {
        ("decode", "registry"): "503 from the registry",
        ("deliver", "misdirected"): "the destination answered 401",
        ("deliver", "unavailable"): "503",
        ("commit", "failed"): "no coordinator",
        ("commit", "metadata"): "the commit metadata of t-1 is not ours for its offset and is ignored",
        ("kafka", "client"): "connection refused",
        ("kafka", "denied"): "the right to Read is missing",
        ("kafka", "partition"): "t-1: out of range",
        ("dead_letter", "ratio"): "t-1: too many",
        ("state", "not_stored"): "disk full",
        ("dead_letter", "not_written"): "no leader",
    } == shown
    assert all(kind in ERROR_KINDS[stage] for stage, kind in shown)
