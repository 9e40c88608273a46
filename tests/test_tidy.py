"""Style that matters, as tests: a pure core, small files and functions, sentences everywhere, nothing left behind."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
FILE_LINES_MAX: Final = 350
TEST_LINES_MAX: Final = 900  # a rule by example is read from top to bottom, and looked up by its sentences
FUNCTION_LINES_MAX: Final = 70

PURE: Final = ("sequencing", "segment")
"""The packages that decide. What they import is import-linter's business (pyproject.toml)."""
# What pure code may use of other people's: no socket, clock, thread, randomness, file or environment is among it.
PURE_LIBRARIES: Final = {
    "__future__",
    "array",
    "base64",
    "binascii",
    "bisect",
    "collections",
    "collections.abc",
    "dataclasses",
    "datetime",
    "email.utils",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "hmac",
    "html.entities",
    "ipaddress",
    "itertools",
    "math",
    "msgspec",
    "operator",
    "re",
    "typing",
    "urllib.parse",
    "zlib",
}
IMPURE_CALLS: Final = {
    "now",
    "utcnow",
    "today",
    "localtime",
    "formatdate",
    "open",
    "input",
    "print",
    "__import__",
    "exec",
}

# Written so that this file does not hold what it looks for.
LEFT_BEHIND: Final = re.compile(rb"\b(?:TO[D]O|FIX[M]E|X[X]X)\b")
PACKAGE_REGISTRIES: Final = re.compile(
    rb"pypi\.org|pythonhosted\.org|repo1?\.maven|maven\.org|npmjs\.|proxy\.golang|crates\.io|deb\.debian\.org"
)


@cache
def tree() -> tuple[Path, ...]:
    """All files of the project: those git knows and those it would take; without git, those of the known folders."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
        files = [ROOT / name for name in names if name]
    else:
        folders = ("consumer", "tests", "bench", "schemas", "deploy", "examples")
        files = [file for folder in folders for file in (ROOT / folder).rglob("*") if "__pycache__" not in file.parts]
        files += ROOT.glob("*")
    return tuple(sorted(file for file in set(files) if file.is_file()))


@cache
def python_files() -> tuple[Path, ...]:
    """The Python files among them."""
    return tuple(file for file in tree() if file.suffix == ".py")


@cache
def parsed(file: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(file.read_bytes(), str(file))


def where(file: Path, node: ast.AST | None = None) -> str:
    """A place, as editors understand it."""
    return f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a file, inner ones too."""
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported(node: ast.AST) -> list[str]:
    """The modules that an import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        if node.module == "consumer":
            return [f"consumer.{alias.name}" for alias in node.names]
        return [node.module or ""]
    return []


# --- what decides


def test_what_decides_asks_nobody_for_the_time() -> None:
    """`now` is handed in: pure code never calls what reads a clock, a file or the terminal."""
    files = [file for file in python_files() if file.parent in {ROOT / "consumer" / name for name in PURE}]
    calls = [(file, node) for file in files for node in ast.walk(parsed(file)) if isinstance(node, ast.Call)]
    called = [(file, node, getattr(node.func, "attr", None) or getattr(node.func, "id", None)) for file, node in calls]

    assert len(files) > 20
    assert [] == [f"{where(file, node)} calls {callee}()" for file, node, callee in called if callee in IMPURE_CALLS]


def test_what_calls_itself_pure_is_pure() -> None:
    """A module whose docstring says `Pure.` uses nothing but pure libraries, wherever it stands."""
    impure = [
        f"{where(file, node)} imports {module}"
        for file in python_files()
        if file.is_relative_to(ROOT / "consumer") and "Pure." in (ast.get_docstring(parsed(file)) or "")
        for node in ast.walk(parsed(file))
        for module in imported(node)
        if module not in PURE_LIBRARIES and not module.startswith("consumer.")
    ]

    assert [] == impure


# --- size


def test_no_file_is_long() -> None:
    """A file is read in one sitting."""
    lines = {file: len(file.read_bytes().splitlines()) for file in python_files()}

    limits = {file: TEST_LINES_MAX if "tests" in file.parts else FILE_LINES_MAX for file in lines}

    assert [] == [f"{where(file)} has {count} lines" for file, count in lines.items() if count > limits[file]]


def test_no_function_is_long() -> None:
    """A function fits a screen."""
    long = [
        f"{where(file, node)} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for file in python_files()
        for node in functions(file)
        if node.end_lineno is not None and node.end_lineno - node.lineno >= FUNCTION_LINES_MAX
    ]

    assert [] == long


# --- sentences


def test_every_module_has_a_docstring() -> None:
    """Each file says what it is."""
    assert [] == [where(file) for file in python_files() if not ast.get_docstring(parsed(file))]


def test_every_test_has_a_docstring() -> None:
    """A test is a sentence: what it proves stands under its name, and the sentence has an end."""
    without = [
        f"{where(file, node)} {node.name}"
        for file in python_files()
        if file.is_relative_to(ROOT / "tests") and file.name.startswith("test_")
        for node in functions(file)
        if node.name.startswith("test_") and not re.search(r"[.?!:]\Z", (ast.get_docstring(node) or "").strip())
    ]

    assert [] == without


# --- what must not be in the tree


def lines_with(pattern: re.Pattern[bytes]) -> list[str]:
    """Where the pattern occurs in any file of the project that has lines."""
    return [
        f"{file.relative_to(ROOT)}:{number}: {line[:100]!r}"
        for file in tree()
        if file.suffix != ".png"
        for number, line in enumerate(file.read_bytes().splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_left_to_do() -> None:
    """What is not done is said in the changelog or not at all, not in a note to oneself."""
    assert [] == lines_with(LEFT_BEHIND)


def test_no_registry_is_named() -> None:
    """Where packages come from is the business of whoever installs: a mirror, a proxy, an offline folder."""
    assert [] == lines_with(PACKAGE_REGISTRIES)


def test_no_path_of_a_machine_is_named() -> None:
    """Nothing points into the folder this copy happens to be in, or into anybody's home."""
    here = re.escape(str(ROOT).encode())
    homes = rb"/(?:home|Users)/\w+/|" + re.escape(str(Path.home()).encode()) + rb"/"

    assert [] == lines_with(re.compile(here + rb"\b|" + homes))


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a checkout")
def test_no_link_is_in_the_tree() -> None:
    """A link to a folder of one machine takes the place of that folder where it is merged."""
    command = ["git", "ls-files", "--stage"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()

    assert [] == [line for line in listed if line.startswith("120000 ")]


def test_sources_are_plain_text() -> None:
    """Unix line ends, one at the end too, no tab to indent with and no blanks behind a line."""
    untidy = re.compile(rb"\r|[ \t]\n|^ *\t|[^\n]\Z", re.MULTILINE)

    assert [] == [where(file) for file in python_files() if untidy.search(file.read_bytes())]
