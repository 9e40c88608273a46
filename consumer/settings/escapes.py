r"""Rules in which a backslash takes the character behind it as it is. Pure.

Before any other than those it is for it is refused, so that it can mean something one day.
"""

from __future__ import annotations


class BadEscape(ValueError):
    """A backslash before something that it is not for; says so."""


def characters(rule: str, special: str) -> list[tuple[str, bool]]:
    """Each character of a rule, and whether it means something: it is one of `special` and has no backslash."""
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
