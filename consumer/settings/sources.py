"""Where settings come from: a command's options, the environment, a TOML file.

Finds unknown names and reads `_FILE` variants.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from consumer.settings.values import Wrong, folder, nearest, shown, shown_path, unreadable

PREFIX: Final = "CUSTOMFIT_"
_FILE: Final = "_file"
_FILE_BYTES_MAX: Final = 1_048_576
# Kubernetes and Docker set these in every container, for each service they know.
_INJECTED: Final = re.compile(
    r"CUSTOMFIT_(?:.*_)?(?:SERVICE_HOST|SERVICE_PORT(?:_.*)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_.*)?)"
)
_LINK: Final = re.compile(r"(?:tcp|udp|sctp)://")


class Given(NamedTuple):
    """A value as its source gave it, and what messages call it: the setting's name with its source."""

    value: object
    origin: str


@dataclass(slots=True)
class Sources:
    """What was found. `failed` holds settings that were given and could not be read."""

    given: dict[str, Given] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def variable(setting: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + setting.upper()


def gather(
    environ: Mapping[str, str],
    config_file: Path | None,
    settings: Collection[str],
    in_file: Collection[str],
    options: Mapping[str, Given],
) -> Sources:
    """Collect what each source says of the known settings. Those `in_file` may also be given by a `_FILE` variant."""
    found = Sources()
    known = (*settings, *(setting + _FILE for setting in in_file))
    layers = [dict(options), _from_environment(environ, known, found)]
    if config_file is not None:
        layers.append(_from_toml(config_file, known, found))
    for setting in settings:
        for layer in layers:  # the first source that has the setting wins
            direct, named = layer.get(setting), layer.get(setting + _FILE)
            if direct and named:
                found.problems.append(f"{direct.origin} and {named.origin}: both are set; keep one")
                found.failed.add(setting)
            elif named:
                try:
                    found.given[setting] = Given(_text_in(named), named.origin)
                except Wrong as wrong:
                    found.problems.append(f"{named.origin}: {wrong}")
                    found.failed.add(setting)
            elif direct:
                found.given[setting] = direct
            if direct or named:
                break
    return found


def _from_environment(environ: Mapping[str, str], known: tuple[str, ...], found: Sources) -> dict[str, Given]:
    settings = {variable(setting): setting for setting in known}
    layer: dict[str, Given] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        value, setting = environ[name], settings.get(name)
        if setting is None:
            if _INJECTED.fullmatch(name) is None and not (name.endswith("_PORT") and _LINK.match(value)):
                near = nearest(name.removeprefix(PREFIX).lower(), known)
                found.problems.append(_unknown(f"{shown(name)[1:-1]} (environment)", variable(near or "")))
        elif _LINK.match(value):
            found.problems.append(_service_link(name))
            found.failed.add(setting.removesuffix(_FILE))
        else:
            layer[setting] = Given(value, f"{name} (environment)")
    return layer


def _from_toml(path: Path, known: tuple[str, ...], found: Sources) -> dict[str, Given]:
    try:
        table = tomllib.loads(_read(path))
    except OSError as error:
        found.problems.append(f"--config: {unreadable(shown_path(path), error)}")
        return {}
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, too large, nested too deep
        found.problems.append(f"--config: {shown_path(path)} is not usable as TOML ({_first_line(error)}); correct it")
        return {}
    layer: dict[str, Given] = {}
    for key, value in table.items():
        origin = f"{shown(key)[1:-1]} in {shown_path(path)}"
        if key in known:
            layer[key] = Given(value, f"{variable(key)} ({origin})")
        else:
            near = nearest(key.lower().removeprefix(PREFIX.lower()), known)
            found.problems.append(_unknown(origin, near or ""))
    return layer


def _text_in(named: Given) -> str:
    """The text of the file that a `_FILE` variant names, without one newline at its end."""
    path = folder(named.value)
    file = shown_path(path) if _may_be_shown(path) else "the file it names"
    try:
        text = _read(path).removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise Wrong(unreadable(file, error)) from None
    except ValueError as error:  # not UTF-8, too large
        raise Wrong(f"{file} is not usable ({_first_line(error)}); write the value alone into it") from None
    if not text:
        raise Wrong(f"{file} is empty; write the value into it")
    return text


def _may_be_shown(path: Path) -> bool:
    """Whether this looks like a path: some people will put the key itself into CUSTOMFIT_API_KEY_FILE."""
    try:
        return len(path.parts) > 2 and path.parent.is_dir()
    except OSError:
        return False


def _read(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_FILE_BYTES_MAX + 1)
    if len(content) > _FILE_BYTES_MAX:
        raise ValueError(f"more than {_FILE_BYTES_MAX} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        # Its own message would show a byte of what may be a key.
        raise ValueError(f"not UTF-8 text at byte {error.start}") from None


def _first_line(error: Exception) -> str:
    return shown(str(error))[1:-1] if str(error) else type(error).__name__


def _unknown(where: str, near: str) -> str:
    return f"{where}: no such setting; the nearest known one is {near}: correct or remove it"


def _service_link(name: str) -> str:
    service = ""
    if name.endswith("_PORT"):
        service = f" called {name.removesuffix('_PORT').lower().replace('_', '-')}"
    return (
        f"{name} (environment): an address such as tcp://… is what Kubernetes injects as a service link, here for a "
        f"Service{service}; set enableServiceLinks: false in the pod, or set {name} explicitly there"
    )
