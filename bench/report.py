"""The results as tables and plots: `python -m bench.report` renders bench/results into docs/performance.md.

In that page everything between `<!-- NAME -->` and `<!-- /NAME -->` is made here: the contenders, the scenarios, the
results. Plots lie beside it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from bench.contenders import CONTENDERS, OURS
from bench.plots import Series, line_plot
from bench.scenarios import SCENARIOS

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"

Rounds = list[dict[str, Any]]


def main() -> int:
    """Render what was measured."""
    results = [json.loads(file.read_text()) for file in sorted(RESULTS.glob("*.json"))]
    for name, text in plots(results):
        path = PAGE.parent / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    PAGE.write_text(rendered(PAGE.read_text(), results))
    return 0


def rendered(page: str, results: list[dict[str, Any]]) -> str:
    """The page with its three parts made again; trials are left out."""
    order = [*SCENARIOS, "accounting", "profile"]
    shown = sorted((r for r in results if not r["trial"]), key=lambda r: order.index(r["scenario"]))
    parts = {
        "contenders": table(["", "what it is"], [[f"`{c.name}`", c.title] for c in CONTENDERS.values()]),
        "scenarios": table(["scenario", "what is measured"], [[f"`{s.name}`", s.title] for s in SCENARIOS.values()]),
        "results": "\n".join(section(result, with_plots=True) for result in shown),
    }
    for name, text in parts.items():
        pattern = re.compile(f"<!-- {name} -->\n.*?<!-- /{name} -->", re.DOTALL)
        assert pattern.search(page), f"no place for the {name}"
        page = pattern.sub(lambda _found, n=name, t=text: f"<!-- {n} -->\n{t}<!-- /{n} -->", page)  # type: ignore[misc]
    return page


# ------------------------------------------------------------------ words


def table(head: list[str], rows: list[list[str]]) -> str:
    """As Markdown, with a line end behind each row."""
    lines = ["| " + " | ".join(row) + " |\n" for row in [head, *rows]]
    return lines[0] + "|" + "---|" * len(head) + "\n" + "".join(lines[1:])


def section(result: dict[str, Any], *, with_plots: bool = False) -> str:
    """One scenario as Markdown."""
    parts = [f"### {result['title']} (`{result['scenario']}`)\n", _measured_on(result) + "\n"]
    if result["scenario"] == "accounting":
        parts.append(_accounting(result))
    elif result["scenario"] == "profile":
        parts.append(_profile(result))
    elif result["axis"]:
        rows = [row for point in result["points"] for row in _rows(result, point)]
        parts += [_conditions(result["points"][0], result["axis"]), table(_head(result), rows)]
    else:
        for point in result["points"]:
            parts += [_conditions(point), table(_head(result), _rows(result, point))]
    if with_plots and result.get("axis"):
        pictures = [
            f"![{y_label}](performance/{result['scenario']}-{name}.svg)" for name, (y_label, _) in PLOTTED.items()
        ]
        parts.append("\n".join(pictures) + "\n")
    return "\n".join(parts)


def _measured_on(result: dict[str, Any]) -> str:
    machine = result["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    trial = " **A trial, not for quoting.**" if result["trial"] else ""
    changed = " with changes" if machine["changed_since_commit"] else ""
    return (
        f"{result['started'][:10]}, commit {machine['commit']}{changed}: {machine['cores']} cores of {machine['cpu']},"
        f" {machine['memory_gib']} GiB; Python {machine['python']}, Java {machine['java']}, Go {machine['go']};"
        f" {packages}. Load average at the start: {machine['load_average']:.2f}.{trial}"
    )


def _conditions(point: dict[str, Any], axis: str | None = None) -> str:
    """In one line; where points differ in something, the first one's."""
    workload = point["workload"]
    rounds = max((len(rounds) for rounds in point["rounds"].values()), default=0)
    conditions = (
        f"{_counted(workload['users'], 'user')}, {workload['events']:,} events in"
        f" {_counted(point['partitions'], 'partition')}, {point['latency_ms']:g} ms, {point['in_flight']} at once,"
        f" {_counted(rounds, 'round')}"
    )
    return f"At the first point: {conditions}.\n" if axis else f"**{point['x']}**: {conditions}.\n"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _head(result: dict[str, Any]) -> list[str]:
    axis = [result["axis"]] if result["axis"] else []
    if result["shows"] == "restore":
        return [
            *axis,
            "",
            "users",
            "seconds until ready",
            "started once more",
            "and until its first delivery",
            "CPU seconds",
            "peak memory MB",
            "state MB",
            "order",
        ]
    if result["shows"] == "latency":
        return [*axis, "", "p50 ms", "p99 ms", "longest ms", "CPU %", "peak memory MB", "order"]
    figures = [
        "events/s",
        f"times {OURS}",
        "CPU s per 100,000",
        "peak memory MB",
        "events a request",
        "state MB",
        "order",
    ]
    return [*axis, "", *figures]


