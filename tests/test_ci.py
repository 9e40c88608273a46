"""The parts of `.ci/run` beside each other: whichever fails fails the run, at once, and nothing goes on behind it.

And `.ci/once_more`: a test that fails beside others and passes alone is named and forgiven, a crash is not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
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


def test_what_a_part_leaves_for_the_end_stands_behind_the_table(tmp_path: Path) -> None:
    """Where it is seen."""
    _, printed = run(tmp_path, """alone a bash -c 'echo "look at me" >>"$AT_THE_END"'""", "echo more")

    assert printed.rstrip().endswith("exit code 0\nlook at me")


FIRST_TIME: Final = """
import pathlib, os, signal, subprocess, sys

def is_first(name):
    tried = pathlib.Path(name)
    return not tried.exists() and tried.touch() is None
"""
BUSY: Final = "def test_busy_{0}(): assert not is_first('{0}')\n"
WRONG: Final = "def test_wrong(): assert False\n"
GOOD: Final = "def test_good(): pass\n"
CRASHES: Final = "def test_crashes(): is_first('c') and os.kill(os.getpid(), signal.SIGSEGV)\n"
MEMBER_CRASHES: Final = """
def test_member():
    command = "import os; os.kill(os.getpid(), 11)" if is_first("m") else ""
    assert 0 == subprocess.run([sys.executable, "-c", command]).returncode
"""


def once_more(
    folder: Path, *tests: str, bin_name: str = ".venv/bin", elsewhere: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, list[str], int]:
    """Give the exit code, who is said to be unsteady, and how often pytest was run, with few plugins."""
    python = folder / bin_name / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho a run\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_made.py").write_text("".join([FIRST_TIME, *tests]))
    workers = ("-p", "xdist.plugin", "-n", "1") if CRASHES in tests else ()
    notes = ("-o", f"cache_dir={elsewhere['PYTEST_CACHE']}") if elsewhere else ()
    command = [ROOT / ".ci" / "once_more", f"{bin_name}/python", "-m", "pytest", "-q", *workers, *notes, "test_made.py"]
    environ = {name: value for name, value in os.environ.items() if name != "AT_THE_END"}
    environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **elsewhere}
    done = subprocess.run(
        command, cwd=folder, env=environ, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    _, _, unsteady = done.stdout.partition("UNSTEADY: passed only alone:\n")
    return done.returncode, unsteady.split(), done.stdout.splitlines().count("a run")


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        ([GOOD], (0, [], 1)),
        (
            [GOOD, BUSY.format("a"), BUSY.format("b")],
            (0, ["test_made.py::test_busy_a", "test_made.py::test_busy_b"], 2),
        ),
        ([BUSY.format("a"), WRONG], (1, [], 2)),
        ([BUSY.format(name) for name in "abcd"], (1, [], 1)),
        ([CRASHES], (1, [], 1)),
        ([MEMBER_CRASHES], (1, [], 1)),
    ],
    ids=["good", "two are busy", "one is wrong", "four are busy", "a test crashes", "a member crashes"],
)
def test_what_failed_is_tried_once_more_alone(
    tmp_path: Path, tests: list[str], expected: tuple[int, list[str], int]
) -> None:
    """Three tests at most; what passes then is named; what was a crash is one."""
    assert expected == once_more(tmp_path, *tests)


def test_another_python_tries_once_more_by_its_own_notes(tmp_path: Path) -> None:
    """Two runs go on beside each other: neither reads or loses what the other has noted."""
    other = tmp_path / ".pytest_cache" / "v" / "cache" / "lastfailed"
    other.parent.mkdir(parents=True)
    other.write_text('{\n  "test_other.py::test_fails": true\n}')
    elsewhere = {"PYTHON_OF_TESTS": "image/bin/python", "PYTEST_CACHE": "image/notes"}

    assert (0, ["test_made.py::test_busy_a"], 2) == once_more(
        tmp_path, BUSY.format("a"), bin_name="image/bin", elsewhere=elsewhere
    )
    assert "test_other" in other.read_text()
