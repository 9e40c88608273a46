"""The audit says what was audited: a flaw fails it, and a service that says nothing is not taken for "no flaws"."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests import advisories
from tests.advisories import NoAdvisories, Report, flaws_among, judged, pins, run

SOUND = {"name": "sound", "version": "1.0", "vulns": []}
FLAWED = {"name": "flawed", "version": "2.0", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1", "3.0"]}]}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


def answer(*packages: dict[str, Any]) -> str:
    """What pip-audit prints of these."""
    return json.dumps({"dependencies": packages, "fixes": []})


def test_a_report_tells_flaws_from_what_was_not_audited() -> None:
    """Each flaw with the versions that fix it; a package that the service does not know is no sound one."""
    made = judged(answer(SOUND, FLAWED, UNKNOWN))

    assert Report(["flawed 2.0: CVE-1, fixed in 2.1, 3.0"], ["sound", "flawed"], ["unknown"]) == made


@pytest.mark.parametrize("printed", ["", "no network", "[]", "{}"])
def test_what_is_no_report_audits_nothing(printed: str) -> None:
    """An error in place of the report is not zero flaws."""
    with pytest.raises(NoAdvisories, match="no report"):
        judged(printed)


@pytest.mark.parametrize("code", ["import sys; sys.exit('no network')", "import time; time.sleep(60)"])
def test_a_tool_that_fails_or_hangs_audits_nothing(code: str) -> None:
    """It is given up after its time."""
    with pytest.raises(NoAdvisories, match=r"failed: no network|took more than"):
        run([sys.executable, "-c", code], 1.0)


@pytest.mark.parametrize(
    ("answers", "required", "code", "said"),
    [
        ([answer(SOUND)], "", 0, "0 known flaws in 1 packages, by the service"),
        ([answer(SOUND, FLAWED)], "", 1, "CVE-1"),
        ([answer(SOUND, UNKNOWN)], "1", 0, "NOT AUDITED: unknown"),
        ([answer(UNKNOWN), answer(FLAWED)], "", 1, "CVE-1"),
        ([answer(UNKNOWN), answer(UNKNOWN)], "", 0, "NO SERVICE ASKED: "),
        ([answer(UNKNOWN), answer(UNKNOWN)], "1", 1, "NO SERVICE ASKED: "),
        (["", ""], "", 0, "NO SERVICE ASKED: "),
        (["", ""], "1", 1, "NO SERVICE ASKED: "),
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
    monkeypatch.setattr(advisories, "install", lambda: None)
    monkeypatch.setattr(advisories, "run", lambda *_command, **_codes: next(left))
    monkeypatch.setenv("REQUIRE_ADVISORIES", required)

    assert code == advisories.main()
    assert said in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("version", "is_flawed"),
    [("1.0", True), ("1.9.9", True), ("2.0", False), ("3.0", True), ("3.1", False)],
)
def test_a_version_is_judged_by_each_range_of_a_kept_advisory(*, version: str, is_flawed: bool) -> None:
    """The end of a range is the first version without the flaw."""
    kept = [{"package": "some", "id": "CVE-1", "affected": ["<2.0", ">=3.0,<3.1"]}]
    line = f"some {version}: CVE-1, which affects <2.0 or >=3.0,<3.1"

    assert ([line] if is_flawed else []) == flaws_among({"some": version, "other": "1.0"}, kept)


def test_a_kept_advisory_fails_the_audit_without_a_service(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A pinned version with a flaw that is known here is not forgiven for want of a network."""
    kept = tmp_path / "advisories.toml"
    kept.write_text('as_of = 2026-01-01\n[[advisories]]\npackage = "idna"\nid = "CVE-1"\naffected = [">=0"]\n')
    monkeypatch.setattr(advisories, "KEPT", kept)
    monkeypatch.setattr(advisories, "install", lambda: None)
    monkeypatch.setattr(advisories, "run", lambda *_command, **_codes: "")

    assert 1 == advisories.main()
    assert "CVE-1, which affects >=0" in capsys.readouterr().err


def test_the_kept_advisories_are_of_packages_of_the_image_and_can_be_read() -> None:
    """One of a package that has gone would only look like care."""
    kept = tomllib.loads(advisories.KEPT.read_text())["advisories"]
    image = pins((advisories.ROOT / advisories.AUDITED).read_text())

    assert set() == {one["package"] for one in kept} - set(image)
    assert [] == flaws_among(image, kept)
