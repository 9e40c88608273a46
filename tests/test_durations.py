"""The order of the tests, what is said of their time, and which cases of a large test are run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.durations import Done, as_toml, estimate_seconds, in_order, is_quick, minutes, stored, without
from tests.fakes.terminals import Terminal
from tests.sampled import left_out

ROOT: Final = Path(__file__).resolve().parents[1]
TABLE: Final = {"tests/slow.py": 100, "tests/middle.py": 10}
TESTS: Final = ["tests/slow.py::a", "tests/new.py::a", "tests/middle.py::a", "tests/new.py::b", "tests/slow.py::b"]


def test_quick_files_go_first_and_each_stays_whole() -> None:
    """A new file, of which nothing is known, is among the quick ones."""
    first = [TESTS[place] for place in in_order(TESTS, TABLE)]
    assert ["new.py::a", "new.py::b", "middle.py::a", "slow.py::a", "slow.py::b"] == [test[6:] for test in first]

    last = [TESTS[place] for place in in_order(TESTS, TABLE, longest_first=True)]
    assert ["slow.py::a", "slow.py::b", "middle.py::a", "new.py::a", "new.py::b"] == [test[6:] for test in last]


def test_the_estimate_is_shared_by_the_workers_down_to_the_longest_file() -> None:
    """One file is one worker's, however many there are."""
    start = estimate_seconds([], TABLE, 1)

    assert 110.1 == estimate_seconds(TESTS, TABLE, 1) - start
    assert 100.0 == estimate_seconds(TESTS, TABLE, 8) - start


def test_what_is_left_out_takes_no_time() -> None:
    """Without Java two thirds of the table are over at once, and nobody is to wait for ten minutes."""
    table = {"tests/real_broker/test_a.py": 100, "tests/real_broker_b.py": 10, "tests/c.py": 5}

    assert {"tests/real_broker_b.py": 10, "tests/c.py": 5} == without(table, ["tests/real_broker"])
    assert table == without(table, [])


def test_how_far_it_is_goes_by_time_and_not_by_tests() -> None:
    """A thousand quick tests are not most of the work."""
    done = Done(TESTS, TABLE)
    for test in ("tests/new.py::a", "tests/new.py::b", "tests/middle.py::a"):
        done.count(test)
    assert (3, 5) == (done.tests, done.all)
    assert 0.09 < done.share < 0.1

    for test in ("tests/slow.py::a", "tests/slow.py::b"):
        done.count(test)
    assert 1.0 == done.share


def test_the_table_names_files_that_are_there() -> None:
    """`make durations` writes it again."""
    assert [] == [file for file in stored() if not (ROOT / file).exists()]


def test_the_quick_ones_are_under_a_minute_on_two_cores() -> None:
    """By the table, with the start of two workers."""
    files = [
        str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py") if "real_broker" not in file.parts
    ]
    quick = [f"{file}::all" for file in files if is_quick(file, stored())]

    assert 60.0 > estimate_seconds(quick, stored(), 2)
    assert len(quick) > 80


def test_the_table_is_whole_seconds_longest_first() -> None:
    """What takes less than one is left out, so that new tests change few lines."""
    text = as_toml({"tests/b.py": 2.4, "tests/c.py": 0.9, "tests/a.py": 2.0, "tests/d.py": 61.5})

    assert ['"tests/d.py" = 62', '"tests/a.py" = 2', '"tests/b.py" = 2'] == text.splitlines()[1:]
    assert "1:02" == minutes(61.5)


def collected(*arguments: str) -> list[str]:
    """The files whose tests pytest would run, in its order."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return list(dict.fromkeys(re.findall(r"^(tests/\S+?)::", done.stdout, re.MULTILINE)))


def test_pytest_keeps_to_the_order() -> None:
    """As `make test` and CI call it; `--quick` leaves out what is slow and what needs a broker."""
    slow, quick = "tests/test_rotten.py", "tests/test_long_tests.py"
    broker = "tests/real_broker/test_item_letters.py"

    assert [quick, broker, slow] == collected(slow, broker, quick)
    assert [slow, broker, quick] == collected("--longest-first", quick, broker, slow)
    assert [quick] == collected("--quick", slow, broker, quick)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_on_a_terminal_one_line_says_how_far_it_is(tmp_path: Path, workers: str) -> None:
    """No dots; a test that fails is named at once, and the summary is pytest's own."""
    made = tmp_path / "test_made.py"
    made.write_text("def test_good(): pass\ndef test_bad(): assert False\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    command += ["-n", workers, str(ROOT / "tests" / "test_long_tests.py"), str(made), "--rootdir", str(ROOT)]
    with Terminal(command, ROOT, {**os.environ, "TERM": "xterm", "COLUMNS": "120", "NO_COLOR": "1"}) as terminal:
        assert 1 == terminal.exit_code()

    assert re.search(r"\d+%  \d of 6 tests, 0:\d\d", terminal.printed)
    assert re.search(r"FAILED \S*::test_bad\n", terminal.printed)
    assert "1 failed, 5 passed in" in terminal.printed
    assert "...." not in terminal.printed


CASES: Final = {**{f"test_a.py::test_it[{n}]": 3 for n in range(20)}, "test_b.py::test_it[x]": 1, "test_c.py::test": 2}


def chosen(seed: str) -> set[str]:
    """The cases that are not left out."""
    return CASES.keys() - left_out(CASES, seed)


def test_of_each_test_so_many_cases_are_run() -> None:
    """One that has no more is run whole; the same seed chooses the same."""
    assert {"test_b.py::test_it[x]", "test_c.py::test"} < chosen("4f1c")
    assert 3 + 2 == len(chosen("4f1c"))
    assert chosen("4f1c") == CASES.keys() - left_out(dict(reversed(CASES.items())), "4f1c")


def test_over_many_seeds_each_case_is_run() -> None:
    """None is left out for ever."""
    assert CASES.keys() == {case for seed in range(100) for case in chosen(str(seed))}


def test_pytest_runs_a_sample_only_if_it_is_asked_to(tmp_path: Path) -> None:
    """Without `--sample` all of its cases."""
    made = tmp_path / "test_made.py"
    made.write_text(
        "import pytest\n@pytest.mark.sampled(2)\n@pytest.mark.parametrize('n', range(9))\ndef test_it(n): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    command += ["--rootdir", str(ROOT), str(ROOT / "tests" / "test_long_tests.py"), str(made), "-k", "test_it"]

    def said(*options: str) -> str:
        done = subprocess.run(
            [*command, *options], cwd=ROOT, env=os.environ, check=False, capture_output=True, text=True
        )
        return done.stdout

    assert "9 passed" in said()
    assert "2 passed" in said("--sample", "4f1c")
