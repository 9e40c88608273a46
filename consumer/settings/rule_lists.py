"""Settings that are lists of rules: a JSON array of texts, or an array of TOML.

Not names with commas between them, as in other settings: names of events may contain commas.
"""

from __future__ import annotations

import json
from typing import Final

from consumer.settings.escapes import BadEscape, characters
from consumer.settings.name_filter import Globs
from consumer.settings.property_paths import PropertyPath, PropertyPaths, within
from consumer.settings.secret import Secret
from consumer.settings.values import Rule, Wrong, plain, shown

RULES_MAX: Final = 100
CHARACTERS_MAX: Final = 200
HASH_KEY_CHARACTERS_MIN: Final = 16
_HASH_KEY_CHARACTERS_MAX: Final = 4096
HASH_KEY_LIMITS: Final = f"{HASH_KEY_CHARACTERS_MIN} to {_HASH_KEY_CHARACTERS_MAX} characters"


def glob_list(text: str) -> Rule:
    """A list of globs, with this help; absent by default."""
    return Rule(globs, None, f"a JSON array of at most {RULES_MAX} globs", text)


def path_list(text: str) -> Rule:
    """A list of paths, with this help; absent by default."""
    return Rule(property_paths, None, f"a JSON array of at most {RULES_MAX} dotted paths", text)


def globs(given: object) -> Globs:
    """Check a list of globs."""
    texts = _rules_in(given)
    if problems := [problem for text in texts if (problem := _bad_escape(text, "*?")) is not None]:
        raise Wrong(*problems)
    return Globs(texts)


def property_paths(given: object) -> PropertyPaths:
    """Check a list of paths."""
    texts = _rules_in(given)
    if problems := [problem for text in texts if (problem := _bad_path(text)) is not None]:
        raise Wrong(*problems)
    paths = tuple(PropertyPath(text, _keys(text)) for text in texts)
    if problems := [
        f"{shown(inner.text)} lies within {shown(outer.text)}; remove it" for inner, outer in within(paths)
    ]:
        raise Wrong(*problems)
    return paths


def hash_key(given: object) -> Secret:
    """Check the key of the hashes. No message shows any part of it."""
    key = plain(given)
    is_long_enough = HASH_KEY_CHARACTERS_MIN <= len(key) <= _HASH_KEY_CHARACTERS_MAX
    if not is_long_enough or not key.isprintable():
        raise Wrong(f"not {HASH_KEY_LIMITS} that can be seen, on one line; make one with: openssl rand -hex 32")
    return Secret(key)


def as_json(rules: tuple[str, ...]) -> str:
    """In the form in which they could be given again."""
    return json.dumps(rules, ensure_ascii=False)


def _rules_in(given: object) -> tuple[str, ...]:
    """The texts. Each is shown on pages, and is the label of a metric."""
    if isinstance(given, str):
        if not given:
            plain(given)  # which says what is wrong with it
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise Wrong('is no JSON array; write for example ["one", "two"]') from None
    if not isinstance(given, list) or not all(isinstance(rule, str) for rule in given):
        raise Wrong('is no array of texts; write for example ["one", "two"]')
    if not given:
        raise Wrong("is empty; name something, or remove it")
    if len(given) > RULES_MAX:
        raise Wrong(f"has {len(given)} rules; use at most {RULES_MAX}")
    problems = [problem for rule in given if (problem := _bad_text(rule)) is not None]
    problems += [f"{shown(rule)} is there twice; keep one" for rule in dict.fromkeys(given) if given.count(rule) > 1]
    if problems:
        raise Wrong(*problems)
    return tuple(given)


def _bad_text(rule: str) -> str | None:
    if not rule:
        return "holds an empty text; remove it"
    if len(rule) > CHARACTERS_MAX:
        return f"{shown(rule)} has {len(rule)} characters; use at most {CHARACTERS_MAX}"
    if not rule.isprintable():
        return f"{shown(rule)} holds what can't be seen; remove it"
    return None


def _bad_escape(rule: str, special: str) -> str | None:
    try:
        characters(rule, special)
    except BadEscape as error:
        return f"{shown(rule)} {error}; write two backslashes for one"
    return None


def _bad_path(text: str) -> str | None:
    if (problem := _bad_escape(text, ".")) is not None:
        return problem
    keys = _keys(text)
    if keys[0] == "$" and len(keys) > 1:
        return f"{shown(text)} begins with $; a path begins inside traits and properties, so leave out the $."
    if not all(keys):
        return f"{shown(text)} has a key without a character; write keys with one dot between them"
    return None


def _keys(text: str) -> tuple[str, ...]:
    keys = [""]
    for character, is_special in characters(text, "."):
        if is_special:
            keys.append("")
        else:
            keys[-1] += character
    return tuple(keys)
