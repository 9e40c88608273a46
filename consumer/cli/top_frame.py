"""One frame of `top`: what members have said, as a table that fits the terminal. Pure but for what rich measures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from consumer.cli.status_reader import MemberStatus
from consumer.cli.status_shape import PartitionTold, Status, WaitingTold
from consumer.cli.top_texts import ago, count, rate, seconds, spark
from consumer.foreign_text import printable

STYLES: Final[Mapping[str, str]] = {
    "ready": "bold white on green4",
    "degraded": "bold black on orange1",
    "paused": "bold black on orange1",
    "stopped": "bold white on red3",
    "stuck": "bold white on red3",
    "no answer": "bold white on grey37",
}
BUSY: Final = "bold white on dodger_blue3"
SECTION: Final = "bold"
MUTED: Final = "bright_black"
PLAIN: Final = str.maketrans({"·": "|", "…": "~"})
"""For a terminal without such letters."""
TEXT_CHARACTERS_MAX: Final = 1000
ROWS_MAX: Final = 8
"""Most rows in each table below the members."""

Said = tuple[str, Status]
"""A member's number, if there are several, and its status."""


def asking() -> RenderableType:
    """Shown before the first answer."""
    return Text("asking the members how they are; q ends it", style=MUTED)


def frame(answers: Sequence[MemberStatus], console: Console, lines_max: int | None) -> Text:
    """All members. What does not fit into `lines_max` lines is left out from the bottom."""
    is_unicode = console.encoding.lower().startswith("utf")
    several = len(answers) > 1
    told: list[Said] = [(str(n), each.status) for n, each in enumerate(answers, 1) if each.status is not None]
    parts: list[RenderableType] = []
    for number, answer in enumerate(answers, 1):
        head = _head(answer, f"{number}: " if several else "")
        parts += _member(answer, head, console.width, is_unicode=is_unicode)
    parts += [*_partitions(told, several=several), *_waiting(told, several=several)]
    parts += [*_problems(told, several=several), *_letters(told)]
    lines = [line for part in parts for line in console.render_lines(part, pad=False, new_lines=False)]
    shown = lines if lines_max is None else lines[: max(lines_max - 1, 1)]
    text = Text("\n").join(_joined(line) for line in shown)
    if lines_max is not None:
        left_out = f" · {len(lines) - len(shown)} lines do not fit" if len(lines) > len(shown) else ""
        text.append(f"\nq ends it · asks every 2 s{left_out}", style=MUTED)
    if not is_unicode:
        plain = Text(text.plain.translate(PLAIN))
        plain.spans = list(text.spans)
        return plain
    return text


def _joined(line: Sequence[Any]) -> Text:
    text = Text()
    for segment in line:
        text.append(segment.text, segment.style)
    text.rstrip()
    return text


# --- a member


def _head(answer: MemberStatus, number: str) -> Text:
    """How it is, and which member it is."""
    status = answer.status
    word = "no answer" if status is None else status["status"]
    head = Text(f" {printable(word.upper(), 20)} ", style=STYLES.get(word, BUSY))
    name = answer.place if status is None else status["member"]["host"]
    head.append(f" {number}{printable(name, 40)}  ", style="not bold default on default")
    return head


def _member(answer: MemberStatus, head: Text, width: int, *, is_unicode: bool) -> Iterator[RenderableType]:
    if answer.status is None:
        since = answer.silent_since
        heard = "" if since is None else f"; last heard {ago((datetime.now(UTC) - since).total_seconds())} ago"
        head.append(printable(f"{answer.problem}{heard}"), style=f"not bold {MUTED} on default")
        yield from (head, Text())
        return
    status, first, member = answer.status, answer.status["first"], answer.status["member"]
    about = f"up {ago(status['uptime_seconds'])} · {status['version']} · {member['topic']} · {member['group']}"
    head.append(printable(about), style=f"not bold {MUTED} on default")
    yield _whole(head)
    yield Text(printable(first["text"], TEXT_CHARACTERS_MAX), style="bold")
    if first["do"]:
        yield Text(printable(f"{first['do']} ({first['runbook']})", TEXT_CHARACTERS_MAX))
    others = [*(one for one in status["reasons"] if one != first["text"]), *status.get("notes", [])]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        yield _whole(Text(f"+ {printable(others[0], max(width - 16, 20))}{more}", style=MUTED))
    yield _figures(answer, width, is_unicode=is_unicode)


