"""Asks for known flaws of what the image is made of: `make advisories`. 1 when there is one.

Advisories lie on the network. Those known when the versions were last chosen are kept here too (advisories.toml), and
judge in any case: where no service can be asked, that is said, and is a failure only with REQUIRE_ADVISORIES=1.
pip-audit itself ends with 0 and "no known vulnerabilities" when the service knows none of the packages.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from packaging.specifiers import SpecifierSet

ROOT: Final = Path(__file__).resolve().parents[1]
AUDITED: Final = "locks/image.lock"
TOOL: Final = "locks/audit.lock"
FOLDER: Final = ROOT / ".audit"
KEPT: Final = ROOT / "tests" / "advisories.toml"
SERVICES: Final = {"its own service": [], "OSV": ["--vulnerability-service=osv"]}
"""Of pip-audit; the second is asked when the first knows nothing."""
INSTALL_SECONDS_MAX: Final = 60.0  # CI does other things meanwhile
AUDIT_SECONDS_MAX: Final = 12.0
"""For each service."""


class Report(NamedTuple):
    """What a service said: the flaws, which packages it judged, and which it did not."""

    flaws: list[str]
    audited: list[str]
    unknown: list[str]


class NoAdvisories(Exception):
    """Nothing was audited; the message says why."""


def main() -> int:
    """Audit and say what came of it."""
    kept = tomllib.loads(KEPT.read_text())
    packages = pins((ROOT / AUDITED).read_text())
    flaws = flaws_among(packages, kept["advisories"])
    print(
        f"{AUDITED}: {len(flaws)} known flaws in {len(packages)} packages, "
        f"by the {len(kept['advisories'])} advisories kept in tests/{KEPT.name} on {kept['as_of']}"
    )
    try:
        install()
        report = ask()
    except NoAdvisories as problem:
        print(f"NO SERVICE ASKED: {problem}", file=sys.stderr)
        return shown(flaws) or (1 if os.environ.get("REQUIRE_ADVISORIES") == "1" else 0)
    print(f"{AUDITED}: {len(report.flaws)} known flaws in {len(report.audited)} packages, by the service")
    if report.unknown:
        print(f"NOT AUDITED: {', '.join(report.unknown)}: the service does not know them", file=sys.stderr)
    return shown(flaws + report.flaws)


def shown(flaws: list[str]) -> int:
    """The exit code, after each flaw is said."""
    for flaw in flaws:
        print(flaw, file=sys.stderr)
    return 1 if flaws else 0


def pins(lock_file: str) -> dict[str, str]:
    """Package → version."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock_file, re.MULTILINE))


def flaws_among(packages: Mapping[str, str], advisories: list[dict[str, Any]]) -> list[str]:
    """A line for each advisory that speaks of the version that is pinned."""
    return [
        f"{one['package']} {version}: {one['id']}, which affects {' or '.join(one['affected'])}"
        for one in advisories
        if (version := packages.get(one["package"])) is not None
        and any(SpecifierSet(versions, prereleases=True).contains(version) for versions in one["affected"])
    ]


def install() -> None:
    """The tool in an environment of its own, by its lock file. Raises NoAdvisories."""
    copy = FOLDER / Path(TOOL).name
    wanted = (ROOT / TOOL).read_bytes()
    if copy.exists() and copy.read_bytes() == wanted:
        return
    python, pip = FOLDER / "bin" / "python", ["-m", "pip", "install", "-q", "--disable-pip-version-check"]
    run([sys.executable, "-m", "venv", "--clear", FOLDER], INSTALL_SECONDS_MAX / 2)
    run([python, *pip, "--retries", "1", "--require-hashes", "-r", ROOT / TOOL], INSTALL_SECONDS_MAX)
    copy.write_bytes(wanted)


def ask() -> Report:
    """What the first service says that knows any of the packages. Raises NoAdvisories."""
    problems = []
    for service, chosen in SERVICES.items():
        options = [
            *chosen,
            "--require-hashes",
            "--disable-pip",
            "--progress-spinner=off",
            "--format=json",
            "--timeout=5",
        ]
        command: list[str | Path] = [FOLDER / "bin" / "pip-audit", *options, "--timeout=5", "-r", ROOT / AUDITED]
        try:
            report = judged(run(command, AUDIT_SECONDS_MAX, codes=(0, 1)))
        except NoAdvisories as problem:
            problems.append(f"{service}: {problem}")
            continue
        if report.audited:
            return report
        problems.append(f"{service}: knows none of its {len(report.unknown)} packages; is there a network?")
    raise NoAdvisories("; ".join(problems))


def judged(answer: str) -> Report:
    """What pip-audit's JSON says. Raises NoAdvisories where it is none."""
    try:
        packages: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        raise NoAdvisories(f"no report: {answer.strip()[-200:]}") from None
    flaws = [
        f"{package['name']} {package['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'none'}"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    audited = [package["name"] for package in packages if "skip_reason" not in package]
    return Report(flaws, audited, [package["name"] for package in packages if "skip_reason" in package])


def run(command: list[str | Path], seconds_max: float, codes: tuple[int, ...] = (0,)) -> str:
    """What a command prints to stdout. Raises NoAdvisories when it fails or takes longer."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds_max)
    except subprocess.TimeoutExpired:
        raise NoAdvisories(f"{Path(command[0]).name} took more than {seconds_max:g} s") from None
    last = (done.stderr.strip() or "nothing").splitlines()[-1][:200]
    if done.returncode not in codes or not (done.stdout.strip() or done.returncode == 0):
        raise NoAdvisories(f"{Path(command[0]).name} failed: {last}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
