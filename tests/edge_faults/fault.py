"""What a fault of an edge is, and the tests that catch several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REBALANCES: Final = "tests/real_broker/test_rebalances.py"
SERVICE: Final = "tests/real_broker/test_service.py"
KILL_POINTS: Final = "tests/real_broker/test_kill_points.py::test_death_between_two_effects"
GONE: Final = f"{REBALANCES}::test_a_dead_letter_topic_that_is_gone_blocks_the_commit"
TOO_LARGE: Final = f"{REBALANCES}::test_a_value_too_large_for_the_dead_letter_topic_blocks_nobody"


@dataclass(frozen=True, slots=True)
class EdgeFault:
    """A hole in an edge: what stands there, what is put there, and the test that must fail."""

    name: str
    file: str
    old: str
    new: str
    caught_by: str


def row(fault: EdgeFault) -> str:
    """The fault in FAULTS.md."""
    return f"| {fault.name} | `{fault.file}` | `{fault.caught_by.removeprefix('tests/')}` |"
