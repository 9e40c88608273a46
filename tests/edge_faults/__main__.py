"""Faults put by hand into the edges, one at a time, into a copy of the tree: the tests named with each must fail.

    python -m tests.edge_faults [WORDS OF ITS NAME]

What tests/simulation/faults does to the core in seconds takes real brokers here, and so minutes: a command of its
own. Before the faults the named tests are run once on an unchanged copy, where they must pass. What fails its test only
by naming what the code no longer has is no fault: rotten.py finds it out, before and after.
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.edge_faults.fault import row
from tests.edge_faults.rooms import FAULTS
from tests.edge_faults.trying import PYTEST_LOG, copy_tree, output_of, put, rotten, run

AT_ONCE: Final = 2


def main() -> int:
    """Print the table; 1 when a fault was not caught, or has rotted."""
    words = sys.argv[1:]
    faults = [fault for fault in FAULTS if all(word in fault.name for word in words)]
    if said := rotten(faults):
        print("\n".join(f"rotten: {name}: {line}" for name, lines in said.items() for line in lines), file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="edge-fault-") as folder:
        copy = copy_tree(Path(folder))
        if run(copy, sorted({fault.caught_by for fault in faults})) != 0:
            print((output_of(copy) / PYTEST_LOG).read_text(), file=sys.stderr)
            print("the tests fail without any fault", file=sys.stderr)
            return 1
    print("| fault | put into | test that must fail | caught | seconds |\n|---|---|---|---|---|", flush=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = []
        for fault, result in zip(faults, pool.map(put, faults), strict=True):
            results.append(result)
            print(f"{row(fault)} {result.word} | {result.seconds:.0f} |", flush=True)
            for line in result.rotted:
                print(f"rotten: {line}", file=sys.stderr)
    caught = sum(result.word == "yes" for result in results)
    print(f"{caught} of {len(results)} caught")
    return 0 if caught == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
