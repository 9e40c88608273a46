"""The wheel and the source distribution: the same bytes each time they are made, and in them what should be."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.archives import unpack
from tests.release.problem import Problem

ROOT: Final = Path(__file__).resolve().parents[2]
BUILD_SECONDS_MAX: Final = 60.0
DIFFERENT: Final[tuple[Mapping[str, str], ...]] = (
    {"TZ": "UTC", "PYTHONHASHSEED": "0"},
    {"TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "1"},
)
"""Two machines that have nothing in common but the commit: clock, hash seed; and umask, folder and file times."""
FOLDERS_OF_THE_WHEEL: Final = {"consumer/": "consumer/", "schemas/": "consumer/schemas/"}
"""Folder in the repository → folder in the wheel (pyproject.toml says the same to the build)."""


def build_twice(into: Path, root: Path = ROOT) -> list[Path]:
    """Wheel and source distribution of HEAD, built in two places; the first ones. Raises Problem if they differ."""
    epoch = git("log", "-1", "--format=%ct", root=root)
    made: list[dict[str, Path]] = []
    for number, environ in enumerate(DIFFERENT):
        place = into / f"place{number}" / ("x" * 40 * number) / "tree"
        place.mkdir(parents=True)
        archive = into / f"{number}.tar"
        git("archive", "--output", str(archive), "HEAD", root=root)
        unpack(archive, place)
        for file in place.rglob("*") if number else ():
            os.utime(file, (number, number))
        build(place, {**os.environ, **environ, "SOURCE_DATE_EPOCH": epoch}, umask=0o077 if number else 0o022)
        made.append({file.name: file for file in (place / "dist").iterdir() if file.name != ".gitignore"})
    first, second = made
    if first.keys() != second.keys():
        raise Problem(f"built twice, there are other files: {sorted(first)} and {sorted(second)}")
    for name, file in first.items():
        if (one := digest(file)) != (other := digest(second[name])):
            raise Problem(f"{name} differs when it is built twice: {one} and {other}")
    return list(first.values())


def build(place: Path, environ: Mapping[str, str], umask: int) -> None:
    """Both distributions of the tree at `place`, into its folder dist. Raises Problem."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", "dist"]
    clean = {name: value for name, value in environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=place,
        env=clean,
        umask=umask,
        check=False,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS_MAX,
    )
    if done.returncode != 0:
        raise Problem(f"it can't be built: {(done.stderr or done.stdout).strip()[-500:]}")


def check_contents(packages: Iterable[Path], files: set[str]) -> list[str]:
    """What stands in them, in a line each. Raises Problem where a file is missing or does not belong there."""
    said = []
    for package in packages:
        if package.suffix == ".whl":
            with zipfile.ZipFile(package) as packed:
                names = set(packed.namelist())
            [information] = {name.split("/")[0] for name in names if ".dist-info/" in name}
            wanted = wheel_files(files) | {
                f"{information}/{name}"
                for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
            }
        else:
            with tarfile.open(package) as packed:
                names = {member.name for member in packed.getmembers() if member.isfile()}
            [top] = {name.split("/")[0] for name in names}
            wanted = {f"{top}/{name}" for name in files | {"PKG-INFO"}}
        if names != wanted:
            missing, foreign = sorted(wanted - names), sorted(names - wanted)
            raise Problem(f"{package.name}: missing {missing[:5]}, not of the commit {foreign[:5]}")
        said.append(f"{package.name}: {len(names)} files, {package.stat().st_size // 1024} KiB")
    return said


def wheel_files(files: set[str]) -> set[str]:
    """What of the commit belongs in the wheel, under the names that it has there."""
    return {
        target + name.removeprefix(source)
        for source, target in FOLDERS_OF_THE_WHEEL.items()
        for name in files
        if name.startswith(source)
    }


def keep(packages: Iterable[Path], into: Path) -> None:
    """Lay them in a folder that holds nothing else."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    for package in packages:
        shutil.copy(package, into)


def digest(file: Path) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def git(*arguments: str, root: Path = ROOT) -> str:
    """What git prints. Raises Problem with what it says when it fails, such as that the folder is somebody else's."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        raise Problem("git is not installed") from None
    if done.returncode != 0:
        raise Problem(f"git {arguments[0]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()
