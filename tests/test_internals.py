"""ARCHITECTURE.md and docs/internals are true: what they name exists; invariants have faults, decisions a day."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from tests.edge_faults.rooms import FAULTS as EDGE_FAULTS
from tests.simulation import test_faults as simulated
from tests.test_faults import names_in
from tests.test_tidy import ROOT

INTERNALS = ROOT / "docs" / "internals"
PAGES = (ROOT / "ARCHITECTURE.md", *sorted(INTERNALS.glob("*.md")))
TEST = re.compile(r"`((?:\w+/)*test_\w+\.py)::(test_\w+)(?:\[[^\]`]*\])?`")
FILE = re.compile(r"`((?:\w+/)+\w+\.py)`")
FAULTS = re.compile(r'(\w+): ((?:"[^"]+"(?:, )?)+)')
ROW = re.compile(r"^\| (?!always true |---)(.+) \|$", re.MULTILINE)


def rows() -> list[list[str]]:
    """The cells of each invariant."""
    text = (INTERNALS / "invariants.md").read_text(encoding="utf-8")
    return [row.split(" | ") for row in ROW.findall(text)]


def unknown(text: str) -> list[str]:
    """The files and tests that a page names and nobody has; paths are below the package, the tests or the project."""
    roots = (ROOT / "consumer", ROOT / "tests", ROOT)
    files = [file for file in FILE.findall(text) if not any((root / file).is_file() for root in roots)]
    tests = [
        f"{file}::{name}"
        for file, name in TEST.findall(text)
        if not (ROOT / "tests" / file).is_file() or name not in names_in(ROOT / "tests" / file)
    ]
    return files + tests


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_tests_that_are_named_exist(page: Path) -> None:
    """One that is renamed or gone is missed here."""
    text = page.read_text(encoding="utf-8")

    assert FILE.search(text)
    assert [] == unknown(text)


def test_what_is_gone_is_found() -> None:
    """Else the test above proves nothing."""
    text = "`kafka/source.py` `kafka/gone.py` `test_rooms.py::test_gone` `ops/test_gone.py::test_gone` `a.py`"

    assert ["kafka/gone.py", "test_rooms.py::test_gone", "ops/test_gone.py::test_gone"] == unknown(text)


def test_each_invariant_names_its_keeper_its_test_and_a_fault_that_is_kept() -> None:
    """A fault of the simulation, one of the edges, or a test that puts one in."""
    kept = {
        "simulation": {fault.name for fault in simulated.FAULTS},
        "edge": {fault.name for fault in EDGE_FAULTS},
    }
    wrong = []
    for says, keeper, tests, faults in rows():
        named = [(kind, name) for kind, names in FAULTS.findall(faults) for name in re.findall('"([^"]+)"', names)]
        wrong += [f"{says}: no fault {name!r}" for kind, name in named if name not in kept[kind]]
        if not (keeper and TEST.search(tests) and (named or TEST.search(faults))):
            wrong.append(f"{says}: a keeper, a test or a fault is missing")

    assert len(rows()) > 25
    assert [] == wrong


def test_each_decision_says_what_it_cost_and_when_it_was_made() -> None:
    """A decision without a price is an opinion, and one without a day can't be looked up."""
    text = (INTERNALS / "decisions.md").read_text(encoding="utf-8")
    decisions = re.findall(r"^- \*\*(.*?)\*\*(.*?)(?=^- \*\*|^#|\Z)", text, re.MULTILINE | re.DOTALL)
    days = [re.match(r" \((\d{4}-\d\d-\d\d)\)", rest) for _, rest in decisions]

    assert len(decisions) > 25
    assert [] == [title for (title, _), day in zip(decisions, days, strict=True) if day is None]
    assert [] == [title for title, rest in decisions if "Cost:" not in rest]
    assert all(date.fromisoformat(day[1]) <= date(2100, 1, 1) for day in days if day is not None)  # each is a day
