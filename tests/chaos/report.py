"""One row a run, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.chaos.findings import Column
from tests.chaos.verifier import Verdict

_HEADINGS: Final = (
    "seed", "minutes", "mode", "brokers", "members", "faults", "frozen s", "processes", "records", "requests",
    "introductions", "dead letters", "heal s", "unrecorded", "duplicates / bound", "zombie sends / late",
)  # fmt: skip


def _cells(verdict: Verdict) -> list[str]:
    options = verdict.options
    return [
        str(options["seed"]),
        f"{options['minutes']:g}",
        options["mode"] + ("" if options["protocol"] == "classic" else ", KIP-848"),
        str(options["brokers"]),
        str(options["members"]),
        str(verdict.faults),
        f"{verdict.frozen_seconds:.0f}",
        str(verdict.processes),
        str(verdict.records),
        str(verdict.requests),
        str(verdict.introductions),
        str(verdict.dead_letters),
        "never" if verdict.heal_seconds is None else f"{verdict.heal_seconds:g}",
        str(verdict.unrecorded_max),
        f"{verdict.duplicates} / {verdict.duplicates_max}",
        f"{verdict.zombies} / {verdict.zombies_late}",
        *(str(verdict.count(column)) for column in Column),
        "**FAILED**" if verdict.failed else "ok",
    ]


def _heading() -> list[str]:
    return [*_HEADINGS, *(column.value for column in Column), "verdict"]


def table(verdicts: Sequence[Verdict]) -> str:
    """A Markdown table; the causes of duplicates follow, and what was asked of health."""
    rows = [_heading(), ["---"] * len(_heading()), *map(_cells, verdicts)]
    causes = [f"duplicates by cause: {verdict.causes}" for verdict in verdicts if verdict.causes]
    causes += [f"asked for their health: {verdict.health}" for verdict in verdicts if verdict.health]
    return "\n".join(["| " + " | ".join(row) + " |" for row in rows] + causes)


def append_row(path: Path, verdict: Verdict) -> None:
    """Add a row to a file, with a heading when it is new."""
    lines = [] if path.exists() else [_heading(), ["---"] * len(_heading())]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for row in [*lines, _cells(verdict)]:
            file.write("| " + " | ".join(row) + " |\n")
