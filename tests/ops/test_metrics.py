"""What /metrics shows is what metrics_table.py declares, all of it from the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from consumer.ops import metric_kinds, metrics_table
from consumer.ops.metric_kinds import FromSnapshot, Now, Samples
from consumer.ops.metrics import Metrics
from consumer.ops.metrics_table import COMMITS, REBALANCES
from consumer.ops.snapshot import Phase, Snapshot
from consumer.ports.state_figures import StandbyFigures, StateFigures
from consumer.sequencing.events import Partition
from tests.ops.given_snapshot import snapshot

NOW = Now(wall_seconds=1_795_428_000.0, monotonic_seconds=100.0)


def read(metric: FromSnapshot, of: Callable[[], Snapshot] = snapshot) -> Samples:
    """The samples of one row."""
    return list(metric.read(of(), NOW))


def test_what_is_shown_is_what_is_declared() -> None:
    """Name, kind, labels and help of each family are those of its row, and there is no family without a row."""
    shown = {}
    for family in Metrics(snapshot).registry.collect():
        if family.name.startswith("customfit_"):
            labels = {name for sample in family.samples for name in sample.labels if name != "le"}
            name = f"{family.name}_total" if family.type == "counter" else family.name
            shown[name] = (family.type, labels, family.documentation)

    assert {row.name: (row.kind, set(row.labels), row.help) for row in metrics_table.rows()} == shown


def test_every_label_value_is_there_from_the_start() -> None:
    """Counters start at 0 for each label value, so that rate() sees the first error."""
    text = Metrics(snapshot).text()

    assert 'customfit_errors_total{kind="not_written",stage="dead_letter"} 0.0' in text
    assert 'customfit_requests_total{result="401"} 0.0' in text
    assert 'customfit_events_finished_total{outcome="delivered",reason="ok"} 0.0' in text
    assert 'customfit_destination_state{state="delivering"} 1.0' in text
    assert 'customfit_lag_events{partition="0",topic="segment-events"} 0.0' in text


def test_what_the_edges_count_is_shown() -> None:
    """Each count lands at its labels."""
    metrics = Metrics(snapshot)
    metrics.count(REBALANCES, "lost")
    metrics.count(COMMITS, "error")
    metrics.error("kafka", "client")
    families = {family.name: family for family in text_string_to_metric_families(metrics.text())}

    def counted(name: str) -> list[dict[str, str]]:
        return [sample.labels for sample in families[name].samples if sample.value == 1.0]

    assert [{"event": "lost"}] == counted("customfit_rebalances")
    assert [{"result": "error"}] == counted("customfit_commits")
    assert [{"stage": "kafka", "kind": "client"}] == counted("customfit_errors")


def test_a_label_value_that_is_not_declared_is_a_bug() -> None:
    """Label values are closed sets."""
    with pytest.raises(AssertionError, match="stolen"):
        Metrics(snapshot).count(REBALANCES, "stolen")


def test_metrics_can_be_made_before_there_is_a_snapshot() -> None:
    """The pipeline is made later than they are."""

    def none_yet() -> Snapshot:
        raise AssertionError

    Metrics(none_yet)


def test_a_partition_without_a_figure_has_no_series() -> None:
    """None is not 0."""
    view = snapshot().partitions[0]
    other = replace(view, partition=Partition("segment-events", 7), end_offset=None)
    lag = metric_kinds.per_partition("lag", "", lambda view, _: view.lag_events)

    assert [(("segment-events", "0"), 0)] == read(lag, lambda: replace(snapshot(), partitions=(view, other)))


def test_what_a_take_over_would_read_is_absent_while_it_is_not_known() -> None:
    """0 would say that all of it is copied; without CUSTOMFIT_STANDBY there is nothing to copy."""
    [behind] = [row for row in metrics_table.FROM_SNAPSHOT if row.name == "customfit_standby_behind_records"]
    states = [StateFigures(), StateFigures(0, StandbyFigures(3)), StateFigures(0, StandbyFigures(3, 7))]

    assert [[((), 0)], [], [((), 7)]] == [list(behind.read(replace(snapshot(), state=state), NOW)) for state in states]


def test_one_of_several_states_is_1() -> None:
    """The others are 0, and are there."""
    phase = metric_kinds.one_of("phase", "", "phase", Phase, lambda shown, _: shown.phase)

    assert [(("starting",), 0), (("running",), 1), (("draining",), 0)] == read(phase)


def test_flags_are_1_for_all_that_is_so() -> None:
    """Of a closed list any number may be 1; what is not on the list is a bug."""

    def degraded(*causes: str) -> FromSnapshot:
        return metric_kinds.flags("degraded", "", "cause", ("kafka", "state"), lambda _shown, _now: causes)

    assert [(("kafka",), 0), (("state",), 1)] == read(degraded("state"))
    with pytest.raises(AssertionError, match="weather"):
        read(degraded("weather"))


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text; version=x", "application/openmetrics-text; version=ü"]
)
def test_an_accept_header_that_is_none_gets_text(accept: str) -> None:
    """It was a 500 and a traceback for each scrape."""
    content_type, text = Metrics(snapshot).page(accept)

    assert "text/plain" == content_type.partition(";")[0]
    assert b"\ncustomfit_" in text
