"""The page's files come out of the package, with a policy that lets a browser run nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

from consumer.ops.server import Asked, Page
from consumer.ops.web_files import TYPES, web_files

ROOT: Final = Path(__file__).resolve().parents[2]
WEB: Final = ROOT / "consumer" / "ops" / "web"


def served() -> dict[str, Page]:
    """Path → page."""
    return {path: answer(Asked(path)) for path, answer in web_files().items()}


def test_each_file_is_served_as_what_it_is() -> None:
    """The index at `/`, the others at their names; a file of an unknown kind would not be served."""
    found = served()
    names = {file.name for file in WEB.iterdir() if file.is_file()}

    assert {"/" if name == "index.html" else f"/{name}" for name in names} == set(found)
    assert {"/", "/page.css", "/page.js"} <= set(found)
    assert ["text/html; charset=utf-8", "text/css; charset=utf-8", "text/javascript; charset=utf-8"] == [
        found[path].content_type for path in ("/", "/page.css", "/page.js")
    ]
    assert all((WEB / ("index.html" if path == "/" else path[1:])).read_bytes() == found[path].body for path in found)


def test_the_page_is_run_under_a_strict_policy() -> None:
    """Nothing from elsewhere, nothing inline, in nobody's frame."""
    policy = served()["/"].headers["Content-Security-Policy"]

    assert {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    } == {part.split()[0]: " ".join(part.split()[1:]) for part in policy.split(";")}


def test_nothing_is_fetched_from_elsewhere() -> None:
    """Each address that the page names is one that is served, and all of it stands in no other file."""
    text = served()["/"].body.decode()
    named = re.findall(r'(?:href|src)="(?!#|data:)([^"]*)"', text)
    ours = {*served(), "/metrics", "/livez", "/readyz", "/status", "/history"}

    assert named
    assert [] == [one for one in named if (one if one.startswith("/") else f"/{one}") not in ours]
    assert re.search(r"<script>|<style|\sstyle=|\son\w+=", text) is None


def test_the_wheel_holds_the_files(tmp_path: Path) -> None:
    """And what they are served by, as it would be installed."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        inside = {name: packed.read(name) for name in packed.namelist() if name.startswith("consumer/ops/web/")}

    assert {
        f"consumer/ops/web/{file.name}": file.read_bytes() for file in WEB.iterdir() if file.suffix in TYPES
    } == inside


@pytest.mark.parametrize("suffix", [".html", ".css", ".js"])
def test_text_is_told_to_be_utf_8(suffix: str) -> None:
    """Or a browser guesses."""
    assert TYPES[suffix].endswith("; charset=utf-8")
