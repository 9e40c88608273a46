"""How long the test files take, for the order of the tests and for what is said beforehand. Pure but for `stored`.

durations.toml has whole seconds for each file that takes one or more, all its tests together but the long ones, as
three workers took them on two cores that had other work too. A file that is not in it is taken for a quick one: nobody
has to add a new file. `make durations` measures them all again.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).with_name("durations.toml")
NOT_LISTED_SECONDS: Final = 0.1
QUICK_SECONDS_MAX: Final = 4.0
"""`make test-quick` leaves out the files that take longer."""
START_SECONDS: Final = 12.0
"""Until the first test runs: each worker reads all files."""


@cache
def stored() -> Mapping[str, int]:
    """The table: a file's name, from the project's folder → seconds."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def file_of(test: str) -> str:
    """The file of `tests/test_x.py::test_y[z]`."""
    return test.partition("::")[0]


def seconds_of(file: str, table: Mapping[str, int]) -> float:
    """How long the file takes."""
    return table.get(file, NOT_LISTED_SECONDS)


def is_quick(file: str, table: Mapping[str, int]) -> bool:
    """Whether it belongs to the loop of work."""
    return seconds_of(file, table) <= QUICK_SECONDS_MAX


def without(table: Mapping[str, int], folders: Sequence[str]) -> dict[str, int]:
    """The table where all in these folders is left out: it is over at once."""
    out = tuple(f"{folder}/" for folder in folders)
    return {file: seconds for file, seconds in table.items() if not file.startswith(out)}


def in_order(tests: Sequence[str], table: Mapping[str, int], *, longest_first: bool = False) -> list[int]:
    """The places of the tests, the quick files first; of one file in its own order."""
    sign = -1.0 if longest_first else 1.0
    return sorted(range(len(tests)), key=lambda place: (sign * seconds_of(file_of(tests[place]), table), place))


def estimate_seconds(tests: Iterable[str], table: Mapping[str, int], workers: int) -> float:
    """For all of them; no less than the longest file takes, which one worker does alone."""
    each = [seconds_of(file, table) for file in {file_of(test) for test in tests}]
    return START_SECONDS + max(sum(each) / max(workers, 1), max(each, default=0.0))


class Done:
    """How much of a run is done, by what its files take: a thousand quick tests are little of it."""

    def __init__(self, tests: Sequence[str], table: Mapping[str, int]) -> None:
        self.tests = 0
        """That have ended."""
        self.all = len(tests)
        counts = Counter(file_of(test) for test in tests)
        self._each = {file: seconds_of(file, table) / count for file, count in counts.items()}
        self._seconds = 0.0
        self._all_seconds = sum(seconds_of(file, table) for file in counts)

    def count(self, test: str) -> None:
        """It has ended."""
        self.tests += 1
        self._seconds += self._each.get(file_of(test), 0.0)

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return min(self._seconds / self._all_seconds, 1.0) if self._all_seconds else 1.0


def as_toml(seconds: Mapping[str, float]) -> str:
    """The table's text, the longest first."""
    rows = sorted((-round(took), file) for file, took in seconds.items() if took >= 1)
    head = "# Seconds that each test file takes; made by `make durations`, see durations.py.\n"
    return head + "".join(f'"{file}" = {-negative}\n' for negative, file in rows)


def minutes(seconds: float) -> str:
    """`6:05`."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
