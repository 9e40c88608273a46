"""deploy/prometheus as Prometheus reads it, and its rules by promtool's own unit tests: each promtool that is here."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.rules import RULE_FILES, TEST_FILES, Rule, alerts, read
from tests.deploy.tools import ROOT, need, promtools, run, version

with_each_promtool = pytest.mark.parametrize("promtool", promtools(), ids=version)
SEVERITIES = {"critical", "warning"}


@with_each_promtool
def test_prometheus_reads_the_files(promtool: str) -> None:
    """The configuration that compose mounts, with the rules that it names."""
    assert "SUCCESS: 3 rule files found" in run([need(promtool), "check", "config", "prometheus.yml"])


def test_compose_loads_the_rules() -> None:
    """Its Prometheus has the folder, and in it the configuration that names them."""
    assert list(RULE_FILES) == read("prometheus.yml")["rule_files"]
    assert "- ./deploy/prometheus:/etc/prometheus:ro\n" in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


@with_each_promtool
@pytest.mark.parametrize("name", TEST_FILES)
def test_alerts_fire_when_they_should_and_at_no_other_time(promtool: str, name: str) -> None:
    """Prometheus 2 and 3 differ in what belongs to a window; the rules say the same in both."""
    run([need(promtool), "test", "rules", f"tests/{name}"])


def _tested(alert: Rule) -> list[list[Any]]:
    """Of each unit test of it, what is expected to fire."""
    worlds = [world for name in TEST_FILES for world in read(f"tests/{name}")["tests"]]
    tests = [test for world in worlds for test in world.get("alert_rule_test", ())]
    return [test["exp_alerts"] for test in tests if test["alertname"] == alert.name]


@pytest.mark.parametrize("alert", alerts(), ids=str)
def test_each_alert_is_tested_both_ways(alert: Rule) -> None:
    """One test in which it fires, with its texts, and one in which it does not."""
    expected = _tested(alert)

    assert any(expected), "no test in which it fires"
    assert not all(expected), "no test in which it does not fire"


@pytest.mark.parametrize("alert", alerts(), ids=str)
def test_each_alert_says_what_it_is_and_where_to_read_on(alert: Rule) -> None:
    """Its severity, a line, what it means for events, and its section of the runbook."""
    assert alert.name.startswith("Customfit")
    assert SEVERITIES >= {alert.labels["severity"]}
    assert {"summary", "description", "runbook_url"} == set(alert.annotations)
    assert all(alert.annotations[name].endswith(".") for name in ("summary", "description"))
    assert f"docs/runbook.md#{alert.name.lower()}" == alert.annotations["runbook_url"]


def test_no_two_rules_have_one_name() -> None:
    """One section of the runbook is about one alert."""
    names = [alert.name for alert in alerts()]

    assert sorted(set(names)) == sorted(names)


def test_a_cause_speaks_before_the_lateness_that_it_makes() -> None:
    """Late minutes page after 5.5 min of standing still: a record is late after one, and they burn for 4.5.

    Two causes need not make anything late: to be throttled, and to restore for long. What is late by order
    of somebody pages nobody.
    """
    slow = {"CustomfitThrottled", "CustomfitNotReady", "CustomfitPaused"}
    rules = [rule for group in read("alerts.yml")["groups"] for rule in group["rules"]]
    causes = [rule for rule in rules if "customfit_degraded" in rule["expr"] and rule["alert"] not in slow]

    assert len(causes) > 8
    assert {} == {rule["alert"]: rule["for"] for rule in causes if int(rule["for"].removesuffix("m")) > 4}


def test_what_is_compared_is_of_one_moment() -> None:
    """A group is looked at in its own moments: a scrape between those of two would make all its events late ones."""
    groups = {rule.get("record"): group["name"] for group in read("recording.yml")["groups"] for rule in group["rules"]}

    assert groups["customfit:in_time:total"] == groups["customfit:delivered:total"]
    assert groups["customfit:dead_letters:total"] == groups["customfit:ended:total"]
