"""The parts of `.ci/run` beside each other: whichever fails fails the run, at once, and nothing goes on behind it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.real_broker.running_service import wait_until

ROOT: Final = Path(__file__).resolve().parents[1]
FOREVER: Final = "bash -c 'echo $$ >>running; exec sleep 600'"
BAD: Final = "bash -c 'until [ -s running ]; do sleep 0.02; done; echo bad words; exit 3'"


def run(folder: Path, *lines: str) -> tuple[int, str]:
    """A script of these lines, which has .ci/lanes; gives its exit code and all that it printed."""
    script = "\n".join(["set -euo pipefail", f"source '{ROOT}/.ci/lanes'", *lines])
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "lines",
    [
        (f"beside 'one of two' {BAD}", f"beside other {FOREVER}", "join 'one of two'"),
        (f"beside 'one of two' {BAD}", f"beside other {FOREVER}", "join other"),
        (f"beside 'one of two' {BAD}", f"alone front {FOREVER}"),
        (f"beside other {FOREVER}", f"alone 'one of two' {BAD}"),
    ],
    ids=["joined", "another is joined", "beside one in front", "in front"],
)
def test_a_part_that_fails_ends_all(tmp_path: Path, lines: tuple[str, ...]) -> None:
    """With what it said; what ran beside it for ever is ended, too."""
    code, printed = run(tmp_path, *lines, "echo NOT REACHED")

    assert 1 == code
    assert "=== one of two\nbad words\n" in printed
    assert "FAILED: one of two\n" in printed
    assert "NOT REACHED" not in printed
    running = [Path("/proc", one) for one in (tmp_path / "running").read_text().split()]
    wait_until(lambda: not any(one.exists() for one in running), "the end of what ran beside it")


def test_when_all_is_well_each_part_is_shown_whole_with_its_seconds(tmp_path: Path) -> None:
    """What a part says beside the others does not mix with theirs."""
    code, printed = run(
        tmp_path, "beside a bash -c 'echo a1; sleep 0.1; echo a2'", "alone b echo b1", "join a", "echo at the end"
    )

    assert 0 == code
    assert "=== b\nb1\n" in printed
    assert "=== a\na1\na2\nat the end\n" in printed
    assert ["b", "a"] == [line.split()[-1] for line in printed.splitlines() if " s  " in line][:2]
