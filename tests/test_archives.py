"""Archives are unpacked on the oldest Python that Debian has, too."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import Final

import pytest

from tests.archives import unpack

ROOT: Final = Path(__file__).resolve().parents[1]
UNPACKS: Final = re.compile(r"\.extractall\(|unpack_archive\([^)]*\"(?:gz)?tar\"|unpack_archive\([^)]*filter=")


def packed(folder: Path) -> Path:
    """An archive of one script."""
    script = folder / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    with tarfile.open(folder / "one.tar", "w") as archive:
        archive.add(script, "in/script")
    return folder / "one.tar"


def test_an_archive_is_unpacked_with_its_modes(tmp_path: Path) -> None:
    """A build of what is unpacked has them in it."""
    unpack(packed(tmp_path), tmp_path / "there")

    assert 0o755 == (tmp_path / "there" / "in" / "script").stat().st_mode & 0o777


def test_python_3_11_2_has_no_filters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then none is asked for."""
    asked: list[dict[str, object]] = []
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    monkeypatch.setattr(tarfile.TarFile, "extractall", lambda _self, _into, **options: asked.append(options))
    unpack(packed(tmp_path), tmp_path)

    assert [{}] == asked


def test_nothing_else_unpacks_such_archives() -> None:
    """Python 3.11.4 knows `filter`, 3.11.2 ends with a TypeError."""
    files = [file for folder in ("bench", "consumer", "locks", "tests") for file in (ROOT / folder).rglob("*.py")]
    unpacking = [
        file.relative_to(ROOT).as_posix() for file in files if UNPACKS.search(file.read_text(encoding="utf-8"))
    ]

    assert ["tests/archives.py"] == unpacking
