r"""Rules in which a backslash takes away the meaning of the character behind it. Pure.

A backslash before any other character is refused, so that it can get a meaning one day.
"""

from __future__ import annotations


class BadEscape(ValueError):
    """A backslash before a character that has no meaning. The text says so."""


def characters(rule: str, special: str) -> list[tuple[str, bool]]:
    """Each character of a rule, and whether it has a meaning: it is one of `special`, without a backslash."""
    found = []
    rest = iter(rule)
    for character in rest:
        if character != "\\":
            found.append((character, character in special))
            continue
        escaped = next(rest, "")
        if not escaped or escaped not in special + "\\":
            raise BadEscape(f"has a backslash before something else than {' '.join([*special, chr(92)])}")
        found.append((escaped, False))
    return found
