"""Faults of consumer/cli: how a command ends."""

from __future__ import annotations

from typing import Final

from tests.edge_faults.fault import EdgeFault

FAULTS: Final = (
    EdgeFault(
        "the process is taken apart under the client's threads",
        "consumer/cli/__init__.py",
        "    leave(exit_code(",
        "    sys.exit(exit_code(",
        "tests/cli/test_process_end.py::test_an_answer_that_comes_at_the_very_end_crashes_nothing",
    ),
    EdgeFault(
        "a crash says nothing",
        "consumer/cli/__init__.py",
        "    show_crashes()\n",
        "",
        "tests/cli/test_process_end.py::test_a_crash_shows_where_each_thread_stood",
    ),
)
