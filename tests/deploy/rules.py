"""deploy/prometheus/*.yml as values, and docs/runbook.md by its headings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NamedTuple

import yaml

from tests.deploy.tools import FOLDER, ROOT

RUNBOOK: Final = ROOT / "docs" / "runbook.md"
RULE_FILES: Final = ("recording.yml", "alerts.yml", "scaling.yml")
TEST_FILES: Final = tuple(sorted(file.name for file in (FOLDER / "tests").glob("*.yml")))


class Rule(NamedTuple):
    """An alert, or a series that is recorded."""

    name: str
    expression: str
    is_alert: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def __str__(self) -> str:
        """The name of its test."""
        return self.name


@cache
def read(name: str) -> Any:
    """One of the files."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def rules() -> list[Rule]:
    """All of them, in the order in which one may build on another."""
    return [_rule(rule) for file in RULE_FILES for group in read(file)["groups"] for rule in group["rules"]]


def alerts() -> list[Rule]:
    """Those that tell somebody."""
    return [rule for rule in rules() if rule.is_alert]


def thresholds() -> dict[str, float]:
    """Those that recording.yml holds, by their names; in_time_seconds is the bucket up to which an event is in time."""
    found = {
        name.removeprefix("customfit:threshold:"): float(number[1])
        for name, expression, *_ in rules()
        if (number := re.fullmatch(r"vector\(([\d.]+)\)", expression)) is not None
    }
    [in_time] = [rule.expression for rule in rules() if rule.name == "customfit:in_time:total"]
    return {**found, "in_time_seconds": float(re.findall(r'le="([\d.]+)"', in_time)[0])}


def _rule(read_rule: Mapping[str, Any]) -> Rule:
    return Rule(
        name=read_rule.get("alert") or read_rule["record"],
        expression=read_rule["expr"],
        is_alert="alert" in read_rule,
        labels=read_rule.get("labels", {}),
        annotations=read_rule.get("annotations", {}),
    )


def sections() -> dict[str, str]:
    """Heading of the runbook → the text below it, up to the next one."""
    parts = re.split(r"^#{2,3} (.*)\n", RUNBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))
