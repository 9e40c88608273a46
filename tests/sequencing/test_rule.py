"""THE RULE is what its two tables say: each state of a lane, each answer to each kind of request, is walked through."""

from __future__ import annotations

from itertools import product
from typing import Any, Final

import pytest

from consumer.sequencing import rule
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Delivered, Event, Kind, Misdirected, Outcome, Record, Refused, Unavailable
from consumer.sequencing.lanes import Delivery, Lane
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.rule import DeliveryKind, Meaning, Step, meaning, next_step
from tests.sequencing.given_sequencer import P0, U1

HOLD_SECONDS: Final = 10.0
NAMES: Final = {"a delete": "delete", "an identify": "identify", "an event": "track", "nothing": None}
SENT: Final = ("track", "page", "screen")
IDENTIFIED: Final = {"identified": True, "not identified": False, "not looked up": None}
OUTCOMES: Final[dict[str, list[tuple[Outcome, dict[str, bool]]]]] = {
    "accepted": [(Delivered(), {})],
    "refused": [(Refused(400), {})],
    "refused as all are": [(Refused(400), {"is_everybodys": True})],
    "failed": [(Unavailable("503"), {}), (Unavailable("429", throttled=True), {}), (Misdirected(401), {})],
    "given up": [(Unavailable("503"), {"is_given_up": True}), (Misdirected(404), {"is_given_up": True})],
}


def table(first_column: str) -> list[dict[str, str]]:
    """The rows of the table in the docstring that begins with this column."""
    lines = (rule.__doc__ or "").splitlines()
    start = next(number for number, line in enumerate(lines) if line.strip().startswith(first_column))
    names = [cell.strip() for cell in lines[start].split("|")]
    rows = []
    for line in lines[start + 2 :]:
        if "|" not in line:
            break
        rows.append(dict(zip(names, (cell.strip() for cell in line.split("|")), strict=True)))
    return rows


def lane_with(what: str, *, identified: bool | None) -> list[Lane]:
    """Lanes in which this waits: one for each kind that "an event" stands for."""
    made = []
    for sent in SENT if "an event" in what else SENT[:1]:
        lane = Lane(Assignment(P0, OffsetTracker(0)), U1, identified)
        if what == "a failed request":
            lane.put_back(Delivery(lane, DeliveryKind.EVENTS, [event("track", 0)]))
            lane.append(event("delete", 1))
        else:
            names = what.replace("behind it ", "").split(", ")
            kinds = [NAMES[name] for name in names]
            for offset, kind in enumerate(kinds):
                if kind is not None:
                    lane.append(event(sent if kind == "track" else kind, offset))
        made.append(lane)
    return made


def event(kind: str, offset: int) -> Event:
    """An event that was fetched at 100 s."""
    record = Record(P0, offset, 0, None, b"{}", None, 100.0, 2)
    return Event(record, Kind(kind), U1, f"m{offset}", "2026-11-23 10:00:00.000Z")


@pytest.mark.parametrize("row", table("what waits"), ids=lambda row: row["what waits"])
@pytest.mark.parametrize(("column", "identified"), IDENTIFIED.items())
def test_what_comes_next(row: dict[str, str], column: str, identified: bool | None) -> None:
    """For each state of a lane, in the hold and after it, with both ways to go on without an identify."""
    said = row[column]
    for lane, is_over, choice in product(
        lane_with(row["what waits"], identified=identified), (False, True), ("introduce", "dead-letter")
    ):
        now: float = 100.0 + (HOLD_SECONDS if is_over else HOLD_SECONDS - 0.1)
        unidentified: Any = choice
        step = next_step(lane, now, HOLD_SECONDS, unidentified)
        if said == "hold; then introduction or dead letter":
            afterwards = Step.INTRODUCTION if choice == "introduce" else Step.DEAD_LETTER
            assert (afterwards if is_over else Step.HOLD) is step
        else:
            assert Step(said) is step


def test_a_hold_that_was_cut_short_is_over() -> None:
    """Too much is held: the oldest go on without their identify."""
    [lane, *_] = lane_with("an event", identified=False)
    lane.hold_waived = True

    assert Step.INTRODUCTION is next_step(lane, 100.0, HOLD_SECONDS, "introduce")


@pytest.mark.parametrize("row", table("request "), ids=lambda row: row["request"])
@pytest.mark.parametrize("answer", OUTCOMES)
def test_what_an_answer_means(row: dict[str, str], answer: str) -> None:
    """For each kind of request and each kind of answer."""
    several = row["request"] == "several events"
    kind = DeliveryKind.EVENTS if "event" in row["request"] else DeliveryKind(row["request"])
    [lane, *_] = lane_with("nothing", identified=False)
    delivery = Delivery(lane, kind, [event("track", offset) for offset in range(2 if several else 1)])

    assert [Meaning(row[answer])] * len(OUTCOMES[answer]) == [
        meaning(delivery, outcome, **more) for outcome, more in OUTCOMES[answer]
    ]


def test_the_tables_name_every_step_and_every_meaning() -> None:
    """So that none is left out of them; and every column is walked through."""
    steps = {row[column] for row in table("what waits") for column in IDENTIFIED}
    meanings = {cell for row in table("request ") for name, cell in row.items() if name != "request"}

    assert {step.value for step in Step} == {word for cell in steps for word in words(cell)}
    assert {one.value for one in Meaning} == meanings
    assert {"what waits", *IDENTIFIED} == set(table("what waits")[0])
    assert {"request", *OUTCOMES} == set(table("request ")[0])


def words(cell: str) -> list[str]:
    """The steps that a cell names."""
    return cell.replace("; then ", " or ").split(" or ")
