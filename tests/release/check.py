"""What a release would be made of, and whether it may be made: `make release-check`. 1 with the reason if not.

Leaves in `dist` the wheel, the source distribution, the bill of materials and the notes. `--tag vX.Y.Z` says that it is
one: then the changelog must have a dated part on it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from consumer import __version__
from tests.release import bill, documents, packages
from tests.release.packages import ROOT, git
from tests.release.problem import Problem

LOCK: Final = ROOT / "locks" / "release.lock"
TOOLS: Final = ROOT / ".release" / "venv"
DIST: Final = ROOT / "dist"
SECONDS_MAX: Final = 120.0


def main() -> int:
    """Check one thing after the other and say what was seen."""
    parser = argparse.ArgumentParser(description="What a release would be made of, and whether it may be made.")
    parser.add_argument("--tag", help="the tag it is made for")
    tag: str | None = parser.parse_args().tag
    try:
        for line in checked(tag):
            print(line, flush=True)
    except Problem as problem:
        print(f"NOT A RELEASE: {problem}", file=sys.stderr)
        return 1
    print(f"{__version__} can be released: {DIST.name}/ has what would be attached")
    return 0


def checked(tag: str | None) -> Iterator[str]:
    """A line for each thing that is in order. Raises Problem at the first that is not."""
    documents.check_tag(tag, __version__)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    notes = documents.notes(changelog, __version__, released=tag is not None)
    yield f"CHANGELOG.md: {len(notes.splitlines())} lines on {__version__}"
    yield documents.check_labels((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    if changed := git("status", "--porcelain"):
        yield f"NOT COMMITTED, so not looked at: {', '.join(line.split()[-1] for line in changed.splitlines()[:5])}"
    install_tools()
    yield from documents.check_workflows(TOOLS / "bin")
    with tempfile.TemporaryDirectory() as folder:
        built = packages.build_twice(Path(folder))
        yield "built twice, in two places and at two times: the same bytes"
        yield from packages.check_contents(built, committed())
        packages.keep(built, DIST)
    kept = sorted(DIST.iterdir())
    run([TOOLS / "bin" / "twine", "--no-color", "check", "--strict", *kept])
    yield "twine: the metadata is in order"
    yield bill.check_bill(make_bill(DIST / f"customfit-consumer-{__version__}.cdx.json"))
    whole = documents.with_whole_links(notes, tag or git("rev-parse", "HEAD"))
    (DIST / "NOTES.md").write_text(f"{whole}\n", encoding="utf-8")
    [wheel] = DIST.glob("*.whl")
    yield installed(wheel)


def committed() -> set[str]:
    """The files of HEAD, which is what is built."""
    return set(git("ls-tree", "-r", "--name-only", "HEAD").splitlines())


def install_tools() -> None:
    """What checks, in an environment of its own, each file by its hash. Raises Problem."""
    stamp = TOOLS / LOCK.name
    if stamp.exists() and stamp.read_bytes() == LOCK.read_bytes():
        return
    run([sys.executable, "-m", "venv", "--clear", TOOLS])
    run([TOOLS / "bin" / "python", "-m", "pip", "install", "-q", "--require-hashes", "-r", LOCK])
    stamp.write_bytes(LOCK.read_bytes())


def make_bill(into: Path) -> Path:
    """The bill of materials, the same each time it is made of one commit. Raises Problem."""
    tool: list[str | Path] = [TOOLS / "bin" / "cyclonedx-py", "requirements", "--output-reproducible", "--sv", "1.6"]
    run([*tool, "--pyproject", ROOT / "pyproject.toml", "-o", into, ROOT / "locks" / "image.lock"])
    made = json.loads(into.read_text(encoding="utf-8"))
    made["metadata"]["component"]["version"] = __version__  # the tool can't know it: the build reads it from the code
    into.write_text(json.dumps(made, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return into


def installed(wheel: Path) -> str:
    """The wheel in an empty environment, with what the lock names: it runs, and nothing is missing. Raises Problem."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "venv" / "bin" / "python"
        pip: list[str | Path] = [python, "-m", "pip", "--disable-pip-version-check"]
        run([sys.executable, "-m", "venv", python.parents[1]])
        run([*pip, "install", "-q", "--require-hashes", "-r", ROOT / "locks" / "image.lock"])
        run([*pip, "install", "-q", "--no-deps", wheel])
        run([*pip, "check"])
        said = run([python.parent / "customfit-consumer", "--version"]).strip()
    if said != __version__:
        raise Problem(f"the installed wheel says that it is {said}, not {__version__}")
    return f"installed with {bill.LOCK.name} alone: nothing is missing, and it says {said}"


def run(command: Sequence[str | Path]) -> str:
    """What it prints. Raises Problem when it fails; it runs without the code of this folder on its path."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=environ, cwd="/", timeout=SECONDS_MAX
        )
    except subprocess.TimeoutExpired:
        raise Problem(f"{Path(command[0]).name} took more than {SECONDS_MAX:g} s") from None
    if done.returncode != 0:
        raise Problem(f"{Path(command[0]).name} failed: {(done.stdout + done.stderr).strip()[-1000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
