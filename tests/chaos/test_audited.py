"""Where `audit` says otherwise than the verifier, a run says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.audited import AUDITS, disagreements

AGREED = {"exit_code": 0, "records": 3, "gaps": 0, "gap_runs": [], "events": {"delivered": 3, "outstanding": 0}}


@pytest.mark.parametrize(
    ("said", "lost", "sees_all", "told"),
    [
        ({}, 0, True, None),
        ({"gaps": 2, "gap_runs": [1, 2]}, 1, True, None),
        ({"gaps": 2}, 0, True, "finds 2 gaps"),
        ({}, 1, True, "finds 0 gaps"),
        ({}, 1, False, None),
        ({"gaps": 2}, 0, False, "finds 2 gaps"),
        ({"records": 2}, 0, True, "has seen 2 records, and there are 3"),
        ({"events": {"outstanding": 1}}, 0, True, "has 1 events outstanding"),
    ],
)
def test_what_an_audit_says_otherwise_is_told(
    said: dict[str, Any], lost: int, *, sees_all: bool, told: str | None, tmp_path: Path
) -> None:
    """Of losses, of what is in the topic, of what has not ended; a topic that is gone it can't see."""
    (tmp_path / "topic.jsonl").write_text("1\n2\n3\n")
    (tmp_path / AUDITS["ledger"]).write_text(json.dumps({**AGREED, **said}))
    found = list(disagreements(tmp_path, lost, sees_all=sees_all))

    assert bool(told) is bool(found)
    assert all(told is not None and told in one for one in found)


def test_an_audit_that_failed_is_told(tmp_path: Path) -> None:
    """It has said nothing."""
    (tmp_path / "topic.jsonl").write_text("")
    (tmp_path / AUDITS["receipts"]).write_text(json.dumps({"exit_code": 69, "error": "no broker"}))

    assert ["audit by receipts ended with 69: no broker"] == list(disagreements(tmp_path, 0, sees_all=True))
