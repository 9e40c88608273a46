"""Every metric, label and label value in the rules and on the pages is one that a scrape of the program gives."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.deploy.kubernetes.manifests import read
from tests.deploy.names import OF_REKEY, OF_THE_SCRAPER, WrongNameError, labels_of, live, results, selectors
from tests.deploy.rules import Rule, alerts, rules
from tests.deploy.tools import ROOT
from tests.pasted import PAGES

LIVE = live()
OF_THE_SCALER = read("components/keda/scaledobject.yaml")["spec"]["triggers"][0]["metadata"]["query"]
EXAMPLES = {"customfit_restoring_seconds"}
"""CONTRIBUTING.md shows by it how a gauge is added."""
ON_PAGES = re.compile(r"\b(customfit_[a-z_]+)(?:\{([^}`]*)\})?")


def test_rules_ask_for_nothing_that_is_not_there() -> None:
    """Metrics, the labels of each of them, values of labels, recorded series; and two sides that are compared match."""
    assert [rule.name for rule in rules()] == [name for name, _ in results(LIVE)]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("customfit_lag_second > 60", "no metric customfit_lag_second"),
        ('customfit_degraded{reason="registry"} == 1', "customfit_degraded has no label reason"),
        ('customfit_degraded{cause="destination_stoped"} == 1', "customfit_degraded has no cause destination_stoped"),
        ('customfit_degraded{cause=~"registry|schema"} == 1', "customfit_degraded has no cause schema"),
        ('rate(customfit_delivery_latency_seconds_bucket{le="30"}[5m])', "has no le 30"),
        ('sum by (job) (rate(customfit_requests_total{code="429"}[5m]))', "customfit_requests_total has no label code"),
        ("max by (job, topic) (customfit_degraded)", "topic is no label of customfit_degraded"),
        ("customfit_lag_events > 0 unless on (topic) customfit_ready", "are not on both sides"),
        ("customfit_lag_events / customfit_buffer_events_limit > 0.5", "never match"),
        ("customfit:late:burn1h > 1", "no metric customfit:late:burn1h"),
    ],
)
def test_a_wrong_name_is_found(expression: str, message: str) -> None:
    """The gate itself: a name, a label, a value, a label lost on the way, sides that never match."""
    with pytest.raises(WrongNameError, match=message):
        labels_of(expression, LIVE)


@pytest.mark.parametrize("rule", rules(), ids=str)
def test_each_metric_is_asked_of_one_job(rule: Rule) -> None:
    """Two groups of one Prometheus are not mixed up, and mixin.libsonnet can put another selector there."""
    unscoped = [
        selector.name
        for selector in selectors(rule.expression)
        if ":" not in (selector.name or "")
        and not {OF_THE_SCRAPER["job"], OF_REKEY["job"]}
        & {one.value for one in selector.matchers.matchers if one.name == "job"}
    ]

    assert [] == unscoped


def test_alerts_tell_only_labels_that_they_have() -> None:
    """A label that is not there would be an empty word in the message."""
    has = dict(results(LIVE))
    missing = [
        (alert.name, label)
        for alert in alerts()
        for text in alert.annotations.values()
        for label in re.findall(r"\$labels\.(\w+)", text)
        if label not in (has[alert.name] or ())
    ]

    assert [] == missing


def test_every_threshold_is_used() -> None:
    """A number that nobody reads would only seem to change something."""
    asked = {selector.name for rule in rules() for selector in selectors(rule.expression)}
    asked |= {selector.name for selector in selectors(OF_THE_SCALER)}
    recorded = [rule.name for rule in rules() if not rule.is_alert]

    assert [] == [name for name in recorded if name not in asked]


def test_no_threshold_stands_in_an_alert() -> None:
    """They are in the first group of recording.yml; an alert compares with 0, with 1, or with one of those."""
    numbers = {rule.name: re.findall(r"[<>=]=? (\d[\d.]*)", rule.expression) for rule in alerts()}

    assert {} == {name: found for name, found in numbers.items() if not set(found) <= {"0", "1"}}


def wrong_on(page: str) -> Iterator[str]:
    """What a page says of metrics that is not so. Topics and partitions may have any name."""
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in LIVE} | EXAMPLES
    for name, braces in ON_PAGES.findall(page):
        if name not in LIVE and name not in families:
            yield f"no metric {name}"
        series = LIVE.get(name, [])
        for label in re.findall(r"(\w+)(?==|,|$)", braces):
            if not any(label in labels for labels in series):
                yield f"{name} has no label {label}"
        for label, value in re.findall(r'(\w+)="([^"]*)"', braces):
            if label not in {"topic", "partition"} and not any(value == labels.get(label) for labels in series):
                yield f"{name} has no {label} {value}"


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_metrics_and_labels_that_there_are(page: str) -> None:
    """`customfit_degraded{cause}`, and `customfit_degraded{cause="registry"}`."""
    assert [] == list(wrong_on((ROOT / page).read_text(encoding="utf-8")))


def test_a_wrong_name_on_a_page_is_found() -> None:
    """The gate itself."""
    page = 'Look at `customfit_lag{topic}`, `customfit_ready{cause}` and `customfit_degraded{cause="registrie"}`.'

    assert [
        "no metric customfit_lag",
        "customfit_lag has no label topic",
        "customfit_ready has no label cause",
        "customfit_degraded has no cause registrie",
    ] == list(wrong_on(page))
