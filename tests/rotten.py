"""Whether a fault that is put into the code is still the hole that its name says, or has rotted.

A rotten one names what the code no longer has: whatever runs it fails by a NameError or the like, and its test with it,
so it would count as caught. It is found out twice: by its types before it is run, and by how it failed afterwards.
"""

from __future__ import annotations

import builtins
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

ROTTEN: Final = (NameError, AttributeError, TypeError, ImportError, SyntaxError)
"""What code says that no longer fits what it stands in; with all that derive from these."""
HARMLESS: Final = ("unused-ignore", "redundant-expr", "truthy-bool", "var-annotated")
"""What mypy says of code that runs: a fault may well leave something without use."""
TEXTS: Final = ("", ".log", ".txt", ".json", ".jsonl")

_NAMES: Final = "|".join(
    name for name, one in vars(builtins).items() if isinstance(one, type) and issubclass(one, ROTTEN)
)
_COMPLAINT: Final = re.compile(r"^(?P<file>[^:]+):\d+: error: .*\[(?P<code>[\w-]+)\]$")


class Change(NamedTuple):
    """A file of the project, and what it says instead."""

    file: str
    text: str


def complaints(root: Path, changes: Sequence[Change], folder: Path) -> dict[str, list[str]]:
    """What types and names say against these changes, by file. `folder`: for a cache, so that the next look is fast."""
    found: dict[str, list[str]] = {}
    shadows = []
    for change in changes:
        shadow = folder / change.file.replace("/", ".")
        shadow.write_text(change.text, encoding="utf-8")
        shadows += ["--shadow-file", change.file, str(shadow)]
        if unresolved := _unresolved(change):
            found[change.file] = unresolved
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(folder / "cache"), "--no-pretty", *shadows, "consumer"]
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)
    assert done.returncode in (0, 1, 2), done.stderr
    for line in done.stdout.splitlines():
        complaint = _COMPLAINT.match(line)
        if complaint is not None and complaint["code"] not in HARMLESS:
            found.setdefault(complaint["file"], []).append(line)
    return found


def _unresolved(change: Change) -> list[str]:
    """Names that nothing defines, or that only the type checker has (mypy does not mind those)."""
    options = [
        "--isolated",
        "--target-version",
        "py311",
        "--select",
        "E9,F821,F823,TC004",
        "--output-format",
        "concise",
    ]
    command = [sys.executable, "-m", "ruff", "check", *options, "--stdin-filename", change.file, "-"]
    done = subprocess.run(command, input=change.text, check=False, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith(change.file)]


def raised_there(output: str, file: str) -> list[str]:
    """Errors of a rotten fault that were raised in this file, as a test's output or a service's log tells of them.

    Python's own tracebacks (within a line of JSON too), or pytest's: `file:line: NameError`.
    """
    text = output.replace("\\n", "\n").replace('\\"', '"')
    name = re.escape(file)
    by_python = rf'File "[^"\n]*{name}", line \d+, in .*\n(?:(?!\s*File ")[^\n]*\n){{0,8}}?\s*((?:{_NAMES})\b[^\n]*)'
    by_pytest = rf"^(?:[^\s:]*/)?{name}:\d+: ((?:{_NAMES})\b)"
    return re.findall(by_python, text) + re.findall(by_pytest, text, re.MULTILINE)


def rotted_in(folder: Path, file: str) -> list[str]:
    """The same for every text below a folder: outputs, logs."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in TEXTS):
        found += raised_there(path.read_text(encoding="utf-8", errors="replace"), file)
    return found
