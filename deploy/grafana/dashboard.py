"""The Grafana dashboard, made from the rows beside this file and from what declares metrics and thresholds. Pure.

`make docs` writes it into customfit-consumer.json, which compose provisions. Nothing in it has to be filled in at an
import: data source, job, instance and topic are variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, Final

from consumer.ops.metric_kinds import Row
from consumer.ops.metrics_table import rows
from consumer.rekey.figures import FIGURES
from deploy.grafana.panel import Kind, Limit, Panel
from deploy.grafana.rows_inside import KAFKA, LOOP, ORDER, PROCESS
from deploy.grafana.rows_of_rekey import REKEY
from deploy.grafana.rows_of_work import DELIVERY, LAG, WELL

Json = dict[str, Any]
ROWS: Final = (
    ("Is it well", WELL),
    ("Lag", LAG),
    ("Delivery", DELIVERY),
    ("Order guarantee", ORDER),
    ("Where the loop's time goes", LOOP),
    ("Kafka", KAFKA),
    ("Process", PROCESS),
    ("Rekey", REKEY),
)
SCHEMA_VERSION: Final = 42
COLUMNS: Final = 24
HEIGHTS: Final[dict[Kind, int]] = {"stat": 4, "timeseries": 8, "state-timeline": 8, "table": 8}
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, RED = "green", "yellow", "red"

METRIC: Final = re.compile(r"\b((?:customfit[_:]|process_|python_)\w[\w:]*|up|ALERTS)\b(?:\{([^}]*)\})?(?!\()")
"""A metric of an expression, with the labels that are asked for."""
JOB: Final = 'job="$job"'
JOB_OF_REKEY: Final = 'job="$rekey"'
INSTANCE: Final = 'instance=~"$instance"'
TOPIC: Final = 'topic=~"$topic"'


def dashboard(thresholds: Mapping[str, float]) -> Json:
    """All of it; `thresholds`: by their names in deploy/prometheus/recording.yml."""
    return {
        "uid": "customfit-consumer",
        "title": "CustomFit consumer",
        "description": "Made by `make docs`: changes by hand are lost. Each panel says what to read off it.",
        "tags": ["customfit", "kafka"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "templating": {"list": _variables()},
        "panels": list(_laid_out(thresholds)),
    }


def _variables() -> list[Json]:
    chosen = {"text": ["All"], "value": ["$__all"]}
    several: Json = {"includeAll": True, "multi": True, "allValue": ".*", "current": chosen}
    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
        _variable("job", "Group (job)", "label_values(customfit_ready, job)"),
        _variable("instance", "Member", f"label_values(customfit_build_info{{{JOB}}}, instance)") | several,
        _variable("topic", "Topic", f"label_values(customfit_topic_partitions{{{JOB}}}, topic)") | several,
        _variable("rekey", "Rekey (job)", "label_values(customfit_rekey_ready, job)"),
    ]


def _variable(name: str, label: str, query: str) -> Json:
    what = {"name": name, "label": label, "type": "query", "datasource": SOURCE, "query": query}
    return {**what, "refresh": 2, "sort": 1}  # asked again when the time range changes; sorted by the alphabet


# ---------------------------------------------------------------------- where panels stand


def _laid_out(thresholds: Mapping[str, float]) -> Iterable[Json]:
    """Each row, then its panels from left to right, as many beside each other as there is room for."""
    numbers, top = count(1), 0
    for title, panels in ROWS:
        place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
        yield {"id": next(numbers), "type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": place}
        top, left, tallest = top + 1, 0, 0
        for panel in panels:
            height = HEIGHTS[panel.kind]
            if left + panel.width > COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            place = {"x": left, "y": top, "w": panel.width, "h": height}
            yield {"id": next(numbers), **shown(panel, thresholds), "gridPos": place}
            left, tallest = left + panel.width, max(tallest, height)
        top += tallest


def shown(panel: Panel, thresholds: Mapping[str, float]) -> Json:
    """Give one panel, without its place."""
    metrics = declared(panel)
    helps = "\n".join(f"- `{metric.name}`: {metric.help}." for metric in metrics)
    defaults: Json = {
        "unit": panel.unit or _unit(panel, metrics),
        "thresholds": {"mode": "absolute", "steps": list(_steps(panel, thresholds))},
        "color": {"mode": "thresholds" if panel.kind in {"stat", "state-timeline"} else "palette-classic"},
        "custom": _custom(panel),
    }
    if panel.kind == "timeseries":
        defaults["min"] = 0
    return {
        "type": panel.kind,
        "title": panel.title or metrics[0].help,
        "description": f"{panel.reads}\n\n{helps}".strip(),
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": list(_colored(panel))},
        "options": OPTIONS[panel.kind],
        "targets": list(_targets(panel)),
        "transformations": TRANSFORMATIONS if panel.kind == "table" else [],
    }


# ---------------------------------------------------------------------- what they ask


def _targets(panel: Panel) -> Iterable[Json]:
    is_table = panel.kind == "table"
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        yield {
            "refId": letter,
            "datasource": SOURCE,
            "expr": selected(query.expression, of_group=panel.of_group, of_rekey=panel.of_rekey),
            "legendFormat": query.legend,
            "instant": is_table,
            "range": not is_table,
            "format": "table" if is_table else "time_series",
        }


def selected(expression: str, *, of_group: bool, of_rekey: bool = False) -> str:
    """Ask every metric in it of the chosen job, instances and topics, as far as it has these labels."""
    labels = {name: metric.labels for metric in rows() for name in _samples(metric)}

    def with_labels(found: re.Match[str]) -> str:
        name, asked = found[1], found[2]
        if of_rekey:
            return f"{name}{{{','.join([JOB_OF_REKEY, *filter(None, [asked])])}}}"
        is_recorded = ":" in name or name == "ALERTS"
        chosen = [JOB] if of_group or is_recorded else [JOB, INSTANCE]
        chosen += [TOPIC] if "topic" in labels.get(name, ()) else []
        return f"{name}{{{','.join([*chosen, *filter(None, [asked])])}}}"

    return METRIC.sub(with_labels, expression)


def declared(panel: Panel) -> list[Row]:
    """Give our own metrics that it shows, in the order of their declaration."""
    asked = {found[1] for query in panel.queries for found in METRIC.finditer(query.expression)}
    return [metric for metric in [*rows(), *rows_of_rekey()] if asked.intersection(_samples(metric))]


def rows_of_rekey() -> list[Row]:
    """All metrics of its process, as they are shown."""
    return [Row(one.shown, one.kind, one.labels, one.help) for one in FIGURES]


def _samples(metric: Row) -> list[str]:
    parts = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
    return [metric.name + part for part in parts]


# ---------------------------------------------------------------------- how they look


def _unit(panel: Panel, metrics: Iterable[Row]) -> str:
    """By the name of what is shown: seconds, bytes, or a number; of a counter that is shown by its rate, per second."""
    expression = panel.queries[0].expression
    names = {found[1] for found in METRIC.finditer(expression)} | {metric.name for metric in metrics}
    if any("seconds" in name for name in names):
        return "s"
    if any(name.endswith("_bytes") for name in names):
        return "bytes"
    return "cps" if "rate(" in expression else "short"


def _steps(panel: Panel, thresholds: Mapping[str, float]) -> Iterable[Json]:
    """From the lowest figure upwards; the first step has no bound."""

    def value(limit: Limit) -> float:
        return thresholds[limit] if isinstance(limit, str) else limit

    if panel.red is None:
        yield {"color": GREEN, "value": None}
    elif panel.below:
        yield {"color": RED, "value": None}
        yield {"color": GREEN, "value": value(panel.red)}
    else:
        yield {"color": GREEN, "value": None}
        if panel.yellow is not None:
            yield {"color": YELLOW, "value": value(panel.yellow)}
        yield {"color": RED, "value": value(panel.red)}


def _colored(panel: Panel) -> Iterable[Json]:
    for begins, color in panel.colors:
        fixed = {"mode": "fixed", "fixedColor": color}
        matcher = {"id": "byRegexp", "options": f"/^{begins}/"}
        yield {"matcher": matcher, "properties": [{"id": "color", "value": fixed}]}


def _custom(panel: Panel) -> Json:
    if panel.kind != "timeseries":
        return {}
    has_lines = panel.red is not None
    return {
        "fillOpacity": 30 if panel.stacked else 5,
        "lineWidth": 1,
        "showPoints": "never",
        "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if has_lines else "off"},
    }


_LEGEND: Final = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
_TOOLTIP: Final = {"mode": "multi", "sort": "desc", "hideZeros": True}
OPTIONS: Final[dict[Kind, Json]] = {
    "timeseries": {"legend": _LEGEND, "tooltip": _TOOLTIP},
    "stat": {
        "colorMode": "background",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showPercentChange": False,
        "textMode": "auto",
        "wideLayout": True,
    },
    "state-timeline": {
        "legend": _LEGEND | {"showLegend": False},
        "tooltip": _TOOLTIP,
        "mergeValues": True,
        "rowHeight": 0.8,
        "showValue": "never",
    },
    "table": {"cellHeight": "sm", "frameIndex": 0, "showHeader": True},
}
TRANSFORMATIONS: Final = [{"id": "organize", "options": {"excludeByName": {"Time": True, "Value": True}}}]
"""Of a table: the labels alone."""
