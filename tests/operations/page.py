"""The table in docs/operations.md, between two comments: read, changed row by row, written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.operations.watch import Row

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
BEGIN: Final = "<!-- Made by `make operations` from runs: what is written here by hand is lost. -->\n"
END: Final = "<!-- The end of what was made. -->\n"
HEAD: Final = Row("fault", "the log says", "/readyz", "metrics", "the log says when it is over, or what ended it")
_ANCHOR: Final = re.compile(r'<a id="(?P<name>[^"]+)"></a>')


def rows(text: str) -> dict[str, Row]:
    """Name of a fault → its row, as the page has them."""
    made = text.partition(BEGIN)[2].partition(END)[0]
    found = {}
    for line in made.splitlines():
        if (anchor := _ANCHOR.search(line)) is not None:
            cells = re.split(r"(?<!\\)\|", line.replace(anchor[0], ""))[1:-1]
            found[anchor["name"]] = Row(*(cell.strip().replace("\\|", "|") for cell in cells))
    return found


def with_rows(text: str, order: Sequence[str], made: Mapping[str, Row]) -> str:
    """The page with these rows in place of those of the same faults; a fault that is not in `order` goes."""
    both = {**rows(text), **made}
    lines = [_line(HEAD), _line(Row(*["---"] * len(HEAD)))]
    lines += [_line(row._replace(fault=f'<a id="{name}"></a>{row.fault}')) for name in order if (row := both.get(name))]
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{''.join(lines)}\n{END}{rest.partition(END)[2]}"


def _line(row: Row) -> str:
    cells = (cell.replace("|", "\\|") for cell in row)
    return f"| {' | '.join(cells)} |\n"
