"""What `make demo` installs: what it needs and no more, checked by hashes, with pip or uv; and what it says of that."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
LOCKS: Final = ROOT / "locks"


def pins(name: str) -> dict[str, str]:
    """Package → version, as the lock file has them."""
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", (LOCKS / name).read_text(), re.MULTILINE))


def test_the_demo_gets_no_development_tools() -> None:
    """What it installs is the image's lock and what builds this project."""
    runtime = pins("image.lock") | pins("build.lock")

    assert "confluent-kafka" in runtime
    assert set() == runtime.keys() & {"pytest", "mypy", "ruff", "hypothesis", "import-linter"}


def test_the_development_lock_changes_nothing_of_the_runtime() -> None:
    """Both go into one .venv: the same packages in the same versions."""
    runtime, development = pins("image.lock") | pins("build.lock"), pins("dev.lock")

    assert runtime == {name: development.get(name) for name in runtime}


@pytest.mark.parametrize(
    ("target", "sets"),
    [("demo", ["runtime"]), ("test", ["runtime", "development"]), ("check", ["runtime", "development"])],
)
def test_each_target_installs_what_it_needs(tmp_path: Path, target: str, sets: list[str]) -> None:
    """In a fresh clone, by what make says it would run."""
    shutil.copytree(LOCKS, tmp_path / "locks")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    would = subprocess.run(["make", "-n", target], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    assert sets == re.findall(r"locks/install.py (\w+)", would)


# --- the installer itself, in a small project with packages made here: no registry is asked


def a_wheel(folder: Path, name: str) -> str:
    """Make a package of one module; gives its line for a lock file, with its hash."""
    module = f"NAME = {name!r}\n".encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(module).digest()).decode().rstrip("=")
    about = f"{name}-1.0.dist-info"
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr(f"{name}.py", module)
        packed.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        packed.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{about}/RECORD", f"{name}.py,sha256={digest},{len(module)}\n{about}/RECORD,,\n")
    return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the installer, and a lock of two packages that are there."""
    (tmp_path / "locks").mkdir()
    shutil.copy(LOCKS / "install.py", tmp_path / "locks")
    (tmp_path / "wheels").mkdir()
    lines = [a_wheel(tmp_path / "wheels", name) for name in ("anothing", "bnothing")]
    (tmp_path / "locks" / "dev.lock").write_text("".join(lines))
    return tmp_path


def install(project: Path, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it with this PATH."""
    wheels = str(project / "wheels")
    return subprocess.run(
        [sys.executable, "locks/install.py", *arguments],
        cwd=project,
        check=False,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PATH": path,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": wheels,
            "UV_NO_INDEX": "1",
            "UV_FIND_LINKS": wheels,
        },
    )


def without_uv() -> str:
    """PATH less the folders that have a uv."""
    return os.pathsep.join(folder for folder in os.get_exec_path() if not (Path(folder) / "uv").exists())


def is_installed(project: Path, name: str) -> bool:
    """Whether the .venv has this module."""
    command = [str(project / ".venv" / "bin" / "python"), "-c", f"import {name}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_it_says_before_how_long_it_takes(project: Path) -> None:
    """How many packages, for what, where to, and some seconds; then how long it was."""
    done = install(project, without_uv(), "development")

    assert 0 == done.returncode, done.stdout + done.stderr
    first, last = done.stdout.splitlines()
    assert re.fullmatch(
        r"Installing 2 packages \(development\) into \.venv, once: about \d+ s \(pip; quicker with uv\)", first
    )
    assert re.fullmatch(r"Installed in \d+ s", last)
    assert is_installed(project, "bnothing")


def test_a_package_with_another_hash_is_refused(project: Path) -> None:
    """It ends with 1, and what pip says of it is shown."""
    lock = project / "locks" / "dev.lock"
    lock.write_text(re.sub(r"sha256:\w{8}", "sha256:00000000", lock.read_text()))
    done = install(project, without_uv(), "development")

    assert 1 == done.returncode
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not is_installed(project, "anothing")


def test_uv_is_used_where_it_is_there_and_checks_hashes_too(project: Path) -> None:
    """Whatever is called uv gets the same locks; here it says what it was told, and does nothing."""
    uv = project / "tools" / "uv"
    uv.parent.mkdir()
    uv.write_text(f'#!/bin/sh\necho "$@" >> {project / "told"}\n')
    uv.chmod(0o755)
    done = install(project, f"{uv.parent}{os.pathsep}{without_uv()}", "development")

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "(uv)" in done.stdout
    python, lock = project / ".venv" / "bin" / "python", project / "locks" / "dev.lock"
    assert f"pip install --python {python} --require-hashes -r {lock}\n" == (project / "told").read_text()


@pytest.mark.skipif(shutil.which("uv") is None, reason="no uv")
def test_uv_installs_and_refuses_as_pip_does(project: Path) -> None:
    """The real one: what has another hash is refused."""
    subprocess.run(["uv", "venv", "--quiet", project / ".venv"], check=True)
    done = install(project, os.environ["PATH"], "development")
    assert 0 == done.returncode, done.stdout + done.stderr
    assert is_installed(project, "bnothing")

    lock = project / "locks" / "dev.lock"
    lock.write_text(re.sub(r"sha256:\w{8}", "sha256:00000000", a_wheel(project / "wheels", "other")))
    refused = install(project, os.environ["PATH"], "development")
    assert 1 == refused.returncode
    assert "hash" in refused.stderr.lower()
    assert not is_installed(project, "other")


@pytest.mark.parametrize("arguments", [(), ("everything",)])
def test_an_unknown_set_is_refused(project: Path, arguments: tuple[str, ...]) -> None:
    """The sets that there are are named."""
    done = install(project, without_uv(), *arguments)

    assert 2 == done.returncode
    assert "runtime|development|browser|fuzz" in done.stderr
