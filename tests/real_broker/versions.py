"""This version and the one before it, as processes; that one is built from the history and kept in `.upgrade`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, PathDistribution, version
from pathlib import Path
from typing import Any, Final, NamedTuple

from packaging.requirements import Requirement

from tests.archives import unpack
from tests.real_broker.running_service import Service

ROOT: Final = Path(__file__).resolve().parents[2]
EARLIER_COMMIT: Final = "6e2d0f6b3fd0096c0f6ccd1dd561452e8e70f66b"
"""Whose version `docs/upgrading.md` describes the step from; the next release puts its own here."""
KEPT: Final = ROOT / ".upgrade" / EARLIER_COMMIT[:12]
BUILD_SECONDS_MAX: Final = 60.0


class Version(NamedTuple):
    """An installed version."""

    name: str
    folder: Path
    """Where the package `consumer` lies."""

    @property
    def environ(self) -> dict[str, str]:
        """What has Python import it; its libraries are those of this environment."""
        return {"PYTHONPATH": str(self.folder)}

    def command(self, *arguments: str) -> tuple[str, ...]:
        """What Python runs: without the folder that it is started in, where this version lies."""
        return ("-P", "-m", "consumer", *arguments)

    def ask(self, member: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another of its commands with a member's settings."""
        return subprocess.run(
            [sys.executable, *self.command(*arguments)],
            env={**member._environ, **self.environ},
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )


THIS: Final = Version("this", ROOT)
EARLIER: Final = Version("earlier", KEPT)


def missing() -> str | None:
    """Say in one sentence why the earlier version can't be built, or None."""
    if KEPT.exists():
        return None
    try:
        there = _git("cat-file", "-e", f"{EARLIER_COMMIT}^{{commit}}", check=False)
    except FileNotFoundError:
        return "git is not installed"
    if there.returncode != 0:
        return f"commit {EARLIER_COMMIT[:12]} is not in the history here: git fetch --unshallow"
    return None


def build() -> None:
    """Build the earlier version's wheel and install it beside this one, without libraries, unless it is there."""
    if KEPT.exists():
        return
    KEPT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT.parent) as made:
        tree, wheels, unpacked = (Path(made, name) for name in ("tree", "wheels", "unpacked"))
        archive = Path(made, "tree.tar")
        _git("archive", "--output", str(archive), EARLIER_COMMIT)
        unpack(archive, tree)
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
        done = subprocess.run(command, cwd=tree, check=False, capture_output=True, text=True, timeout=BUILD_SECONDS_MAX)
        assert done.returncode == 0, done.stdout + done.stderr
        [wheel] = wheels.glob("*.whl")
        shutil.unpack_archive(wheel, unpacked, "zip")  # nothing to compile: so pip installs it, too
        unpacked.rename(KEPT)


def not_satisfied() -> list[str]:
    """What the earlier version requires, and this environment does not have."""
    [about] = KEPT.glob("*.dist-info")
    wanted = [Requirement(line) for line in PathDistribution(about).requires or ()]
    return [str(one) for one in wanted if (one.marker is None or one.marker.evaluate({"extra": ""})) and not _has(one)]


def _has(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False


def _git(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[Any]:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=check, capture_output=True)
