"""What Prometheus scraped in a scene: the series that rules read, a value a second, in promtool's short notation."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.deploy.names import selectors
from tests.deploy.rules import rules
from tests.operations.programs import Prometheus

FOLDER: Final = Path(__file__).resolve().parents[1] / "deploy" / "recorded"


class Recording(NamedTuple):
    """Of one scene. All times are seconds after the first value."""

    began: int
    shown: int
    repaired: int
    ended: int
    series: Mapping[str, str]
    """A series → its values, one a second."""


def read(name: str) -> Recording:
    """As it was written."""
    return Recording(**json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def write(name: str, recording: Recording) -> None:
    """A line for each series."""
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(recording._asdict(), indent=0, sort_keys=True)
    (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def asked_for() -> list[str]:
    """The selectors of all rules that name a metric of the member or of the scraper."""
    found = {
        f"{selector.name}{{{_matchers(selector)}}}"
        for rule in rules()
        for selector in selectors(rule.expression)
        if ":" not in (selector.name or "")
    }
    return sorted(found)


def record(prometheus: Prometheus, begin: float, end: float) -> dict[str, str]:
    """Each series that a rule reads, from a second to another one."""
    count = int(end - begin) + 1
    series: dict[str, str] = {}
    for name in sorted({asked.partition("{")[0] for asked in asked_for()}):
        for one in prometheus.values(name, begin, begin + count - 1, 1.0):
            if _is_asked(one["metric"]):
                there = {round(float(at) - begin): float(value) for at, value in one["values"]}
                values = [there.get(second) for second in range(count)]
                series[_named(one["metric"])] = " ".join(
                    _short([None if v is None else round(v) if math.isfinite(v) else v for v in values])
                )
    return dict(sorted(series.items()))


def _is_asked(metric: Mapping[str, str]) -> bool:
    """Of the histogram only two buckets, of the causes all: one that comes when it should not is to be seen."""
    return metric.get("le", "+Inf") in {"10.0", "30.0", "+Inf"} and not metric.get("topic", "").endswith(
        ".customfit-replay"
    )


def _named(metric: Mapping[str, Any]) -> str:
    labels = ",".join(f'{label}="{value}"' for label, value in sorted(metric.items()) if label != "__name__")
    return f"{metric['__name__']}{{{labels}}}"


def _matchers(selector: Any) -> str:
    return ",".join(f'{one.name}{one.op}"{one.value}"' for one in selector.matchers.matchers)


def _short(values: Sequence[float | None]) -> Iterator[str]:
    """Runs of equal steps: `5x3` is 5 four times, `0+2x3` is 0 2 4 6, `_x3` nothing three times, `stale` the end."""
    place = 0
    while place < len(values):
        first = values[place]
        if first is None:
            length = _run(values, place, None)
            ends = place > 0
            yield from (["stale"] if ends else [])
            if left := length - ends:
                yield f"_x{left}"
            place += length
            continue
        following = values[place + 1] if place + 1 < len(values) else None
        step = 0.0 if following is None or not math.isfinite(first) else following - first
        step = step if math.isfinite(step) else 0.0
        length = _run(values, place, step)
        yield _written(first) + ("" if length == 1 else (f"{step:+g}" if step else "") + f"x{length - 1}")
        place += length


def _run(values: Sequence[float | None], place: int, step: float | None) -> int:
    """How many values from here on go on by this step; None: how many there are none."""
    end = place + 1
    while end < len(values):
        before, value = values[end - 1], values[end]
        if step is None or value is None or before is None:
            is_so = step is None and value is None
        else:
            is_so = value - before == step or (step == 0 and value == before)
        if not is_so:
            break
        end += 1
    return end - place


def _written(value: float) -> str:
    return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}")
