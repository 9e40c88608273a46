"""The tables in docs/symptoms.md, each between two comments: read, changed row by row, written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

from tests.operations.alerting import AlertRow
from tests.operations.watch import Row

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "symptoms.md"
_ANCHOR: Final = re.compile(r'<a id="(?P<name>[^"]+)"></a>')
_Row = TypeVar("_Row", Row, AlertRow)


class Table(Generic[_Row]):
    """One of them; the first cell of each row has the anchor by which it is found."""

    def __init__(self, begin: str, end: str, head: _Row, prefix: str = "") -> None:
        self._begin, self._end, self._prefix = f"<!-- {begin} -->\n", f"<!-- {end} -->\n", prefix
        self._head: _Row = head

    def rows(self, text: str) -> dict[str, _Row]:
        """Name of a fault → its row, as the page has them."""
        made = text.partition(self._begin)[2].partition(self._end)[0]
        found = {}
        for line in made.splitlines():
            if (anchor := _ANCHOR.search(line)) is not None:
                cells = re.split(r"(?<!\\)\|", line.replace(anchor[0], ""))[1:-1]
                row = [cell.strip().replace("\\|", "|") for cell in cells]
                found[anchor["name"].removeprefix(self._prefix)] = type(self._head)(*row)
        return found

    def with_rows(self, text: str, order: Sequence[str], made: Mapping[str, _Row]) -> str:
        """The page with these rows in place of those of the same faults; a fault that is not in `order` goes."""
        both = {**self.rows(text), **made}
        lines = [_line(self._head), _line(["---"] * len(self._head))]
        for name in order:
            if (row := both.get(name)) is not None:
                fault, *others = row
                lines.append(_line([f'<a id="{self._prefix}{name}"></a>{fault}', *others]))
        before, _, rest = text.partition(self._begin)
        return f"{before}{self._begin}\n{''.join(lines)}\n{self._end}{rest.partition(self._end)[2]}"


FAULTS: Final = Table(
    "Made by `make operations` from runs: what is written here by hand is lost.",
    "The end of what was made.",
    Row(
        "fault",
        "the log says",
        "/readyz",
        "the page",
        "`top`",
        "metrics",
        "the log says when it is over, or what ended it",
    ),
)
ALERTS: Final = Table(
    "The alerts, made by `make operations` from runs: what is written here by hand is lost.",
    "The end of the alerts.",
    AlertRow("scene", "the page", "fires first", "fires then", "Alertmanager tells of", "first lines", "alerts end"),
    "alerts-of-",
)


def _line(row: Sequence[str]) -> str:
    cells = (cell.replace("|", "\\|") for cell in row)
    return f"| {' | '.join(cells)} |\n"
