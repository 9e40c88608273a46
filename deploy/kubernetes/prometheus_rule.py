"""base/prometheusrule.yaml: the rules of deploy/prometheus for the Prometheus operator; `make docs` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import yaml

PROMETHEUS: Final = Path(__file__).parents[1] / "prometheus"
RULE_FILES: Final = ("recording.yml", "scaling.yml", "alerts.yml")
NAME: Final = "customfit-consumer"


def prometheus_rule() -> str:
    """The file's text: one group a line, as JSON, which is YAML too; people read the files that it is made from."""
    groups: list[dict[str, Any]] = [
        group
        for name in RULE_FILES
        for group in yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8"))["groups"]
    ]
    head = f"""# Made by `make docs` from deploy/prometheus: what is written here by hand is lost.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {NAME}
  labels:
    app.kubernetes.io/name: {NAME}
    app.kubernetes.io/instance: {NAME}
spec:
  groups:
"""
    return head + "".join(_group(group) for group in groups)


def _group(group: dict[str, Any]) -> str:
    interval = f"      interval: {group['interval']}\n" if "interval" in group else ""
    rules = "".join(f"        - {json.dumps(rule, ensure_ascii=False)}\n" for rule in group["rules"])
    return f"    - name: {group['name']}\n{interval}      rules:\n{rules}"
