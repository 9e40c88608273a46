"""What one setting may be: its kind, default, limits and help, and how its text becomes a value.

A parser gets what a source gave (text; from TOML also a number) and returns the value or raises `Wrong`, whose
lines say what is wrong and what to do. The name of the setting and its source are put in front by the caller.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args
from urllib.parse import parse_qsl, urlsplit

from consumer.choices import HttpEngine
from consumer.foreign_text import printable
from consumer.settings.hosts import host_problem
from consumer.settings.secret import Secret

API_KEY_CHARACTERS_MIN: Final = 8
_API_KEY_CHARACTERS_MAX: Final = 4096
TOPIC_LIMITS: Final = "1 to 249 of a-z A-Z 0-9 . _ -"
_NAMES_MAX: Final = 100
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]{1,12}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})")
_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_BROKER: Final = re.compile(r"(?:[A-Z_]+://)?(?:\[([^\[\]]+:[^\[\]]*)\]|([^\[\]:/@,\s]+))(?::([0-9]{1,5}))?")


class Wrong(ValueError):
    """A value that can't be used; each argument is one problem: what is wrong; what to do."""


class Derived(NamedTuple):
    """A default that follows from another setting: as documented, that setting, and how."""

    text: str
    base: str
    derive: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Rule:
    """All there is to know about one setting.

    `default` goes through `parse` like any other text; None where it is derived or where the setting may be absent.
    `low` and `high` are inclusive unless `low_excluded`; `in_file`: a `_FILE` variant may name a file that holds it.
    """

    parse: Callable[[object], object]
    default: str | None
    limits: str
    help: str
    derived: Derived | None = None
    low: float | None = None
    high: float | None = None
    low_excluded: bool = False
    in_file: bool = False


def whole(default: int, low: int, high: int, unit: str, text: str) -> Rule:
    """A whole number within limits, written in plain digits."""
    limits = f"{low} to {high} {unit}".rstrip()

    def parse(given: object) -> int:
        written = plain(given)
        if _WHOLE.fullmatch(written) is None:
            raise Wrong(f"{shown(written)} is not a whole number in plain digits; use {limits}")
        return int(_within(int(written), low, high, limits))

    return Rule(parse, str(default), limits, text, low=low, high=high)


def decimal(default: str, low: float, high: float, unit: str, text: str, *, low_excluded: bool = False) -> Rule:
    """A number within limits, with or without decimals."""
    limits = f"more than {low:.15g}, at most {high:.15g}" if low_excluded else f"{low:.15g} to {high:.15g}"
    limits = f"{limits} {unit}".rstrip()

    def parse(given: object) -> float:
        written = plain(given)
        if _DECIMAL.fullmatch(written) is None:
            raise Wrong(f"{shown(written)} is not a number; use {limits}")
        number = float(written)
        if low_excluded and number == low:
            raise Wrong(f"{number:.15g} is not above {low:.15g}; use {limits}")
        return _within(number, low, high, limits)

    return Rule(parse, default, limits, text, low=low, high=high, low_excluded=low_excluded)


class OneOf(NamedTuple):
    """The help of a setting that is one of a few words: which, its type says."""

    help: str

    def rule(self, type_: object) -> Rule:
        """One of the words of this Literal type, in any case; the first is the default."""
        options: tuple[str, ...] = get_args(type_)
        limits = ", ".join(options)

        def parse(given: object) -> str:
            word = plain(given).lower()
            if word in options:
                return word
            # The value isn't repeated: a key pasted into the wrong variable would be shown.
            near = nearest(word, options, cutoff=0.6)
            raise Wrong(f"not one of {limits}; " + (f"did you mean {near}?" if near else "use one of these"))

        return Rule(parse, options[0], limits, self.help)


def yes_or_no(text: str) -> Rule:
    """`true` or `false`; a TOML file may have either without quotes."""
    rule = OneOf(text).rule(Literal["false", "true"])

    def parse(given: object) -> bool:
        return given if isinstance(given, bool) else rule.parse(given) == "true"

    return replace(rule, parse=parse)


