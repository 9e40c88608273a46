"""What is said of a release: its version, its part of the changelog, the image's labels, the workflow files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from tests.release.packages import ROOT
from tests.release.problem import Problem

RELATIVE_LINK: Final = re.compile(r"(?<=\]\()(?![a-z]+:|#)(?=[^)\s]+\))")
LABELS: Final = {"title", "description", "licenses", "version", "revision", "source", "base.name", "base.digest"}
HEADING: Final = re.compile(r"^## (?:\[?(?P<version>\d+\.\d+\.\d+)\]?(?: - (?P<date>\S+))?|Unreleased)$", re.MULTILINE)
ACTIONLINT: Final = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
LINT_SECONDS_MAX: Final = 180.0
"""Go builds actionlint when it is run for the first time."""


def notes(changelog: str, version: str, *, released: bool) -> str:
    """The changelog's part on this version; before it is `released`, what is gathered for it. Raises Problem."""
    headings = list(HEADING.finditer(changelog))
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        part = changelog[heading.end() : following.start() if following else len(changelog)].strip()
        if heading["version"] == version:
            check_date(heading["date"], version)
            return part
        if heading["version"] is None and not released and not any(one["version"] == version for one in headings):
            return part
    raise Problem(f"CHANGELOG.md has no part on {version}: ## {version} - {date.today().isoformat()}")  # noqa: DTZ011


def with_whole_links(notes: str, tag: str, environ: Mapping[str, str] = os.environ) -> str:
    """The notes as they are attached to a release: a link to a page leads to the page of that tag.

    In the changelog links are relative to the repository, and on the page of a release they would lead nowhere. Outside
    of GitHub's workflows nobody says where the repository is; then the notes stay as they are.
    """
    if not (repository := environ.get("GITHUB_REPOSITORY")):
        return notes
    return RELATIVE_LINK.sub(f"{environ['GITHUB_SERVER_URL']}/{repository}/blob/{tag}/", notes)


def check_date(said: str | None, version: str) -> None:
    """Raises Problem unless it is a day."""
    try:
        date.fromisoformat(said or "")
    except ValueError:
        raise Problem(f"CHANGELOG.md: {version} has no date such as 2026-01-31, but {said}") from None


def check_tag(tag: str | None, version: str) -> None:
    """Raises Problem where the tag names another version than the package has."""
    if tag is not None and tag != f"v{version}":
        raise Problem(f"the tag {tag} is not v{version}, the version in consumer/__init__.py")


def check_labels(dockerfile: str) -> str:
    """One line on the image's labels. Raises Problem where one is missing."""
    found = set(re.findall(r"org\.opencontainers\.image\.([\w.]+)=", dockerfile))
    if missing := LABELS - found:
        raise Problem(f"Dockerfile: the image has no label {', '.join(sorted(missing))}")
    return f"Dockerfile: {len(found)} labels; deploy/image/build fills them in and looks at them"


def check_workflows(tools: Path, root: Path = ROOT) -> list[str]:
    """A line for each tool that read the workflow files. Raises Problem with what one of them says."""
    folder = root / ".github" / "workflows"
    files = sorted(folder.glob("*.yml"))
    said = [linted("zizmor", [tools / "zizmor", "--offline", "--persona", "pedantic", "--quiet", *files])]
    if shutil.which("go") is None:
        if os.environ.get("REQUIRE_GO") == "1":
            raise Problem("actionlint can't be run: there is no Go")
        return [*said, "LEFT OUT: actionlint, which needs Go"]
    return [*said, linted("actionlint", ["go", "run", ACTIONLINT, *files])]


def linted(name: str, command: Sequence[str | Path]) -> str:
    """One line; raises Problem with what the tool says."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LINT_SECONDS_MAX)
    if done.returncode != 0:
        raise Problem(f"{name} on the workflows:\n{(done.stdout + done.stderr).strip()[-2000:]}")
    return f"{name}: nothing to say about the workflows"
