"""Figures as `top` shows them, in the words of the page; and 15 minutes as a row of bars. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

BARS: Final = "▁▂▃▄▅▆▇█"
PLAIN_BARS: Final = "_.:-=+*#"
WINDOWS_SECONDS: Final = (120, 300, 900)
"""The smallest window that holds what is known: for a process that has just started, the picture is larger."""


def count(value: float | None) -> str:
    """`12,345`."""
    return "-" if value is None else f"{round(value):,}"


def rate(value: float | None) -> str:
    """`420/s`."""
    if value is None:
        return "-"
    return f"{value:,.0f}/s" if value >= 10 or value == 0 else f"{value:.{1 if value >= 0.1 else 2}f}/s"


def seconds(value: float | None) -> str:
    """`42 ms`, `1.2 s`, `2 min 5 s`."""
    if value is None:
        return "-"
    if value == 0:
        return "0 s"
    if value < 0.9995:
        return f"{max(round(value * 1000), 1)} ms"
    return f"{value:.1f} s" if value < 10 else ago(value)


def ago(value: float) -> str:
    """In whole units, the two largest."""
    whole = max(round(value), 0)
    if whole < 120:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 7200:
        return f"{whole // 60} min"
    if whole < 172_800:
        return f"{whole // 3600} h {whole // 60 % 60} min"
    return f"{whole // 86_400} d {whole // 3600 % 24} h"


def spark(values: Sequence[float | None], columns: int, least: float, *, is_unicode: bool) -> str:
    """The last minutes in `columns` letters, each as high as the highest of its seconds; a gap: none is known.

    `least`: a full bar stands for at least this, so that a calm run looks calm.
    """
    bars = BARS if is_unicode else PLAIN_BARS
    length = next((each for each in WINDOWS_SECONDS if len(values) <= each), WINDOWS_SECONDS[-1])
    padded = [None] * (length - len(values)) + list(values)[-length:]
    edges = [round(length * place / columns) for place in range(columns + 1)]
    known = [[value for value in padded[low:high] if value is not None] for low, high in pairwise(edges)]
    peaks = [max(found) if found else None for found in known]
    highest = max((peak for peak in peaks if peak is not None), default=least)
    return "".join(_bar(peak, max(highest, least), bars) for peak in peaks)


def _bar(peak: float | None, full: float, bars: str) -> str:
    if peak is None:
        return " "
    return bars[round(max(peak, 0.0) / full * (len(bars) - 1))]