def _rows(result: dict[str, Any], point: dict[str, Any]) -> list[list[str]]:
    axis = [_shown(point["x"])] if result["axis"] else []
    row = {"throughput": _throughput_row, "latency": _latency_row, "restore": _restore_row}[result["shows"]]
    ours = point["rounds"].get(OURS)
    return [[*axis, name, *row(rounds, ours)] for name, rounds in point["rounds"].items()]


def _shown(x: float | str) -> str:
    return x if isinstance(x, str) else f"{x:,}"


def _throughput_row(rounds: Rounds, ours: Rounds | None) -> list[str]:
    requests = [r["events_per_request"] for r in rounds if "events_per_request" in r]
    states = [r["state_mb"] for r in rounds if r.get("state_mb")]
    return [
        spread([r["events_per_second"] for r in rounds]),
        _ratio(rounds, ours),
        spread([r["cpu_seconds_per_100k"] for r in rounds], 2),
        spread([r["peak_memory_mb"] for r in rounds]),
        f"{median(requests):.1f}" if requests else "",
        spread(states, 1) if states else "",
        _order(rounds),
    ]


def _latency_row(rounds: Rounds, _ours: Rounds | None) -> list[str]:
    columns = [spread([r[key] for r in rounds], 1) for key in ("p50_ms", "p99_ms", "max_ms", "cpu_percent")]
    return [*columns, spread([r["peak_memory_mb"] for r in rounds]), _order(rounds)]


def _restore_row(rounds: Rounds, _ours: Rounds | None) -> list[str]:
    columns = [
        ("users", 0),
        ("ready_seconds", 1),
        ("ready_again_seconds", 1),
        ("delivers_again_seconds", 1),
        ("cpu_seconds", 1),
        ("peak_memory_mb", 0),
        ("state_mb", 1),
    ]
    return [*(spread([r[key] for r in rounds], digits) for key, digits in columns), _order(rounds)]


def _accounting(result: dict[str, Any]) -> str:
    rows = [[part, spread(values, 2)] for part, values in result["microseconds"].items()]
    note = f"{result['events']:,} events in {result['requests']:,} requests.\n\n"
    return note + table(["part", "microseconds of CPU an event"], rows)


def _profile(result: dict[str, Any]) -> str:
    threads = [[f"`{name}`", f"{cost:.1f}"] for name, cost in result["threads"]]
    functions = [[thread, f"`{place}`", f"{cost:.1f}"] for thread, place, cost in result["functions"]]
    note = f"{result['events']:,} events, {result['events_per_request']:.1f} a request.\n\n"
    unit = "microseconds of CPU an event"
    return f"{note}{table(['thread', unit], threads)}\n{table(['thread', 'function', unit], functions)}"


def spread(values: list[float], digits: int = 0) -> str:
    """The median, and what it lies between."""
    low, middle, high = (f"{value:,.{digits}f}" for value in (min(values), median(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def _ratio(rounds: Rounds, ours: Rounds | None) -> str:
    if not ours:
        return ""
    return spread([a["events_per_second"] / b["events_per_second"] for a, b in zip(rounds, ours, strict=True)], 2)


def _order(rounds: Rounds) -> str:
    if all("out_of_order_or_twice" not in r for r in rounds):
        return ""
    return "BROKEN" if any(map(broke, rounds)) else "kept"


def broke(figures: dict[str, Any]) -> bool:
    """Whether an event came out of order, twice, before its user's identify, or was not understood."""
    checks = ("out_of_order_or_twice", "before_identify", "not_understood")
    return any(figures.get(check) for check in checks)


def is_broken(result: dict[str, Any]) -> bool:
    """Whether any contender's order was."""
    return any(broke(r) for point in result.get("points", []) for rounds in point["rounds"].values() for r in rounds)


# ------------------------------------------------------------------ plots

PLOTTED = {
    "rate": ("events/s", "events_per_second"),
    "cost": ("CPU seconds per 100,000 events", "cpu_seconds_per_100k"),
}


def plots(results: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Each plot's path beside the page, and its text; none of trials."""
    for result in results:
        if result.get("axis") and not result["trial"]:
            for name, (y_label, _) in PLOTTED.items():
                text = line_plot(result["title"], result["axis"], y_label, series(result, name))
                yield f"performance/{result['scenario']}-{name}.svg", text


def series(result: dict[str, Any], measure: str) -> list[Series]:
    """One line a contender: median, lowest and highest at each point."""
    key = PLOTTED[measure][1]
    names = list(dict.fromkeys(name for point in result["points"] for name in point["rounds"]))
    lines = []
    for name in names:
        points = []
        for point in result["points"]:
            values = [r[key] for r in point["rounds"].get(name, ())]
            if values:
                points.append((_shown(point["x"]), median(values), min(values), max(values)))
        lines.append(Series(name, points))
    return lines


if __name__ == "__main__":
    sys.exit(main())
