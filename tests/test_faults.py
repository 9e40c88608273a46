"""FAULTS.md is true: the tests it names exist, the faults of the chaos harness and of the edges too."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.chaos.schedule import Fault
from tests.edge_faults.fault import EdgeFault, row
from tests.edge_faults.rooms import FAULTS
from tests.edge_faults.trying import ROOT, rotten

TESTS = Path(__file__).parent
TEXT = (TESTS / "FAULTS.md").read_text(encoding="utf-8")


def names_in(file: Path) -> set[str]:
    """The names of a file's tests."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, functions)}


def test_every_test_that_is_named_exists() -> None:
    """A test that is renamed or gone is missed here."""
    named = re.findall(r"`((?:\w+/)?test_\w+\.py)::(test_\w+)", TEXT)

    assert len(named) > 50
    assert [] == [f"{file}::{name}" for file, name in named if name not in names_in(TESTS / file)]


def test_every_fault_of_the_chaos_harness_is_named() -> None:
    """And no other."""
    named = set(re.findall(r"`((?:member|state|broker|topic|kafka|http|api|user)\.\w+)`", TEXT))

    assert {fault.value for fault in Fault} == named


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_of_an_edge_still_fits(fault: EdgeFault) -> None:
    """What it replaces stands in its file once, the test that must fail exists, and the table has a row of it."""
    file, name = fault.caught_by.partition("[")[0].split("::")

    assert 1 == (ROOT / fault.file).read_text(encoding="utf-8").count(fault.old)
    assert name in names_in(ROOT / file)
    assert row(fault) in TEXT


def test_no_fault_of_an_edge_has_rotted() -> None:
    """What each puts in names only what the code has: else its test would fail by a NameError, whatever it tests."""
    assert {} == rotten(FAULTS)
