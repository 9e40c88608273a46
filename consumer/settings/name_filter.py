r"""Which events are sent, by their names: globs of CUSTOMFIT_EVENTS_ALLOW and _DENY. Pure.

`*` is any text, also none, and may hold line ends; `?` is one character; all else is itself, brackets too. A name must
fit from its first character to its last, in its own case. `\*`, `\?` and `\\` are those characters. No Unicode form is
made another. A name of more than NAME_CHARACTERS_MAX characters is judged by its beginning of that length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from consumer.settings.escapes import characters

ALLOW: Final = "events_allow"
DENY: Final = "events_deny"
NAME_CHARACTERS_MAX: Final = 4096
"""A record's whole megabyte may be one name, and a hundred rules like `*?a?a?a` took 19 s to look at it."""
NAMES_REMEMBERED_MAX: Final = 1000
"""Most topics have less than a hundred; what the rules say of a name is worked out once."""
_NAME_CHARACTERS_REMEMBERED: Final = 200


class Globs:
    """Rules that do not change; `texts` are as they were given."""

    __slots__ = ("_fits", "_remembered", "texts")

    def __init__(self, texts: tuple[str, ...]) -> None:
        """Compile them; raises BadEscape for one that is no glob."""
        self.texts = texts
        self._fits: list[tuple[str, Callable[[str], bool]]] = [(text, _Glob(text).fits) for text in texts]
        self._remembered: dict[str, tuple[str, ...]] = {}

    def matching(self, name: str) -> tuple[str, ...]:
        """Those that fit the name."""
        found = self._remembered.get(name)
        if found is None:
            judged = name[:NAME_CHARACTERS_MAX]
            found = tuple(text for text, fits in self._fits if fits(judged))
            if len(name) <= _NAME_CHARACTERS_REMEMBERED:
                if len(self._remembered) >= NAMES_REMEMBERED_MAX:
                    self._remembered.clear()
                self._remembered[name] = found
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Globs) and self.texts == other.texts

    def __hash__(self) -> int:
        return hash(self.texts)


@dataclass(frozen=True, slots=True)
class NameFilter:
    """Both lists; at least one of them is there."""

    allow: Globs | None
    deny: Globs | None

    def passes(self, name: str | None) -> bool:
        """Whether an event of this name is sent: no rule denies it, and one allows it if there are such rules.

        An event without a name is judged as one whose name is empty.
        """
        text = name or ""
        if self.deny is not None and self.deny.matching(text):
            return False
        return self.allow is None or bool(self.allow.matching(text))

    def matching(self, name: str | None) -> Iterator[tuple[str, str]]:
        """The rules that fit, whatever came of it: the setting and the rule."""
        for setting, globs in ((ALLOW, self.allow), (DENY, self.deny)):
            if globs is not None:
                for text in globs.matching(name or ""):
                    yield setting, text


class _Glob:
    """One rule: its pieces between two `*`, each of which is looked for from the left.

    Once, since a place found later could not help. So a rule takes at most as long as the name is long times the rule,
    and hardly ever more than a look at each character.
    """

    __slots__ = ("_first", "_last", "_last_length", "_middle")

    def __init__(self, rule: str) -> None:
        pieces, length = [""], 0
        for (character, is_special), run in groupby(characters(rule, "*?")):
            if is_special and character == "*":
                pieces.append("")
                length = 0
            else:
                count = len(list(run))
                pieces[-1] += ("." if is_special else re.escape(character)) * count
                length += count
        self._first, *middle = (re.compile(piece, re.DOTALL) for piece in pieces)
        self._last = middle.pop() if middle else None
        self._middle = [piece for piece in middle if piece.pattern]
        self._last_length = length

    def fits(self, name: str) -> bool:
        """From the first character to the last."""
        if self._last is None:
            return self._first.fullmatch(name) is not None
        found = self._first.match(name)
        for piece in self._middle:
            if found is None:
                return False
            found = piece.search(name, found.end())
        begin = len(name) - self._last_length
        return found is not None and begin >= found.end() and self._last.match(name, begin) is not None