def engine_choice(text: str) -> Rule:
    """The HTTP engine. `auto` chose among several once; there is one to choose now."""
    rule = OneOf(text).rule(HttpEngine)

    def parse(given: object) -> object:
        match plain(given).lower():
            case "auto":
                return "httptools"
            case "pyreqwest":
                raise Wrong(
                    "the engine pyreqwest is gone: httptools goes through proxies too, for a quarter of the CPU time;"
                    " remove the setting"
                )
        return rule.parse(given)

    return replace(rule, parse=parse)


def topic_name(given: object) -> str:
    """Check a name by Kafka's rule for topics."""
    written = plain(given)
    if len(written) > 249:
        raise Wrong(f"{shown(written)} has {len(written)} characters; use at most 249")
    if _TOPIC.fullmatch(written) is None or written in (".", ".."):
        raise Wrong(f"{shown(written)} is not a name that Kafka takes for a topic; use letters, digits and . _ - only")
    return written


def label(given: object) -> str:
    """Check free text of one line."""
    written = plain(given)
    if not written.isprintable() or written.isspace() or len(written) > 2048:
        raise Wrong("must be one line of at most 2048 printable characters; shorten it or remove what can't be seen")
    return written


def brokers(given: object) -> str:
    """Check a comma-separated list of `host:port`; spaces around the commas are dropped."""
    servers = [server.strip() for server in plain(given).split(",")]
    for server in servers:
        match = _BROKER.fullmatch(server)
        if match is None:
            # With an @ it may hold a password.
            what = "an entry with @" if "@" in server else shown(server)
            raise Wrong(f"{what} is not a broker address; write host:port, several separated by commas")
        if (problem := host_problem(match[1] or match[2])) is not None:
            raise Wrong(f"{shown(server)} names a host that can't be: {problem}; correct it")
        if match[3] and not 1 <= int(match[3]) <= 65535:
            raise Wrong(f"{shown(server)} has no usable port; use 1 to 65535")
    return ",".join(servers)


def host(given: object) -> str:
    """Check a host name or an address to listen on."""
    written = plain(given)
    if (problem := host_problem(written)) is not None:
        raise Wrong(f"{shown(written)} is not a host name or address ({problem}); use for example 0.0.0.0, or ::")
    return written


def host_names(given: object) -> tuple[str, ...]:
    """Check names of hosts, without ports: separated by commas, a JSON array, or an array of TOML."""
    names = [name.lower().removesuffix(".") for name in names_of(given)]
    if len(names) > _NAMES_MAX:
        raise Wrong(f"{len(names)} names are more than {_NAMES_MAX}; remove some")
    for name in names:
        if (problem := host_problem(name)) is not None:
            raise Wrong(f"{shown(name)} is not a name of a host ({problem}); write it without scheme and port")
    return tuple(dict.fromkeys(names))


def names_of(given: object) -> list[str]:
    """The names of a list: text with commas between them, an array of JSON, or one of TOML."""
    if isinstance(given, str) and given.startswith("["):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise Wrong("is no JSON array of names; write the names with commas between them") from None
    if not isinstance(given, list):
        return [name.strip() for name in plain(given).split(",")]
    if not all(isinstance(name, str) for name in given):
        raise Wrong("holds something else than names; write an array of texts")
    return given


