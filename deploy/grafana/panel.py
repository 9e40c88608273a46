"""What a panel of the dashboard is, and the usual ones.

An expression names metrics with the labels that it wants; dashboard.py adds job, instance and topic to each of them. A
title that is not given is the metric's own help (consumer/ops/metrics_table.py); units come from the metrics' names.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypedDict, Unpack

WINDOW: Final = "$__rate_interval"
Kind = Literal["timeseries", "stat", "state-timeline", "table"]
Limit = str | int
"""The name of a threshold in deploy/prometheus/recording.yml; or 1, where one is already too many."""


class Query(NamedTuple):
    """One expression, and the name of its series."""

    expression: str
    legend: str


class Panel(NamedTuple):
    """One picture."""

    reads: str
    """What somebody on call reads off it."""
    queries: tuple[Query, ...]
    title: str | None = None
    kind: Kind = "timeseries"
    unit: str | None = None
    red: Limit | None = None
    yellow: Limit | None = None
    below: bool = False
    """It is the low figures that are bad."""
    stacked: bool = False
    colors: tuple[tuple[str, str], ...] = ()
    """Of series whose names begin so."""
    width: int = 8
    """Of 24."""
    of_group: bool = False
    """Of all members, whichever instance is chosen."""
    of_rekey: bool = False
    """Of the job of `rekey`, whose instances and topic are others."""


class Options(TypedDict, total=False):
    """What may be said of a panel."""

    title: str
    kind: Kind
    unit: str
    red: Limit
    yellow: Limit
    below: bool
    stacked: bool
    colors: tuple[tuple[str, str], ...]
    width: int
    of_group: bool
    of_rekey: bool


def panel(reads: str, *queries: tuple[str, str], **options: Unpack[Options]) -> Panel:
    """Make a panel of expressions, each with the name of its series."""
    return Panel(reads, tuple(Query(*query) for query in queries), **options)


def stat(reads: str, expression: str, legend: str, **options: Unpack[Options]) -> Panel:
    """Make one figure; six stand beside each other."""
    return Panel(reads, (Query(expression, legend),), **options)._replace(kind="stat", width=4)


def quantiles(reads: str, metric: str, **options: Unpack[Options]) -> Panel:
    """Make the usual three of a histogram."""
    buckets = f"sum by (le) (rate({metric}_bucket[{WINDOW}]))"
    queries = [Query(f"histogram_quantile({part}, {buckets})", f"p{part * 100:g}") for part in (0.5, 0.95, 0.99)]
    return Panel(reads, tuple(queries), **options)


def burn(reads: str, budget: str, legend: str, title: str) -> Panel:
    """Make the burn rates of one budget, over windows that alerts look at."""
    queries = [
        Query(f"customfit:{budget}:burn{window}", f"{legend}{window}") for window in ("5m", "1h", "6h", "1d", "3d")
    ]
    return Panel(reads, tuple(queries), title, unit="none", red="burn_1h", yellow="burn_3d", of_group=True)
