"""Puts one fault into a copy of the tree and runs its test; says beforehand which faults have rotted."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from tests.edge_faults.fault import EdgeFault
from tests.rotten import Change, complaints, rotted_in

ROOT: Final = Path(__file__).resolve().parents[2]
PYTEST_LOG: Final = "pytest.log"
FAILED_TESTS: Final = 1
"""pytest's exit code; others mean that it did not come to running them."""


def copy_tree(folder: Path) -> Path:
    """A copy of the project, with this one's broker."""
    copy = folder / "tree"
    ignored = shutil.ignore_patterns("__pycache__", ".*", "build", "dist")
    shutil.copytree(ROOT, copy, ignore=ignored)
    (copy / ".kafka").symlink_to(ROOT / ".kafka")
    return copy


def output_of(copy: Path) -> Path:
    """Where the tests of a copy write, with the logs of the services that they start."""
    return copy.parent / "output"


def run(copy: Path, tests: Iterable[str]) -> int:
    """Run them; gives the exit code of pytest."""
    folder = output_of(copy)
    folder.mkdir()
    options = ["-q", "-x", "-p", "no:cacheprovider", f"--basetemp={folder / 'temporary'}"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    done = subprocess.run(command, cwd=copy, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    (folder / PYTEST_LOG).write_bytes(done.stdout)
    return done.returncode


class Put(NamedTuple):
    """What came of a fault."""

    is_caught: bool
    rotted: list[str]
    """Errors that the fault made by not fitting the code: then its test failed for nothing."""
    seconds: float

    @property
    def word(self) -> str:
        """For the table."""
        return "ROTTEN" if self.rotted else "yes" if self.is_caught else "NO"


def changed(fault: EdgeFault, root: Path = ROOT) -> Change:
    """The fault's file with the fault in it."""
    text = (root / fault.file).read_text(encoding="utf-8")
    assert 1 == text.count(fault.old), f"{fault.name}: its text stands {text.count(fault.old)} times in {fault.file}"
    return Change(fault.file, text.replace(fault.old, fault.new))


def rotten(faults: Iterable[EdgeFault]) -> dict[str, list[str]]:
    """What types say against faults, by their names: as many at once as there are files, for it takes seconds."""
    left, found = list(faults), {}
    with tempfile.TemporaryDirectory(prefix="edge-faults-") as folder:
        while left:
            at_once = {fault.file: fault for fault in reversed(left)}
            left = [fault for fault in left if fault is not at_once[fault.file]]
            said = complaints(ROOT, [changed(fault) for fault in at_once.values()], Path(folder))
            for file, lines in said.items():  # of a file without a fault: one of these is no longer what it asks for
                name = at_once[file].name if file in at_once else " or ".join(f.name for f in at_once.values())
                found[name] = lines
    return found


def put(fault: EdgeFault) -> Put:
    """Run its test with the fault put in."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edge-fault-") as folder:
        copy = copy_tree(Path(folder))
        change = changed(fault, copy)
        (copy / change.file).write_text(change.text, encoding="utf-8")
        code = run(copy, [fault.caught_by])
        rotted = rotted_in(output_of(copy), fault.file)
        if rotted or code not in (0, FAILED_TESTS):
            print((output_of(copy) / PYTEST_LOG).read_text(), file=sys.stderr)
    return Put(code == FAILED_TESTS, rotted, time.monotonic() - started)
