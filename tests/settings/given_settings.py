"""Short ways for the tests of settings: load with a key, and the problems that come instead."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from consumer.settings import Settings, SettingsError, load_settings, variable

KEY = "canary-key-8f3a91"


def load(environ: Mapping[str, str] | None = None, toml: Path | None = None, /, **settings: str) -> Settings:
    """Settings from these variables, this file, and settings by name as variables; the key is there."""
    named = {variable(name): value for name, value in settings.items()}
    return load_settings({"CUSTOMFIT_API_KEY": KEY, **(environ or {}), **named}, toml)


def problems(environ: Mapping[str, str] | None = None, toml: Path | None = None, /, **settings: str) -> list[str]:
    """The problems that loading the same raises."""
    with pytest.raises(SettingsError) as raised:
        load(environ, toml, **settings)
    return raised.value.problems


def problem(environ: Mapping[str, str] | None = None, toml: Path | None = None, /, **settings: str) -> str:
    """The only problem."""
    [only] = problems(environ, toml, **settings)
    return only


def written(path: Path, text: str) -> Path:
    """The path, after the text was written there."""
    path.write_text(text)
    return path
