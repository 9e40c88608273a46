"""Line plots as SVG, points at even steps, a whisker from the lowest to the highest round. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 80, 20, 70, 60
COLOURS = ("#1f6feb", "#d1570a", "#2da44e", "#8250df", "#bf3989", "#57606a")
"""Told apart in a colour-blind eye by their lightness too; the first is this project's."""
FONT = 'font-family="system-ui, sans-serif"'


@dataclass(frozen=True, slots=True)
class Series:
    """A line: at each point its label on the axis, median, lowest and highest."""

    name: str
    points: list[tuple[str, float, float, float]]


def line_plot(title: str, x_label: str, y_label: str, lines: list[Series]) -> str:
    """The SVG text. The vertical axis begins at 0."""
    labels = list(dict.fromkeys(label for line in lines for label, *_ in line.points))
    step, top = _scale(max((high for line in lines for *_, high in line.points), default=1.0))
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    x_of = {label: LEFT + wide * (index + 0.5) / len(labels) for index, label in enumerate(labels)}

    def y_of(value: float) -> float:
        return TOP + high * (1 - value / top)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT} font-size="12" role="img">',
        f"<title>{escape(title)}: {escape(y_label)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 20, title, 'font-size="15" font-weight="600"'),
        _text(LEFT + wide / 2, HEIGHT - 12, x_label, 'text-anchor="middle"'),
        _text(LEFT, TOP - 12, y_label, 'fill="#57606a"'),
    ]
    for index in range(round(top / step) + 1):
        y = y_of(index * step)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#d0d7de"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{index * step:,.10g}", 'text-anchor="end"'))
    parts += [_text(x, HEIGHT - BOTTOM + 20, label, 'text-anchor="middle"') for label, x in x_of.items()]
    legend_x = float(LEFT)
    for line, colour in zip(lines, COLOURS, strict=False):
        spots = [(x_of[label], y_of(middle), y_of(low), y_of(up)) for label, middle, low, up in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in spots)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y, low, up in spots:
            parts.append(f'<path d="M{x:.1f} {low:.1f}V{up:.1f}" stroke="{colour}"/>')
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
        parts.append(f'<rect x="{legend_x:.0f}" y="32" width="10" height="10" fill="{colour}"/>')
        parts.append(_text(legend_x + 15, 41, line.name))
        legend_x += 40 + 7 * len(line.name)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text(x: float, y: float, text: str, attributes: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{escape(text)}</text>'


def _scale(largest: float) -> tuple[float, float]:
    """Round steps: the distance of the lines, and the top of the axis."""
    largest = largest or 1.0
    rough = largest / 5
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(magnitude * factor for factor in (1, 2, 2.5, 5, 10) if magnitude * factor >= rough)
    return step, step * math.ceil(largest / step)
