"""Figures of the snapshot as the text that Prometheus reads: letter by letter what the library writes.

Each scrape of 300 partitions has 3,300 of them. The library makes several objects of each and takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from prometheus_client.utils import floatToGoString

from consumer.ops.metric_kinds import FromSnapshot, LabelValues, Now
from consumer.ops.snapshot import Snapshot

OPEN_METRICS: Final = "application/openmetrics-text"
_number = lru_cache(maxsize=256)(floatToGoString)
"""Most figures are 0, 1 or as they were before."""


class _Escaped(dict[str, str]):
    """Values of labels as they are written: the same few stand in hundreds of lines."""

    def __missing__(self, value: str) -> str:
        text = self[value] = _escaped(value)
        return text


def exposition(metrics: Iterable[FromSnapshot], snapshot: Snapshot, now: Now, content_type: str) -> bytes:
    """These metrics in the format of that content type, without the line that ends a page (`# EOF`)."""
    is_open = content_type.startswith(OPEN_METRICS)
    labels: dict[LabelValues, dict[LabelValues, str]] = {}
    escaped = _Escaped()
    lines: list[str] = []
    for metric in metrics:
        shown = metric.name if metric.kind == "gauge" else f"{metric.name}_total"
        family = metric.name if is_open else shown
        lines.append(f"# HELP {family} {_escaped(metric.help) if is_open else _escaped_help(metric.help)}\n")
        lines.append(f"# TYPE {family} {metric.kind}\n")
        texts, template = labels.setdefault(metric.labels, {}), _template(metric.labels)
        for values, figure in metric.read(snapshot, now):
            text = texts.get(values)
            if text is None:
                text = texts[values] = template.format(*map(escaped.__getitem__, values))
            lines.append(f"{shown}{text} {_number(figure)}\n")
    return "".join(lines).encode()


def _template(names: LabelValues) -> str:
    """In the order of the names, as the library has it: `{{partition="{1}",topic="{0}"}}`."""
    if not names:
        return ""
    places = sorted((name, place) for place, name in enumerate(names))
    return "{{" + ",".join(f'{name}="{{{place}}}"' for name, place in places) + "}}"


def _escaped(text: str) -> str:
    return _escaped_help(text).replace('"', '\\"')


def _escaped_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