def _figures(answer: MemberStatus, width: int, *, is_unicode: bool) -> RenderableType:
    """Two figures a line, each with its last 15 minutes."""
    assert answer.status is not None
    series, now = answer.series, answer.status["now_series"]
    limit = answer.status["requests_in_flight_limit"]
    each = [
        ("delivered", rate(now.get("delivered_per_second")), "delivered_per_second", 10),
        ("lag", count(now.get("lag_events")), "lag_events", 500),
        ("latency p99", seconds(now.get("latency_p99_seconds")), "latency_p99_seconds", 0.5),
        ("behind for", seconds(now.get("lag_seconds")), "lag_seconds", 10),
        ("failed", rate(now.get("retries_per_second")), "retries_per_second", 1),
        ("in flight", f"{count(now.get('requests_in_flight'))} of {limit}", "requests_in_flight", 16),
    ]
    columns = max((width - 2 * 26 - 3) // 2, 4)
    grid = Table.grid(padding=(0, 1))
    for _ in range(2):
        grid.add_column(width=11, style=MUTED)
        grid.add_column(width=11, justify="right")
        grid.add_column(width=columns, style="cyan")
    for left, right in zip(each[::2], each[1::2], strict=True):
        cells = []
        for name, value, key, least in (left, right):
            cells += [name, value, spark(series.get(key, []), columns, least, is_unicode=is_unicode)]
        grid.add_row(*cells)
    return Group(grid, Text())


# --- what is wrong, of all members together


def _partitions(told: Sequence[Said], *, several: bool) -> Iterator[RenderableType]:
    all_of = [(name, one) for name, status in told for one in status["partitions"]]
    wrong = [(name, one) for name, one in all_of if one["problem"] or one["why"] or not one["is_ours"]]
    wrong.sort(key=lambda found: (not found[1]["problem"], -_behind(found[1]), found[0], found[1]["partition"]))
    behind = sum(one["lag_events"] or 0 for _, one in all_of)
    waits = f"{len(wrong)} of {len(all_of)} wait" if wrong else f"{len(all_of)}, nothing is wrong with them"
    yield _section("partitions", f"{waits} · {count(behind)} events behind")
    rows = [
        (name, f"{one['topic']}-{one['partition']}", count(one["lag_events"]), seconds(one["lag_seconds"]), _why(one))
        for name, one in wrong
    ]
    yield from _table(rows, "lrrl", several=several)


def _behind(one: PartitionTold) -> int:
    """How late, roughly, so that rows stand still."""
    return int(math.log2(max(one["lag_seconds"] or 0.0, 0.0) + 1.0))


def _why(one: PartitionTold) -> str:
    return one["problem"] or one["why"] or "the group took it away"


def _waiting(told: Sequence[Said], *, several: bool) -> Iterator[RenderableType]:
    lanes = [(name, status["now"], one) for name, status in told for one in status["waiting"]]
    lanes.sort(key=lambda found: found[2]["since"])
    if not lanes:
        return
    yield _section("users who wait longest", count(sum(status["users_retrying"] for _, status in told)) + " retrying")
    rows = [
        (name, one["user"], f"for {_between(one['since'], now)}", _tries(one), _next(one, now), one["why"])
        for name, now, one in lanes
    ]
    yield from _table(rows, "lrlrl", several=several)


def _tries(one: WaitingTold) -> str:
    return f"attempt {one['attempts']}, {one['last_answer'] or 'no answer'}" if one["attempts"] else ""


def _next(one: WaitingTold, now: datetime) -> str:
    at = one["next_try"] or (one["given_up"] if one["kind"] == "held" else None)
    if not at:
        return ""
    return f"next in {_between(now, at)}" if at > now else "next now"


def _problems(told: Sequence[Said], *, several: bool) -> Iterator[RenderableType]:
    found = [(name, status["now"], one) for name, status in told for one in status["problems"]]
    found.sort(key=lambda each: each[2]["last"], reverse=True)
    if not found:
        return
    yield _section("problems", "since the start")
    rows = [
        (
            name,
            f"{one['stage']}: {one['kind']}",
            f"x{count(one['count'])}",
            f"{_between(one['last'], now)} ago",
            one["text"],
        )
        for name, now, one in found
    ]
    yield from _table(rows, "lrrl", several=several)


def _letters(told: Sequence[Said]) -> Iterator[RenderableType]:
    counts: dict[tuple[str, str], int] = {}
    for _, status in told:
        for one in status["dead_letters"]:
            key = one["reason"], one["command"]
            counts[key] = counts.get(key, 0) + one["count"]
    if counts:
        yield _section("dead letters", f"{count(sum(counts.values()))} since the start")
        rows = [("", reason, count(number), command) for (reason, command), number in counts.items()]
        yield from _table(rows, "lrl", several=False)


def _section(name: str, about: str) -> RenderableType:
    text = Text(name.upper(), style=SECTION)
    text.append(f"  {about}", style=f"not bold {MUTED}")
    return _whole(text)


def _table(rows: Sequence[tuple[str, ...]], justify: str, *, several: bool) -> Iterator[RenderableType]:
    """Rows whose first cell is the member. The last cell takes the room that is left."""
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    if several:
        grid.add_column(style=MUTED, no_wrap=True)
    for place, letter in enumerate(justify):
        is_last = place == len(justify) - 1
        grid.add_column(
            justify="right" if letter == "r" else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if is_last else None,
        )
    for row in rows[:ROWS_MAX]:
        cells = [Text(printable(str(cell), 300)) for cell in row]
        grid.add_row(*(cells if several else cells[1:]))
    if rows:
        yield grid
    if len(rows) > ROWS_MAX:
        yield Text(f"and {len(rows) - ROWS_MAX} more", style=MUTED)
    yield Text()


def _whole(text: Text) -> Text:
    """The whole text on one line."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _between(earlier: datetime, later: datetime) -> str:
    return ago((later - earlier).total_seconds())
