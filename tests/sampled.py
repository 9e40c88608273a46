"""A sample of the cases of a test that has the marker `sampled(3)`: three of them, which a seed chooses.

`make test` runs a sample, and CI's seed is the commit, so that each case has its turn. `make test-long` runs all cases,
and so does pytest without `--sample`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping


def left_out(cases: Mapping[str, int], seed: str) -> set[str]:
    """Choose for each test. `cases`: `test.py::test[case]` → how many of its test are to be run."""
    by_test: dict[str, list[str]] = {}
    for case in sorted(cases):
        by_test.setdefault(case.partition("[")[0], []).append(case)
    out: set[str] = set()
    for test, all_cases in by_test.items():
        spare = max(len(all_cases) - cases[all_cases[0]], 0)
        out.update(random.Random(f"{seed} {test}").sample(all_cases, spare))
    return out
