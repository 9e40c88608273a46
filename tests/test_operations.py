"""Every cause is known: docs/symptoms.md has what it shows, from a run, docs/operations.md what to do about it."""

from __future__ import annotations

import re

import pytest

from consumer.ops.causes import Cause
from consumer.sequencing.stops import StopCause
from tests.operations import page
from tests.operations.expected import EXPECTED
from tests.operations.run import FAULTS
from tests.operations.watch import Row

TEXT = page.PAGE.read_text(encoding="utf-8")
ROWS = page.FAULTS.rows(TEXT)
OPERATIONS = page.PAGE.with_name("operations.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^### (\w+)$", OPERATIONS, re.MULTILINE)


def _is_excused(cause: str) -> bool:
    """Whether the page says below the table why no run has shown it."""
    return re.search(rf"^- `{cause}`: \S", TEXT, re.MULTILINE) is not None


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_of_readiness_has_a_row_from_a_run_or_a_reason_why_not(cause: Cause) -> None:
    """Who adds a cause adds the fault that shows it, and runs `make operations`."""
    gauge = f'`customfit_degraded{{cause="{cause.value}"}}` 1'

    assert any(gauge in row.metrics for row in ROWS.values()) or _is_excused(cause.value)


@pytest.mark.parametrize("cause", StopCause)
def test_each_cause_of_a_stop_has_a_row_from_a_run_or_a_reason_why_not(cause: StopCause) -> None:
    """The same for partitions that stand still until somebody acts."""
    gauge = f'`customfit_partition_stopped{{cause="{cause.value}",'

    assert any(gauge in row.metrics for row in ROWS.values()) or _is_excused(cause.value)


def test_each_cause_has_one_heading() -> None:
    """An alert links to it: #destination_stopped."""
    assert sorted({cause.value for cause in [*Cause, *StopCause]}) == sorted(HEADINGS)


def test_the_rows_are_those_of_the_faults_that_are_run() -> None:
    """In their order, each with something in every cell: run `make operations`."""
    assert [fault.__name__ for fault in FAULTS] == list(ROWS)
    assert all(all(row) for row in ROWS.values())


def test_the_rows_of_alerts_are_those_of_the_scenes_that_expect_some() -> None:
    """From runs in which the right alert came first, nobody was told of another, and all ended: `make operations`."""
    found = page.ALERTS.rows(TEXT)

    assert sorted(EXPECTED) == sorted(found)
    assert all(all(row) for row in found.values())
    assert {name: one.first for name, one in EXPECTED.items() if one.first} == {
        name: row.first.partition(" ")[0] for name, row in found.items() if row.first != "none"
    }
    assert {name: ", ".join(sorted(one.told)) or "nobody" for name, one in EXPECTED.items()} == {
        name: row.told for name, row in found.items()
    }


def test_a_row_that_is_written_is_read_as_it_was() -> None:
    """Whatever stands in it; the others and the text around them stay."""
    row = Row("a | b", "WARNING c", "200 degraded: d", "the same", "the same", '`e{f="g"}` 1', "h")
    order = ["new", *ROWS]
    written = page.FAULTS.with_rows(TEXT, order, {"new": row})

    assert {"new": row, **ROWS} == page.FAULTS.rows(written)
    assert TEXT == page.FAULTS.with_rows(written, list(ROWS), {})
