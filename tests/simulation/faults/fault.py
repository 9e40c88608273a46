"""A fault: a hole in the core with a name, and the ways to put it there so that one that has rotted is found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import pytest

from tests.rotten import ROTTEN

Install = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """A hole in the core, the promise that it breaks first, and within how many seeds."""

    name: str
    install: Install
    caught_by: tuple[str, ...]
    seeds_max: int
    first_seed: int = 0
    """Of a rare one: near the first seed that shows it, so that the test is fast."""


ROTTED: list[Exception] = []
"""What the faults themselves have raised."""


def watched(replacement: Callable[..., Any]) -> Callable[..., Any]:
    """The same, but that errors of a rotten fault are remembered: somebody may take them, as a bad record for one."""

    @wraps(replacement)
    def replaced(*args: Any, **named: Any) -> Any:
        try:
            return replacement(*args, **named)
        except ROTTEN as error:
            ROTTED.append(error)
            raise

    return replaced


def around(owner: Any, name: str, replacement: Callable[..., Any]) -> Install:
    """Replace a function; the replacement gets the original first."""
    return instead(owner, name, wraps(getattr(owner, name))(partial(replacement, getattr(owner, name))))


def instead(owner: Any, name: str, replacement: Callable[..., Any]) -> Install:
    """Replace a function."""
    return lambda monkeypatch: monkeypatch.setattr(owner, name, watched(replacement))


def constant(owner: Any, name: str, value: Any) -> Install:
    """A function that always says the same."""
    return lambda monkeypatch: monkeypatch.setattr(owner, name, lambda *_args, **_named: value)


def together(*installs: Install) -> Install:
    """One fault that takes several replacements."""

    def install(monkeypatch: pytest.MonkeyPatch) -> None:
        for one in installs:
            one(monkeypatch)

    return install
