"""Secrets in what servers say, blotted out however they are spelled (spellings.py). Pure.

A page of a proxy or a registry may say back what it was sent. One object knows all secrets of the process, and learns
new ones: an API key or a password may be rotated. It is asked where foreign text leaves the process (the log, the
pages, what commands print, dead letters) and where foreign text is cut off: a piece of a secret is not found any more.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple

from consumer.settings.forms import forms
from consumer.settings.secret import MASK
from consumer.settings.spellings import bare, is_spelled, read, read_bare, said

SECRETS_MAX: Final = 200
"""How many secrets are known.

When there are more, the oldest are forgotten: no answer that repeats them comes so late.
"""
WINDOW: Final = 4
"""How many times the kept part of a body is looked at: what is masked gets shorter."""
PIECE_MAX: Final = 8
"""The first half of a secret that a text is cut off in, and eight characters in any case, are as secret as all of it.

What is shorter narrows it down for nobody; and the end of a text that begins like a secret is mostly something else.
"""
PIECE_MIN: Final = 4
ESCAPED: Final = b"\"'/"
"""Some spellings put a backslash before these."""
_CUT_TOKEN: Final = re.compile(
    rb"(?:\\++(?:u[0-9a-fA-F]{0,3}|u\{[0-9a-fA-F]{0,6}|U[0-9a-fA-F]{0,7}|x[0-9a-fA-F]?|[0-3][0-7]?)?"
    rb"|%(?:u[0-9a-fA-F]{0,3}|[0-9a-fA-F]?)|&[#A-Za-z0-9]{0,32}|\xed[\xa0-\xbf][\x80-\xbf])\Z"
)
"""What is left of a token in which a text was cut off; the last alternative is half of a surrogate pair."""
_CUT_TOKEN_BYTES_MAX: Final = 40


class _Known(NamedTuple):
    """What to look for: secrets as they are, as they read if they look spelled, and without their ambiguous parts."""

    plain: Sequence[bytes]
    said: Sequence[bytes]
    bare: Sequence[bytes]
    bare_alone: Sequence[bytes]
    """Those that differ from the secrets as they are."""


NUMBERS: Final = frozenset({int, float, bool, type(None)})
"""Most of a page of 300 partitions is numbers, and they hold no secret."""


class Masker:
    """Masks these secrets, and those that it learns. Its `repr` shows none of them. Threads may share it."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: dict[str, list[bytes]] = {}
        self._known = _known([])
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these, too."""
        current = [secret for secret in secrets if secret]
        for secret in current:
            self._forms.setdefault(secret, forms(secret))
        replaced = [secret for secret in list(self._forms) if secret not in current]
        for secret in replaced[: max(len(self._forms) - SECRETS_MAX, 0)]:
            self._forms.pop(secret, None)
        self._known = _known(chain.from_iterable(list(self._forms.values())))

    def text(self, text: str) -> str:
        """The text without the secrets."""
        body = text.encode("utf-8", "surrogatepass")
        masked = self._masked(body, is_cut=False)
        return text if masked is body else _decoded(masked)

    def beginning(self, body: bytes, bytes_max: int) -> bytes:
        """The beginning of a body without secrets, and without a piece of one that was cut off."""
        return self._masked(body[: WINDOW * bytes_max], is_cut=True)[:bytes_max]

    def beginning_of(self, text: str, characters_max: int) -> str:
        """The same for text."""
        body = text[: WINDOW * characters_max].encode("utf-8", "surrogatepass")
        return _decoded(self._masked(body, is_cut=True))[:characters_max]

    def value(self, value: object) -> object:
        """A JSON value with all its texts masked. Its names and numbers are ours, and stay."""
        return self._value(value, {"": ""})

    def _value(self, value: object, masked: dict[str, str]) -> object:
        """`masked`: the results for texts that came before: each of 300 partitions names its topic."""
        match value:
            case str():
                found = masked.get(value)
                if found is None:
                    found = masked[value] = self.text(value)
                return found
            case dict():
                changed = {}
                for name, member in value.items():
                    if type(member) not in NUMBERS and (new := self._value(member, masked)) is not member:
                        changed[name] = new
                return {**value, **changed} if changed else value
            case list() | tuple():
                return [self._value(item, masked) for item in value]
            case _:
                return value

    def _masked(self, body: bytes, *, is_cut: bool) -> bytes:
        """The masked text; the same object if there is nothing to mask."""
        found = sorted(self._spans(body, is_cut=is_cut))
        if not found:
            return body
        parts: list[bytes] = []
        done = 0
        for begin, end in _joined(found):
            parts += body[done:begin], MASK.encode()
            done = end
        return b"".join([*parts, body[done:]])

    def _spans(self, body: bytes, *, is_cut: bool) -> Iterator[tuple[int, int]]:
        """Where the body says a secret. The places are looked for only if it is known to be there."""
        known = self._known
        yield from _places(body, known.plain, is_cut=is_cut)
        if not is_spelled(body):  # except that a plus may have become a space
            yield from _places(body, known.bare_alone, is_cut=is_cut)
            return
        text = said(body)
        seen = chain(_places(text, known.said, is_cut=is_cut), _places(bare(text), known.bare, is_cut=is_cut))
        if next(seen, None) is None:
            return
        reading = read(body)
        for meant, wanted in ((reading, known.said), (read_bare(reading), known.bare)):
            for begin, end in _places(meant.text, wanted, is_cut=is_cut):
                first = meant.starts[begin]
                while meant.text[begin] in ESCAPED and body[first - 1 : first] == b"\\":
                    first -= 1  # it belongs to the secret's first character; alone it would spoil JSON
                yield first, meant.ends[end - 1]


def basic(credentials: str) -> tuple[str, ...]:
    """What `Basic …` says for `user:password`, with and without padding, and the password alone.

    If there is no password, the user is the secret: some services take a key in its place.
    """
    raw = credentials.encode()
    found = {encode(raw).decode() for encode in (b64encode, urlsafe_b64encode)}
    user, _, password = credentials.partition(":")
    return (*found, *(text.rstrip("=") for text in found), password or user)


def _known(plain: Iterable[bytes]) -> _Known:
    plain = list(dict.fromkeys(plain))
    texts = [said(form) for form in plain]
    bares = [bare(text) if len(bare(text)) >= PIECE_MIN else text for text in texts]
    alone = [bare_form for bare_form, form in zip(bares, plain, strict=True) if bare_form != form]
    return _Known(plain, texts, bares, alone)


def _decoded(masked: bytes) -> str:
    """The masked text. A secret of one byte a letter may have begun in the middle of another letter."""
    try:
        return masked.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return masked.decode("utf-8", "replace")


def _places(text: bytes, wanted: Sequence[bytes], *, is_cut: bool = False) -> Iterator[tuple[int, int]]:
    """Where one of the secrets stands, overlaps included, and the end of the text if it is a piece of one."""
    for form in wanted:
        at = text.find(form)
        while at >= 0:
            yield at, at + len(form)
            at = text.find(form, at + 1)
    if is_cut:
        yield from _pieces(text, wanted)


def _pieces(text: bytes, wanted: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Where a text ends in the middle of a secret, or of a token of one."""
    rest = text[-_CUT_TOKEN_BYTES_MAX:]
    ends = {len(text), len(text) - len(rest) + len(_CUT_TOKEN.sub(b"", rest))}
    together = b"\0".join(wanted)
    for end in ends:
        if text[max(end - PIECE_MIN, 0) : end] not in together:  # which is true of most texts
            continue
        for form in wanted:
            size = max(min(PIECE_MAX, len(form) // 2), PIECE_MIN)
            at = text.find(form[:size], max(end - len(form) + 1, 0), end)
            while at >= 0 and not form.startswith(text[at:end]):
                at = text.find(form[:size], at + 1, end)
            if at >= 0:
                yield at, len(text)


def _joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Sorted spans without overlaps: one secret may be part of another."""
    begin = end = 0
    for first, last in spans:
        if first >= end:
            if end:
                yield begin, end
            begin, end = first, last
        else:
            end = max(end, last)
    if end:
        yield begin, end
