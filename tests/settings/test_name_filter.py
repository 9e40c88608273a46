"""Globs on names of events: what fits, and that no rule and no name makes it slow."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.settings.name_filter import NAME_CHARACTERS_MAX, NAMES_REMEMBERED_MAX, Globs, NameFilter


def fits(glob: str, name: str) -> bool:
    """Whether the name fits."""
    return (glob,) == Globs((glob,)).matching(name)


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("Order Completed", ["Order Completed"], ["order completed", "Order Completed ", "An Order Completed", ""]),
        ("Order *", ["Order ", "Order Completed", "Order \n"], ["Order", "My Order x"]),
        ("*Order*", ["Order", "An Order!", "Order Order"], ["order", "Orde r"]),
        ("*ab", ["ab", "abab", "\nab"], ["abc", "b"]),
        ("a*b*c", ["abc", "a--b--c", "abcbc"], ["acb", "ab", "abcd"]),
        ("*a*b*", ["ab", "bab"], ["ba", "a"]),
        ("a**b", ["ab", "a-b"], ["a", "ba"]),
        ("a*a", ["aa", "aba"], ["a"]),
        ("?", ["a", "日", "\n", "👩"], ["", "ab"]),
        ("??*", ["ab", "abc"], ["a", ""]),
        ("*", ["", "anything"], []),
        ("?*", ["x"], [""]),
        (r"Ready\?", ["Ready?"], ["Ready!"]),
        (r"\*\\*", ["*\\", "*\\x"], ["\\", "x"]),
        ("[ab].(c)+$", ["[ab].(c)+$"], ["a.(c)+$", "ab"]),
        ("Zu\u0308rich", ["Zu\u0308rich"], ["Z\u00fcrich"]),
    ],
)
def test_what_fits(glob: str, yes: list[str], no: list[str]) -> None:
    """From the first character to the last; brackets and all that means something elsewhere mean nothing here."""
    assert dict.fromkeys(yes, True) | dict.fromkeys(no, False) == {name: fits(glob, name) for name in [*yes, *no]}


letters = st.text("ab*?\\\n", max_size=6)


@given(
    pieces=st.lists(st.sampled_from(["*", "?", "a", "b", "ab", r"\*", r"\?", r"\\"]), min_size=1, max_size=8),
    name=letters,
)
def test_it_is_what_the_plain_expression_says(pieces: list[str], name: str) -> None:
    """One that tries every place for every star, and so would take for ever on a long name."""
    plain = {"*": "(?s:.*)", "?": "(?s:.)"}
    wanted = "".join(plain.get(piece) or re.escape(piece.removeprefix("\\")) for piece in pieces)

    assert (re.fullmatch(wanted, name) is not None) is fits("".join(pieces), name)


@pytest.mark.parametrize(
    ("glob", "name"),
    [("*a" * 99 + "*b", "a" * 100_000), ("*" + "a" * 150 + "b*", "a" * 100_000), ("*?" * 100, "a" * 99)],
    ids=["stars", "almost", "places"],
)
def test_a_hostile_rule_and_name_are_soon_told_apart(glob: str, name: str) -> None:
    """A pattern that tries every place for every star would not end."""
    assert not fits(glob, name)


def test_of_a_name_that_is_too_long_the_beginning_is_judged() -> None:
    """However many rules there are, and whatever they look for, a name has so many characters at most."""
    longest = "a" * (NAME_CHARACTERS_MAX - 1) + "b"

    assert fits("*ab", longest)
    assert fits("*ab", longest + "c")
    assert not fits("*c", longest + "c")
    assert not fits("*c*", longest + "c" * 1_000_000)


def test_what_is_remembered_of_names_is_bounded() -> None:
    """Producers choose them."""
    globs = Globs(("a*",))
    for number in range(3 * NAMES_REMEMBERED_MAX):
        globs.matching(f"a{number}")
    globs.matching("a" * 1_000_000)

    assert NAMES_REMEMBERED_MAX >= len(globs._remembered)
    assert max(map(len, globs._remembered)) < 1000


@pytest.mark.parametrize(
    ("allow", "deny", "sent"),
    [
        (("a*",), None, ["a", "ab"]),
        (None, ("ab",), ["a", "b", None]),
        (("a*",), ("ab", "zz"), ["a"]),
        (("*",), ("*",), []),
        (("?*",), None, ["a", "ab", "b"]),
    ],
)
def test_deny_wins(allow: tuple[str, ...] | None, deny: tuple[str, ...] | None, sent: list[str | None]) -> None:
    """And without rules that allow, all is allowed; what has no name is judged as an empty one."""
    names = NameFilter(None if allow is None else Globs(allow), None if deny is None else Globs(deny))

    assert sent == [name for name in ("a", "ab", "b", None) if names.passes(name)]
