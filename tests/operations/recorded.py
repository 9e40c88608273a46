"""What Prometheus scraped in a scene: the series that rules read, a value a second, in promtool's short notation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from tests.deploy.names import selectors
from tests.operations import shortened
from tests.operations.programs import JOB, Prometheus

FOLDER: Final = Path(__file__).resolve().parents[1] / "deploy" / "recorded"
AGES: Final = ("customfit_lag_seconds", "customfit_loop_silent_seconds")
ENDLESS: Final = 1e9
"""In place of an infinite number of seconds: promtool can't repeat +Inf."""


class Recording(NamedTuple):
    """Of one scene. All times are seconds after the first value."""

    began: int
    shown: int
    ended: int
    members: Mapping[str, Mapping[str, str]]
    """Instance → a series of it, without `instance` and `job` → its values, one a second."""

    @property
    def series(self) -> dict[str, str]:
        """With all labels, as promtool wants them."""
        return {
            series.replace("}", f"{',' if '=' in series else ''}instance='{instance}',job='{JOB}'}}"): values
            for instance, found in self.members.items()
            for series, values in found.items()
        }


def read(name: str) -> Recording:
    """As it was written."""
    return Recording(**json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def write(name: str, recording: Recording) -> None:
    """A line for each series."""
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(recording._asdict(), indent=0, sort_keys=True)
    (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def record(prometheus: Prometheus, begin: float, end: float) -> dict[str, dict[str, str]]:
    """Each series that a rule reads, a value a second, by its member."""
    count = int(end - begin) + 1
    members: dict[str, dict[str, str]] = {}
    for asked in _asked():
        for one in prometheus.values(asked, begin, begin + count - 1, 1.0):
            there = {round(float(at) - begin): float(value) for at, value in one["values"]}
            values = [_rounded(there.get(second)) for second in range(count)]
            members.setdefault(one["metric"]["instance"], {})[_named(one["metric"])] = " ".join(short(values))
    return members


def gone_on(recording: Recording, seconds: int) -> dict[str, str]:
    """The series until the repair began; then counters and gauges as they stood; what waits or hangs, still does."""
    return {
        name: " ".join(_continued(long(values)[: recording.shown], seconds, grows=name.startswith(AGES)))
        for name, values in recording.series.items()
    }


def _continued(values: Sequence[float | None], seconds: int, *, grows: bool) -> Iterator[str]:
    yield from short(values)
    if (last := values[-1]) is not None:
        yield f"{last + 1:.0f}+1x{seconds}" if grows and last else f"{last:.0f}x{seconds}"


def long(text: str) -> list[float | None]:
    """A value a second, from promtool's short notation."""
    values: list[float | None] = []
    for word in text.split():
        first, _, times = word.partition("x")
        found = re.fullmatch(r"(\d+)([+-]\d+)?", first)
        if found is None:
            values += [None] * (int(times) if times else 1)
        else:
            values += [float(found[1]) + float(found[2] or 0) * number for number in range(int(times or 0) + 1)]
    return values


def short(values: Sequence[float | None]) -> Iterator[str]:
    """Runs of equal steps: `5x3` is 5 four times, `0+2x3` is 0 2 4 6, `_x3` nothing three times, `stale` the end."""
    place = 0
    while place < len(values):
        length, step = _run(values, place)
        first = values[place]
        if first is None:
            is_end = place > 0
            yield from ["stale"] if is_end else []
            yield from [f"_x{length - is_end}"] if length > is_end else []
        elif length == 1:
            yield f"{first:.0f}"
        else:
            yield f"{first:.0f}" + (f"{step:+.0f}" if step else "") + f"x{length - 1}"
        place += length


def _run(values: Sequence[float | None], place: int) -> tuple[int, float]:
    """How many values from here on go on by the same step, and by which."""
    first, following = values[place], values[place + 1] if place + 1 < len(values) else None
    if first is None:
        return next((n for n, value in enumerate(values[place:]) if value is not None), len(values) - place), 0.0
    step = 0.0 if following is None else following - first
    wanted = (first + step * number for number in range(len(values) - place))
    pairs = zip(values[place:], wanted, strict=True)
    return next((n for n, (value, next_one) in enumerate(pairs) if value != next_one), len(values) - place), step


def _asked() -> list[str]:
    """The selectors of all rules for a metric of the member or of the scraper, each once; what they repeat is one."""
    texts = [yaml.safe_load(text) for text in shortened.rules().values()]
    rules = [rule for text in texts for group in text["groups"] for rule in group["rules"]]
    found = [selector for rule in rules for selector in selectors(rule["expr"]) if ":" not in (selector.name or "")]
    return sorted({f"{one.name}{{{_matchers(one)}}}" for one in found})


def _matchers(selector: Any) -> str:
    words = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
    return ",".join(
        f'{one.name}{words[str(one.op).rpartition(".")[2]]}"{one.value}"' for one in selector.matchers.matchers
    )


def _named(metric: Mapping[str, str]) -> str:
    left = {name: value for name, value in sorted(metric.items()) if name not in ("__name__", "instance", "job")}
    labels = ",".join(f"{name}='{value}'" for name, value in left.items())
    return f"{metric['__name__']}{{{labels}}}"


def _rounded(value: float | None) -> float | None:
    """Whole numbers, which rules do not tell from the others: they compare with seconds and counts."""
    return value if value is None else float(round(min(value, ENDLESS)))
