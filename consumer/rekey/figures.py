"""What the process of `rekey` counts and shows: written by its loop, read by the threads of its pages."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from consumer.rekey.rewriting import End

LabelValues = tuple[str, ...]
SILENT_SECONDS: Final = 10.0
"""The loop turns many times a second, but a commit that is not answered is waited for."""
LOOP_SILENT_SECONDS_MAX: Final = 120.0
STUCK_SECONDS: Final = 15.0
"""Records wait, and nothing was written for so long."""


@dataclass(slots=True)
class Figures:
    """The figures of one process."""

    phase: Literal["starting", "running", "stopping"] = "starting"
    joined: bool = False
    turned_at: float = field(default_factory=time.monotonic)
    wrote_at: float = field(default_factory=time.monotonic)
    """When a transaction was committed last, or when there was nothing to write."""
    problem: str | None = None
    """Why the last transaction was not committed."""
    client_problem: str | None = None
    denied: str | None = None
    """A right on source or target that is missing. Without that on the source it has no partitions: nothing waits."""
    ends: Counter[End] = field(default_factory=lambda: Counter(dict.fromkeys(End, 0)))
    written: int = 0
    older: int = 0
    """Records that were written behind a newer one of another partition."""
    committed: int = 0
    aborted: int = 0
    transaction_seconds: float = 0.0
    waiting: int = 0
    waiting_bytes: int = 0
    set_aside: int = 0
    """Partitions whose next record waits for its schema."""
    lags: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Offsets that are not written, by topic and partition."""
    since: Mapping[tuple[str, str], float | None] = field(default_factory=dict)
    """The same: when the oldest of these was produced, by the monotonic clock; None: all are written."""


class Figure(NamedTuple):
    """A row of the table of metrics."""

    name: str
    kind: Literal["gauge", "counter"]
    labels: LabelValues
    help: str

    @property
    def shown(self) -> str:
        """Its name in /metrics."""
        return f"{self.name}_total" if self.kind == "counter" else self.name

    def samples(self, figures: Figures, now: float) -> Iterable[tuple[LabelValues, float]]:
        """What it is now."""
        match self.name:
            case "customfit_rekey_ready":
                return [((), not_ready(figures, now) is None)]
            case "customfit_rekey_records":
                return [((end.value,), count) for end, count in list(figures.ends.items())]
            case "customfit_rekey_transactions":
                return [(("committed",), figures.committed), (("aborted",), figures.aborted)]
            case "customfit_rekey_lag_events":
                return figures.lags.items()
            case "customfit_rekey_lag_seconds":
                since = figures.since.items()
                return [(labels, 0.0 if at is None else max(now - at, 0.0)) for labels, at in since]
            case _:
                return [((), getattr(figures, _FIELDS[self.name]))]


FIGURES: Final = (
    Figure("customfit_rekey_ready", "gauge", (), "1 exactly when its /readyz answers 200"),
    Figure(
        "customfit_rekey_records",
        "counter",
        ("end",),
        "Records of the source that are written, by what became of them",
    ),
    Figure("customfit_rekey_written_records", "counter", (), "Records written to the target"),
    Figure(
        "customfit_rekey_older_records",
        "counter",
        (),
        "Records written behind a newer one, because they were not waited for any longer",
    ),
    Figure("customfit_rekey_transactions", "counter", ("result",), "Transactions that have ended"),
    Figure(
        "customfit_rekey_transaction_seconds",
        "counter",
        (),
        "How long transactions were open, together",
    ),
    Figure("customfit_rekey_waiting_records", "gauge", (), "Records that are read and not written"),
    Figure("customfit_rekey_waiting_bytes", "gauge", (), "Bytes of these records"),
    Figure(
        "customfit_rekey_lag_events",
        "gauge",
        ("topic", "partition"),
        "End of the log minus committed offset, of its partitions",
    ),
    Figure(
        "customfit_rekey_lag_seconds",
        "gauge",
        ("topic", "partition"),
        "Age of the oldest record that is not written, by its timestamp; 0: all are written",
    ),
)
_FIELDS: Final = {
    "customfit_rekey_written_records": "written",
    "customfit_rekey_older_records": "older",
    "customfit_rekey_transaction_seconds": "transaction_seconds",
    "customfit_rekey_waiting_records": "waiting",
    "customfit_rekey_waiting_bytes": "waiting_bytes",
}


def produced_at(lag: int, oldest_ms: int | None, before: float | None, now: float, wall_ms: int) -> float | None:
    """When a partition's oldest record that is not written was produced, by the monotonic clock; None: all is written.

    `oldest_ms`: its time, None while it is not here; then it is `before`, what was known until now, or counts from now.
    """
    if not lag:
        return None
    if oldest_ms is None:
        return now if before is None else before
    return now - max(wall_ms - oldest_ms, 0) / 1000


def not_alive(figures: Figures, now: float) -> str | None:
    """Why a restart would help; None: it would not."""
    silent = now - figures.turned_at
    return f"the loop has not turned for {silent:.0f} s" if silent > LOOP_SILENT_SECONDS_MAX else None


def not_ready(figures: Figures, now: float) -> str | None:
    """Why it does not do its work; None: it does."""
    if figures.phase != "running":
        return figures.phase
    if not figures.joined:
        return figures.problem or figures.client_problem or "the consumer group has not answered yet"
    if figures.denied is not None:
        return figures.denied
    said = figures.problem or figures.client_problem
    if (silent := now - figures.turned_at) > SILENT_SECONDS:
        return f"the loop has not turned for {silent:.0f} s{(said and f': {said}') or ''}"
    if figures.problem is not None:
        return figures.problem
    if (stuck := now - figures.wrote_at) > STUCK_SECONDS:
        return f"records wait, and none was written for {stuck:.0f} s{(said and f': {said}') or ''}"
    return None
