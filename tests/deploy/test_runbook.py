"""docs/runbook.md: a section for each alert and for each cause of readiness, with commands and queries that work."""

from __future__ import annotations

import re

import pytest

from consumer.ops.causes import Cause
from consumer.ops.health import STUCK
from consumer.ops.pages import LINKS
from consumer.sequencing.stops import StopCause
from tests.deploy.names import labels_of, live, selectors
from tests.deploy.rules import RUNBOOK, Rule, alerts, rules, sections

TEXT = RUNBOOK.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
KNOWN: dict[str, list[dict[str, str]]] = {**live(), **{rule.name: [{}] for rule in rules()}}
PARTS = ("**Means.** ", "**Look at.** ", "**Do.** ")
FIRST_WORDS = r"customfit-consumer|docker compose|curl -s http://localhost:9464|kafka-[a-z-]+\.sh --bootstrap-server|df"


def in_blocks(kind: str) -> list[str]:
    """The lines of all blocks of this kind."""
    return [line for found, text in BLOCKS if found == kind for line in text.splitlines()]


def causes_in(rule: Rule, metric: str) -> set[str]:
    """Which of the metric's causes the rule asks for; all of them where it names none."""
    found = set[str]()
    for selector in selectors(rule.expression):
        if selector.name == metric:
            named = [one.value for one in selector.matchers.matchers if one.name == "cause"]
            found |= set(named[0].split("|")) if named else {series["cause"] for series in KNOWN[metric]}
    return found


@pytest.mark.parametrize("alert", alerts(), ids=str)
def test_each_alert_has_a_section_that_helps(alert: Rule) -> None:
    """What it means, what to look at, what to do; and something to paste."""
    section = sections()[alert.name]

    assert [section.index(part) for part in PARTS] == sorted(section.index(part) for part in PARTS)
    assert "```" in section


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_of_readiness_has_a_gauge_an_alert_and_a_section(cause: Cause) -> None:
    """Who adds a cause says who is told of it, and what to do."""
    gauges = {series["cause"] for series in KNOWN["customfit_degraded"]}
    asking = {alert.name for alert in alerts() if cause.value in causes_in(alert, "customfit_degraded")}
    section = sections()[cause.value]
    stops = {"CustomfitPartitionStopped"} if cause is Cause.PARTITION_STOPPED else set()

    assert cause.value in gauges
    assert {name.lower() for name in asking | stops} == set(re.findall(r"\[Alert\]\(#(\w+)\)", section))
    assert f"(operations.md#{cause.value})" in section
    assert "```" in section


@pytest.mark.parametrize("cause", StopCause)
def test_each_cause_of_a_stop_pages(cause: StopCause) -> None:
    """By one alert, which has the cause as its label."""
    asking = [alert for alert in alerts() if cause.value in causes_in(alert, "customfit_partition_stopped")]

    assert ["CustomfitPartitionStopped"] == [alert.name for alert in asking]


def test_no_section_is_about_nothing() -> None:
    """What was renamed or taken out has no section left behind."""
    known = {alert.name for alert in alerts()} | {cause.value for cause in Cause} | {STUCK}

    assert known == set(re.findall(r"^### (.*)$", TEXT, re.MULTILINE))


def test_queries_ask_for_what_there_is() -> None:
    """Each line is a query by itself, and Prometheus would find series for it."""
    queries = in_blocks("promql")

    assert len(queries) > len(alerts())
    for query in queries:
        if "process_" not in query:
            labels_of(query, KNOWN)


def test_commands_begin_with_a_program_that_there_is() -> None:
    """Ours are pasted by real_broker/test_pasted.py, Kafka's by real_broker/test_runbook.py; the pages are ours."""
    lines = in_blocks("")

    assert [] == [line for line in lines if not re.match(FIRST_WORDS, line)]
    assert set(LINKS) >= {line.rpartition(":9464")[2] for line in lines if line.startswith("curl")}
