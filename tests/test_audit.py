"""The audit says what was audited: a flaw fails it, and a service that says nothing is not taken for "no flaws"."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests import audit
from tests.audit import NoAdvisories, Report, judged, run

SOUND = {"name": "sound", "version": "1.0", "vulns": []}
FLAWED = {"name": "flawed", "version": "2.0", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1", "3.0"]}]}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


def answer(*packages: dict[str, Any]) -> str:
    """What pip-audit prints of these."""
    return json.dumps({"dependencies": packages, "fixes": []})


def test_a_report_tells_flaws_from_what_was_not_audited() -> None:
    """Each flaw with the versions that mend it; a package that the service does not know is no sound one."""
    made = judged(answer(SOUND, FLAWED, UNKNOWN))

    assert Report(["flawed 2.0: CVE-1, mended in 2.1, 3.0"], ["sound", "flawed"], ["unknown"]) == made


@pytest.mark.parametrize("printed", ["", "no network", "[]", "{}"])
def test_what_is_no_report_audits_nothing(printed: str) -> None:
    """An error in place of the report is not zero flaws."""
    with pytest.raises(NoAdvisories, match="no report"):
        judged(printed)


@pytest.mark.parametrize("code", ["import sys; sys.exit('no network')", "import time; time.sleep(60)"])
def test_a_tool_that_fails_or_hangs_audits_nothing(code: str) -> None:
    """It is given up after its time."""
    with pytest.raises(NoAdvisories, match=r"failed: no network|took more than"):
        run([sys.executable, "-c", code], 2.0)


@pytest.mark.parametrize(
    ("answers", "required", "code", "said"),
    [
        ([answer(SOUND)], "", 0, "0 known flaws in 1 packages"),
        ([answer(SOUND, FLAWED)], "", 1, "CVE-1"),
        ([answer(SOUND, UNKNOWN)], "1", 0, "NOT AUDITED: unknown"),
        ([answer(UNKNOWN), answer(FLAWED)], "", 1, "CVE-1"),
        ([answer(UNKNOWN), answer(UNKNOWN)], "", 0, "NOT AUDITED: requirements-image.lock"),
        ([answer(UNKNOWN), answer(UNKNOWN)], "1", 1, "NOT AUDITED: requirements-image.lock"),
        (["", ""], "", 0, "NOT AUDITED: requirements-image.lock"),
        (["", ""], "1", 1, "NOT AUDITED: requirements-image.lock"),
    ],
)
def test_only_a_flaw_fails_it_unless_it_is_required(
    *,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answers: list[str],
    required: str,
    code: int,
    said: str,
) -> None:
    """The second service is asked when the first knows nothing; where nobody does, that is said."""
    left = iter(answers)
    monkeypatch.setattr(audit, "install", lambda: None)
    monkeypatch.setattr(audit, "run", lambda *_command, **_codes: next(left))
    monkeypatch.setenv("REQUIRE_AUDIT", required)

    assert code == audit.main()
    assert said in "".join(capsys.readouterr())
