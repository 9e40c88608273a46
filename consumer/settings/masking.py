r"""Secrets in what servers say, blotted out however they are spelled. Pure.

A page of a proxy or a registry may say back what it was sent: in JSON (`\/`, `\u002f`), in a URL (`%2f`, `%252F`), in
HTML (`&#47;`, `&#x2F;`, `&sol;`), as Python's `repr`, or each character in another way. Each character of a secret has
a pattern with all its spellings, and a secret is one such pattern behind the other.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable
from html.entities import html5
from typing import Final

from consumer.settings.secret import MASK

LONGEST_SPELLING: Final = 40
"""Characters that one character of a secret may take up: `\\\\ud83d\\\\ude00`, `&amp;amp;#x0001f600;`."""
_ESCAPED: Final = {'"': '"', "'": "'", "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
_ENTITIES: Final = defaultdict[str, list[str]](list)
for _name, _character in html5.items():
    if _name.endswith(";"):
        _ENTITIES[_character].append(_name)


class Masker:
    """Blots out these secrets; none of them is in its `repr`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = sorted({secret for secret in secrets if secret}, key=len, reverse=True)  # so that none leaves a rest
        patterns = ["".join(map(_spellings, secret)) for secret in found]
        self._texts = [re.compile(pattern) for pattern in patterns]
        self._bytes = [re.compile(pattern.encode()) for pattern in patterns]
        self._longest = LONGEST_SPELLING * len(found[0]) if found else 0

    def text(self, text: str) -> str:
        """The text without the secrets."""
        for pattern in self._texts:
            text = pattern.sub(MASK, text)
        return text

    def beginning(self, body: bytes, bytes_max: int) -> bytes:
        """The beginning of a body without them; one that goes on behind the cut is found too."""
        body = body[: bytes_max + self._longest]
        for pattern in self._bytes:
            body = pattern.sub(MASK.encode(), body)
        return body[:bytes_max]


def basic(credentials: str) -> tuple[str, ...]:
    """What `Basic …` says of `user:password`, with and without the padding; and the password alone."""
    raw = credentials.encode()
    found = {encode(raw).decode() for encode in (b64encode, urlsafe_b64encode)}
    password = credentials.partition(":")[2]
    return (*found, *(text.rstrip("=") for text in found), password)


def _spellings(character: str) -> str:
    r"""A pattern. Each of its branches begins with a plain character, by which `re` skips over what can't match."""
    code = ord(character)
    units = re.findall("....", character.encode("utf-16-be", "surrogatepass").hex())
    octets = character.encode("utf-8", "surrogatepass")
    found = [
        "".join(rf"\\\\{{0,3}}u(?i:{unit})" for unit in units),
        rf"\\\\{{0,3}}x(?i:{code:02x})" if code < 256 else rf"\\\\{{0,3}}U(?i:{code:08x})",
        "".join(f"%(?:25){{0,3}}(?i:{octet:02x})" for octet in octets),
        f"&(?:amp;){{0,3}}#(?:0{{0,8}}{code}(?![0-9])|[xX]0{{0,8}}(?i:{code:x})(?![0-9a-fA-F]));?",
        *(f"&(?:amp;){{0,3}}{re.escape(name)}" for name in _ENTITIES.get(character, ())),
    ]
    if character in _ESCAPED:
        found.append(rf"\\\\{{0,3}}{re.escape(_ESCAPED[character])}")
    if character == " ":
        found.append(r"\+")
    found.append(r"\\\\{0,3}" if character == "\\" else re.escape(character))  # last: `&` is the beginning of `&amp;`
    return f"(?:{'|'.join(found)})"
