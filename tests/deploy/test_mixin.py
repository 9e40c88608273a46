"""deploy/prometheus/mixin.libsonnet gives the rules of the YAML files, for another job and another address."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.deploy.rules import read
from tests.deploy.tools import need, promtools, run

SELECTORS = 'selector: \'namespace="segment",job=~"cf-.*"\', rekeySelector: \'namespace="segment"\''
ELSEWHERE = f"{{ _config+:: {{ {SELECTORS}, runbookUrl: 'https://runbooks/cf.md' }} }}"


def mixin(also: str = "{}") -> Any:
    """Both parts of it, which are hidden, as jsonnet makes them."""
    jsonnet = need("jsonnet")
    parts = "{ rules: one.prometheusRules, alerts: one.prometheusAlerts }"
    return json.loads(run([jsonnet, "-e", f"local one = (import 'mixin.libsonnet') + {also}; {parts}"]))


def test_as_it_stands_it_gives_the_files() -> None:
    """Nothing is lost or turned into a number on the way: Kubernetes takes no fraction for an expression."""
    recorded = {"groups": read("recording.yml")["groups"] + read("scaling.yml")["groups"]}

    assert {"rules": recorded, "alerts": read("alerts.yml")} == mixin()


def test_another_selector_is_in_every_expression(tmp_path: Path) -> None:
    """And promtool still reads them."""
    made = mixin(ELSEWHERE)
    (tmp_path / "rules.json").write_text(json.dumps({"groups": made["rules"]["groups"] + made["alerts"]["groups"]}))
    text = json.dumps(made)

    assert "customfit-consumer" not in text
    assert "customfit-rekey" not in text.replace('"name": "customfit-rekey"', "")
    assert 'namespace=\\"segment\\",job=~\\"cf-.*\\"' in text
    assert "https://runbooks/cf.md#customfitdown" in text
    assert "docs/runbook.md" not in text
    run([need(promtools()[0]), "check", "rules", tmp_path / "rules.json"])


def test_other_mixins_stay_beside_it() -> None:
    """Mixins are added up: each appends its groups."""
    other = "{ prometheusAlerts+:: { groups+: [{ name: 'other', rules: [] }] } }"

    assert [*read("alerts.yml")["groups"], {"name": "other", "rules": []}] == mixin(other)["alerts"]["groups"]
