"""The result of an audit. Pure."""

from __future__ import annotations

from typing import NamedTuple

from consumer.audit.gaps import Run
from consumer.audit.judge import AuditedEnd
from consumer.audit.window import Window


class Verdict(NamedTuple):
    """The verdict on a window."""

    window: Window
    records: int
    counts: dict[tuple[AuditedEnd, str], int]
    gaps: int
    runs: list[Run]
    """The first of the gaps, as runs."""
    notes: list[str]
    proofs: list[str]
    """Who said what arrived: `ledger`, `receipts`, or nobody."""

    def count(self, end: AuditedEnd) -> int:
        """How many events ended in this way."""
        return sum(count for (one, _), count in self.counts.items() if one is end)