def url(given: object) -> str:
    """Check the URL events are posted to; no message repeats more of it than scheme and host."""
    written = plain(given)
    if not written.isascii() or not written.isprintable() or " " in written or len(written) > 2048:
        raise Wrong("has spaces, control or non-ASCII characters, or more than 2048; percent-encode or remove them")
    try:
        parts = urlsplit(written)
        port = parts.port
    except ValueError:
        raise Wrong("is not a URL (host or port can't be read); write https://host/path") from None
    if parts.scheme not in ("http", "https"):
        raise Wrong("does not start with https:// or http://; write the full URL, such as https://host/path")
    if "@" in parts.netloc:
        raise Wrong("holds a user name or password; put the key in CUSTOMFIT_API_KEY and remove all up to the @")
    if not parts.hostname or port == 0:
        raise Wrong("names no host or port 0; write https://host/path")
    if (problem := host_problem(parts.hostname)) is not None:
        raise Wrong(f"names a host that can't be: {problem}; correct it")
    if "#" in written:
        raise Wrong("has a # part, which is never sent; remove it")
    if any(key.lower() == "cfenc" for key, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise Wrong("holds the key (cfenc=); remove it, set CUSTOMFIT_API_KEY and CUSTOMFIT_API_AUTH=query")
    return written


def registry_url(given: object) -> str:
    """Check the schema registry's URL, to which paths are appended."""
    written = plain(given)
    if "@" in written:
        raise Wrong("holds an @; put user:password in CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO and remove all up to the @")
    if "?" in written:
        raise Wrong("has a query, and paths are put behind it; remove all from the ? on")
    url(written)
    return written.rstrip("/")


def user_info(given: object) -> Secret:
    """Check `user:password`; no message holds any of it."""
    written = plain(given)
    if not written.isprintable() or not written.partition(":")[0] or ":" not in written:
        raise Wrong("not user:password on one line; write the two with a colon between them")
    return Secret(written)


def folder(given: object) -> Path:
    """A path; nothing is looked up or created."""
    written = plain(given)
    if "\0" in written:
        raise Wrong("holds a NUL character, which no path can; remove it")
    return Path(written)


def readable_file(given: object) -> Path:
    """A path to a file that this process can read."""
    path = folder(given)
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise Wrong(unreadable(shown_path(path), error)) from None


def server_key(given: object) -> Secret:
    """Check the key that goes into a header; no message holds any of it."""
    key = plain(given)
    if len(key) < API_KEY_CHARACTERS_MIN:
        raise Wrong(f"shorter than {API_KEY_CHARACTERS_MIN} characters; give the app's whole server key")
    if len(key) > _API_KEY_CHARACTERS_MAX:
        raise Wrong(f"longer than {_API_KEY_CHARACTERS_MAX} characters; give the app's server key and nothing else")
    for position, character in enumerate(key, start=1):
        if not "!" <= character <= "~":
            what = "white space" if character.isspace() else "a control or non-ASCII character"
            raise Wrong(f"{what} at position {position} can't go into an HTTP header; give the key alone, on one line")
    return Secret(key)


def plain(given: object) -> str:
    """The text of a value: as it is, or a number's digits."""
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return str(given)
    if not isinstance(given, str):
        raise Wrong(f"{_KINDS.get(type(given), 'a date or time')} is neither text nor a number; write one of these")
    if not given:
        raise Wrong("set but empty; give it a value, or remove it to have the default")
    if len(given) > 1 and given[0] == given[-1] and given[0] in "\"'":
        raise Wrong("the quotes around it are part of the value (docker --env-file keeps them); remove them")
    return given


def shown(text: str, characters_max: int = 60) -> str:
    """Foreign text for a message: quoted, on one line, cut."""
    return f"'{printable(text, characters_max)}'"


def shown_path(path: Path) -> str:
    """A path for a message: on one line, in full unless it is absurd."""
    return shown(str(path), 1000)[1:-1]


def nearest(word: str, known: tuple[str, ...], cutoff: float = 0.0) -> str | None:
    """The known word most like this one; of several the first."""
    from difflib import SequenceMatcher  # only needed to word an error

    likeness = {other: SequenceMatcher(None, other, word[:100]).ratio() for other in known}
    best = max(likeness, key=likeness.__getitem__)
    return best if likeness[best] >= cutoff else None


def unreadable(file: str, error: OSError) -> str:
    """Say why a file can't be read."""
    reason = error.strerror or os.strerror(error.errno or 0)
    return f"{file} can't be read ({reason}); check the path and who may read it"


_KINDS: Final[dict[type, str]] = {bool: "true or false", dict: "a table", list: "a list"}


def _within(number: float, low: float, high: float, limits: str) -> float:
    if number < low:
        raise Wrong(f"{number:.15g} is below {low:.15g}; use {limits}")
    if number > high:
        raise Wrong(f"{number:.15g} is above {high:.15g}; use {limits}")
    return number
