"""Unpacks what was packed with tar, on each Python that the project runs on."""

from __future__ import annotations

import tarfile
from pathlib import Path


def unpack(archive: Path, into: Path) -> None:
    """All of it, none outside of `into` where Python looks after that: 3.11.2, which Debian 12 has, has no filters."""
    with tarfile.open(archive) as packed:
        if hasattr(tarfile, "data_filter"):
            packed.extractall(into, filter="data")
        else:
            packed.extractall(into)  # noqa: S202  only what this project packed or fetched by its hash
