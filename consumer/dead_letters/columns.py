"""A table that fits a terminal: columns are left out or cut, and the last one takes the room that is left. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from consumer.foreign_text import cut

GAP: Final = "  "
LAST_MIN: Final = 30
"""The last column keeps this width, at the cost of others."""
CUT_MIN: Final = 12

Row = tuple[str, ...]


def lines(
    rows: Sequence[Row], columns: int | None = None, left_out: Sequence[int] = (), cuttable: int | None = None
) -> list[str]:
    """The rows, each column as wide as it needs. `columns`: how wide a line may be; None: without a limit.

    `left_out`: which columns may be left out, in this order; `cuttable`: which may be cut beside the last.
    """
    places = list(range(len(rows[0])))
    widths = [max(len(row[place]) for row in rows) for place in places]
    if columns is None:
        return _joined(rows, places, widths)

    def too_wide() -> int:
        """By how much they are too wide, if the last column has what it needs, or what is left for it."""
        room = sum(widths[place] + len(GAP) for place in places[:-1]) + min(widths[-1], LAST_MIN)
        return room - columns

    if cuttable is not None and too_wide() > 0:
        widths[cuttable] = min(widths[cuttable], max(widths[cuttable] - too_wide(), CUT_MIN))
    for place in left_out:
        if too_wide() > 0:
            places.remove(place)
    widths[-1] = max(columns - sum(widths[place] + len(GAP) for place in places[:-1]), 1)
    return _joined(rows, places, widths)


def _joined(rows: Sequence[Row], places: Sequence[int], widths: Sequence[int]) -> list[str]:
    return [GAP.join(cut(row[place], widths[place]).ljust(widths[place]) for place in places).rstrip() for row in rows]
