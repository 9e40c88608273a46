"""The Grafana dashboard asks for nothing that is not there, shows all that is declared, and says what it shows."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, Final, NamedTuple

import pytest

from consumer.ops.metrics_table import rows
from deploy.grafana.dashboard import METRIC, ROWS, dashboard, rows_of_rekey, selected
from deploy.grafana.panel import Panel
from tests.deploy.names import OF_REKEY, OF_THE_SCRAPER, WrongNameError, labels_of, live, selectors, stored
from tests.deploy.rules import rules, thresholds
from tests.deploy.tools import ROOT

STORED: Final = stored(live())
PANELS: Final = tuple(panel for _, panels in ROWS for panel in panels)
MADE: Final[dict[str, Any]] = json.loads((ROOT / "deploy/grafana/customfit-consumer.json").read_text(encoding="utf-8"))
CHOSEN: Final = {**OF_THE_SCRAPER, "topic": "segment-events", "rekey": OF_REKEY["job"]}
UNUSED: Final[dict[str, str]] = {}
"""A metric that neither a panel nor a rule has → why it is there all the same."""


class Shown(NamedTuple):
    """One expression of a panel, as the file has it."""

    title: str
    kind: str
    expression: str
    legend: str

    def __str__(self) -> str:
        """The name of its test."""
        return f"{self.title}: {self.legend}"


SHOWN: Final = tuple(
    Shown(panel["title"], panel["type"], target["expr"], target["legendFormat"])
    for panel in MADE["panels"]
    for target in panel.get("targets", ())
)


def chosen(text: str) -> str:
    """What Grafana asks when one member, one topic and one window are chosen."""
    text = text.replace("$__rate_interval", "1m")
    return re.sub(r"\$(\w+)", lambda found: CHOSEN[found[1]], text)


# ---------------------------------------------------------------------- names


@pytest.mark.parametrize("one", SHOWN, ids=str)
def test_panels_ask_for_metrics_labels_and_values_that_there_are(one: Shown) -> None:
    """Of a scrape, or recorded by the rules; and two sides that are compared match."""
    labels_of(chosen(one.expression), STORED)


@pytest.mark.parametrize("one", SHOWN, ids=str)
def test_each_series_of_a_panel_has_a_name_of_its_own(one: Shown) -> None:
    """Its legend names exactly the labels that are left, so that no word of it is empty and no two lines are alike."""
    left = (labels_of(chosen(one.expression), STORED) or frozenset()) - {"job", "le"}
    named = set(re.findall(r"\{\{(\w+)\}\}", one.legend))

    assert named <= left
    if one.kind != "table":  # it shows all labels
        assert left == named


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("max by (topic) (customfit_lag_second)", "no metric customfit_lag_second"),
        ("max by (reason) (customfit_degraded)", "reason is no label of customfit_degraded"),
        ('sum by (result) (rate(customfit_requests_total{result="200"}[1m]))', "has no result 200"),
        ('customfit_errors_total{step="state"}', "customfit_errors_total has no label step"),
        ("customfit:late_minutes:burn2d", "no metric customfit:late_minutes:burn2d"),
        ('ALERTS{alertname="CustomfitGone"}', "ALERTS has no alertname CustomfitGone"),
        ("process_open_files", "no metric process_open_files"),
    ],
)
def test_a_wrong_name_in_a_panel_is_found(expression: str, message: str) -> None:
    """The gate itself, through what makes the file: a metric, a label, a value, a recorded series, an alert."""
    with pytest.raises(WrongNameError, match=message):
        labels_of(chosen(selected(expression, of_group=False)), STORED)


def test_a_label_of_another_metric_is_found() -> None:
    """Labels are held against the metric's own: `topic` is one of customfit_lag_events, not of customfit_ready."""
    labels_of("sum by (topic) (customfit_lag_events)", STORED)

    with pytest.raises(WrongNameError, match="topic is no label of customfit_ready"):
        labels_of("sum by (topic) (customfit_ready)", STORED)


