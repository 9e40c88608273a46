"""Faults of consumer/loop: what the loop makes of answers and of news."""

from __future__ import annotations

from typing import Final

from tests.edge_faults.fault import SERVICE, EdgeFault

FAULTS: Final = (
    EdgeFault(
        "with receipts what was accepted late counts as finished, and has none",
        "consumer/loop/partitions.py",
        "        if self._receipts is not None:\n            return\n",
        "",
        "tests/loop/test_late_answers.py::test_with_receipts_what_was_accepted_late_is_sent_again",
    ),
    EdgeFault(
        "the state of an earlier tenure resumes a partition",
        "consumer/loop/partitions.py",
        "if news.assignment.dropped or facts is None:",
        "if facts is None:",
        "tests/loop/test_state_news.py::test_the_state_of_an_earlier_tenure_resumes_nothing",
    ),
    EdgeFault(
        "a refused key is not told",
        "consumer/loop/answers.py",
        "            self._destination.misdirected(outcome.status)\n",
        "",
        "tests/loop/test_pipeline_answers.py::test_the_destination_is_told_of_what_blames_key_or_url",
    ),
    EdgeFault(
        "whatever is answered is delivered",
        "consumer/loop/answers.py",
        "if isinstance(answer, Answered) and answer.status in SUCCESSFUL:",
        "if isinstance(answer, Answered):",
        f"{SERVICE}::test_an_outage_spends_nothing",
    ),
    EdgeFault(
        "a late answer to an introduction ends the event behind it",
        "consumer/loop/partitions.py",
        "        if delivery.kind is DeliveryKind.INTRODUCTION:\n            return\n",
        "",
        "tests/loop/test_late_answers.py::test_what_was_accepted_late_is_not_sent_again[an introduction]",
    ),
    EdgeFault(
        "debug lines are made while nobody wants them",
        "consumer/loop/pipeline.py",
        "if self._debug_lines.are_wanted:",
        "if True:",
        "tests/ops/test_debug_lines.py::test_the_loop_makes_them_only_while_somebody_wants_them[20]",
    ),
)
