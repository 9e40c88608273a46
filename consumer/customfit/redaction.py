"""What must not leave of traits and properties: left out, or replaced by a hash, just before they are sent. Pure.

All else stays byte for byte, blanks and the order of keys included: what the destination makes of `1.10`, or of a key
that is there twice, is its business. So the text is cut where it stands. Each member of a key goes, however the key is
escaped. A member that goes takes the comma before it along, and the first one that behind it.

A hash is HMAC-SHA-256 of what a string means (UTF-8), or of a number, true or false as it is written, in hexadecimal.
null stays null. Of an array each item is hashed; an object is hashed whole, in one way to write it (json_spans.py).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from consumer.customfit.json_spans import (
    ARRAY,
    OBJECT,
    STRING,
    after_blanks,
    after_simple_items,
    canonical,
    end_of,
    key_at,
    members_but,
    text_of,
)
from consumer.settings.property_paths import DROP, HASH, PropertyPath

HASHES_MAX: Final = 1000
"""Most hashes in one event. A hash takes 66 bytes, so 1 MiB of `[1,1,1…` would become 33 MiB. The rest becomes null."""


class _Rule:
    """The end of a path."""

    __slots__ = ("setting", "text")

    def __init__(self, setting: str, text: str) -> None:
        self.setting = setting
        self.text = text


class _Tree:
    """What to do inside an object: by key, a rule, or what to do inside the object there."""

    __slots__ = ("inner", "others")

    def __init__(self, paths: Iterable[tuple[tuple[str, ...], _Rule]]) -> None:
        by_key: dict[str, list[tuple[tuple[str, ...], _Rule]]] = {}
        for keys, rule in paths:
            by_key.setdefault(keys[0], []).append((keys[1:], rule))
        self.inner: dict[str, _Rule | _Tree] = {
            key: _Tree(rest) if rest[0][0] else rest[0][1]  # no path ends where another goes on
            for key, rest in by_key.items()
        }
        self.others = members_but(by_key)


class Redaction:
    """The paths of one process."""

    def __init__(
        self,
        drop: Iterable[PropertyPath],
        hashed: Iterable[PropertyPath],
        key: str,
        found: Callable[[str, str], object],
    ) -> None:
        """`found` hears of each path, by setting and text, once for each request with an event that has it."""
        self._key = key.encode()
        self._found = found
        rules = [(path.keys, _Rule(DROP, path.text)) for path in drop]
        rules += [(path.keys, _Rule(HASH, path.text)) for path in hashed]
        self._tree = _Tree(rules)
        last_keys = {f'"{keys[-1]}"'.encode() for keys, _ in rules}
        self._signs: Sequence[bytes] = [b"\\", *sorted(last_keys)]
        """If a text has none of these, it has none of the paths.

        Any key may be escaped, so a backslash is one of them.
        """

    def of(self, payload: msgspec.Raw) -> msgspec.Raw:
        """The payload as it may be sent. If nothing has to go, it is the same object."""
        text = bytes(payload)
        if not any(sign in text for sign in self._signs):
            return payload
        cut = _Cut(text, self._key)
        cut.object(0, self._tree)
        for rule in cut.found:
            self._found(rule.setting, rule.text)
        return msgspec.Raw(cut.result()) if cut.found else payload


class _Cut:
    """One text being cut: which parts of it are replaced, and by what."""

    def __init__(self, text: bytes, key: bytes) -> None:
        self.found: dict[_Rule, None] = {}
        self._text = text
        self._key = key
        self._parts: list[bytes] = []
        self._done = 0
        self._hashes = 0

    def result(self) -> bytes:
        """The text with all replacements."""
        return b"".join([*self._parts, self._text[self._done :]])

    def object(self, at: int, tree: _Tree) -> int:
        """Go through the members of the object that begins here, and return where it ends."""
        text = self._text
        leading: int | None = None  # where the first members, which all go, begin
        end, has_kept = at + 1, False
        at = after_blanks(text, at + 1)
        while text[at : at + 1] != b"}":
            others = tree.others.match(text, at)
            if others is not None and others.end() > at:
                if leading is not None:
                    self._put(leading, after_blanks(text, at), b"")
                    leading = None
                has_kept, end, at = True, others.end(1), others.end()
            key, begin, value_at = key_at(text, at)
            if leading is not None:
                self._put(leading, begin, b"")
                leading = None
            rule = tree.inner.get(text_of(key))
            if isinstance(rule, _Rule) and rule.setting == DROP:
                self.found[rule] = None
                end_before, end = end, end_of(text, value_at)
                if has_kept:
                    self._put(end_before, end, b"")
                else:
                    leading = begin
            else:
                has_kept = True
                end = end_of(text, value_at) if rule is None else self._value(value_at, rule)
            at = after_blanks(text, end)
            if text[at : at + 1] == b",":
                at += 1
        if leading is not None:
            self._put(leading, end, b"")
        return at + 1

    def _value(self, at: int, rule: _Rule | _Tree) -> int:
        """Hash the value that begins here, or go on inside it, and return where it ends."""
        first = self._text[at : at + 1]
        if first == ARRAY:
            return self._array(at, rule)
        if isinstance(rule, _Rule):
            self.found[rule] = None
            return self._hash(at, first)
        return self.object(at, rule) if first == OBJECT else end_of(self._text, at)

    def _array(self, at: int, rule: _Rule | _Tree) -> int:
        text = self._text
        at = after_blanks(text, at + 1)
        while text[at : at + 1] != b"]":
            if isinstance(rule, _Tree):
                at = after_simple_items(text, at)
            at = after_blanks(text, self._value(at, rule))
            if text[at : at + 1] == b",":
                at = after_blanks(text, at + 1)
        return at + 1

    def _hash(self, at: int, first: bytes) -> int:
        if first == OBJECT:
            said, end = canonical(self._text, at)
        else:
            end = end_of(self._text, at)
            said = self._text[at:end]
            if said == b"null":
                return end
            if first == STRING:
                said = text_of(said).encode()
        self._hashes += 1
        is_beyond = self._hashes > HASHES_MAX
        self._put(at, end, b"null" if is_beyond else b'"%s"' % hmac.digest(self._key, said, "sha256").hex().encode())
        return end

    def _put(self, begin: int, end: int, what: bytes) -> None:
        self._parts += self._text[self._done : begin], what
        self._done = end