def test_variables_ask_for_metrics_and_labels_that_there_are() -> None:
    """Their queries are no PromQL: `label_values(metric{…}, label)`."""
    queries = [one["query"] for one in MADE["templating"]["list"] if one["type"] == "query"]

    assert queries
    for query in queries:
        [(selector, label)] = re.findall(r"^label_values\((.*), (\w+)\)$", query)
        assert label in (labels_of(chosen(selector), STORED) or ())


@pytest.mark.parametrize("one", SHOWN, ids=str)
def test_each_metric_is_asked_of_the_chosen_group(one: Shown) -> None:
    """Every selector has the job, or that of `rekey`; so two groups of one Prometheus are not mixed up."""
    unscoped = [
        selector.name
        for selector in selectors(one.expression.replace("$__rate_interval", "1m"))
        if not {"$job", "$rekey"} & {matcher.value for matcher in selector.matchers.matchers if matcher.name == "job"}
    ]

    assert [] == unscoped


def test_every_metric_is_in_a_panel_or_a_rule() -> None:
    """Or in the list of those that are not, with a reason; and what is on the list is in none."""
    expressions = [one.expression for one in SHOWN] + [rule.expression for rule in rules()]
    asked = {found[1] for expression in expressions for found in METRIC.finditer(expression)}
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked} | asked

    assert set(UNUSED) == {metric.name for metric in [*rows(), *rows_of_rekey()]} - families
    assert all(UNUSED.values())


# ---------------------------------------------------------------------- what it says


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.queries[0].expression[:60])
def test_each_panel_says_what_to_read_off_it(panel: Panel) -> None:
    """A sentence before the metrics' own help."""
    assert re.fullmatch(r"\S.{15,}\.", panel.reads)


def test_rows_stand_in_the_order_in_which_somebody_looks() -> None:
    """First whether it is well, then what is inside; last `rekey`, which most do not run."""
    assert [
        "Is it well",
        "Lag",
        "Delivery",
        "Order guarantee",
        "Where the loop's time goes",
        "Kafka",
        "Process",
        "Rekey",
    ] == [panel["title"] for panel in MADE["panels"] if panel["type"] == "row"]


def test_no_two_panels_have_one_title() -> None:
    """Somebody on the phone says a title, and the other one finds it."""
    titles = [panel["title"] for panel in MADE["panels"]]

    assert [] == [title for title, times in Counter(titles).items() if times > 1]


def test_panels_do_not_overlap() -> None:
    """Each has its place in the grid of 24 columns, and an id of its own."""
    taken = [
        (x, y)
        for panel in MADE["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(set(taken)) == len(taken)
    assert 24 > max(x for x, _ in taken)
    assert len({panel["id"] for panel in MADE["panels"]}) == len(MADE["panels"])


def test_it_can_be_provisioned() -> None:
    """Nothing is asked at an import, no data source is named, and its uid stays."""
    data_sources = {
        one["datasource"]["uid"] for panel in MADE["panels"] if "targets" in panel for one in [panel, *panel["targets"]]
    }

    assert not {"__inputs", "__requires", "id"} & set(MADE)
    assert {"${datasource}"} == data_sources
    assert ["datasource", "job", "instance", "topic", "rekey"] == [one["name"] for one in MADE["templating"]["list"]]
    assert ("customfit-consumer", 42) == (MADE["uid"], MADE["schemaVersion"])


def test_thresholds_are_those_of_the_alerts() -> None:
    """One that is changed in recording.yml changes the picture (test_docs.py says that the file is out of date)."""
    for name, value in thresholds().items():
        if name in {limit for panel in PANELS for limit in (panel.red, panel.yellow)}:
            changed = dashboard(thresholds() | {name: value + 0.125})
            assert changed != dashboard(thresholds()), name
            assert f'"value": {value + 0.125}' in json.dumps(changed)
