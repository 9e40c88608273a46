"""Settings from their sources. Everything that is wrong is reported at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from consumer.settings.conflicts import conflicts, warnings
from consumer.settings.secret import Secret
from consumer.settings.settings import RULES, Settings
from consumer.settings.sources import Given, gather, variable
from consumer.settings.values import Rule, Wrong

_NO_OPTIONS: Final[Mapping[str, Given]] = MappingProxyType({})


class SettingsError(Exception):
    """The settings can't be used: exit code 78 after showing `problems`, one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class SettingDoc(NamedTuple):
    """One row of docs/settings.md."""

    variable: str
    default: str
    limits: str
    help: str


def load_settings(
    environ: Mapping[str, str],
    config_file: Path | None = None,
    *,
    api_key_required: bool = True,
    options: Mapping[str, Given] = _NO_OPTIONS,
) -> Settings:
    """Settings from the environment, a TOML file and defaults; raises SettingsError with every problem found.

    `options`: what a command was given in place of a setting, with the option's name as its origin.
    """
    in_file = tuple(name for name, rule in RULES.items() if rule.in_file)
    found = gather(environ, config_file, tuple(RULES), in_file, options)
    problems, values, origins = found.problems, dict[str, Any](), dict[str, str]()
    for name, rule in RULES.items():
        if name in found.failed:
            continue
        given = found.given.get(name) or _default(name, rule, values)
        if given is None:
            continue  # what it follows from is wrong
        origins[name] = given.origin
        try:
            values[name] = None if given.value is None else rule.parse(given.value)
        except Wrong as wrong:
            problems += [f"{given.origin}: {problem}" for problem in wrong.args]
    if values.get("api_key", True) is None:
        values["api_key"] = Secret("")
        if api_key_required:
            problems.append(
                f"{variable('api_key')} (not set): the app's server key is needed; "
                f"set it, or name a file that holds it in {variable('api_key_file')}"
            )
    problems += conflicts(values, origins)
    if problems:
        raise SettingsError(problems)
    return Settings(**values, warnings=tuple(warnings(values, origins)), origins=MappingProxyType(origins))


def settings_table() -> list[SettingDoc]:
    """Every environment variable with its default, limits and help."""
    rows = []
    for name, rule in RULES.items():
        default = rule.derived.text if rule.derived else rule.default or ""
        rows.append(SettingDoc(variable(name), default, rule.limits, rule.help))
        if rule.in_file:
            rows.append(SettingDoc(variable(f"{name}_file"), "", "a file", f"A file that holds `{variable(name)}`."))
    return rows


def _default(name: str, rule: Rule, values: Mapping[str, Any]) -> Given | None:
    if rule.derived is None:
        return Given(rule.default, f"{variable(name)} (default)")
    base = rule.derived.base
    if base not in values:
        return None
    return Given(rule.derived.derive(values[base]), f"{variable(name)} (default, from {variable(base)})")
