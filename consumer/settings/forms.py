"""The bytes in which a server may say a secret, if it reads or packs it in another way than it was written. Pure.

Java and WSGI read headers as ISO 8859-1 and answer in UTF-8 (`Ã©` for `é`); old pages are in one byte a letter; what is
only ASCII gets a replacement for each other byte. Go's JSON has bytes in base64: there a secret stands at any of three
places of its group, and its first and last letters are mixed with those beside it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Final

PACKED_BYTES_MIN: Final = 8
"""Of a shorter secret, too little is left in base64 without the letters at its ends."""
READ_BYTES_MIN: Final = 4
"""With fewer letters between replacements, a text says nothing of a secret."""
LETTERS: Final = ("latin-1", "cp1252")
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def forms(secret: str) -> list[bytes]:
    """All forms, each once; the secret as it is comes first."""
    raw = secret.encode("utf-8", "surrogatepass")
    found = [raw]
    if not secret.isascii():
        found += _read_otherwise(secret, raw)
    if len(raw) >= PACKED_BYTES_MIN:
        found += _packed(raw)
    return list(dict.fromkeys(found))


def _read_otherwise(secret: str, raw: bytes) -> Iterator[bytes]:
    replaced = raw.decode("ascii", "replace")
    as_ascii = replaced.replace("\ufffd", "?").encode()
    lossy = [as_ascii, secret.encode("ascii", "replace")]
    for letters in LETTERS:
        yield raw.decode(letters, "replace").encode()
        lossy.append(secret.encode(letters, "replace"))
    yield from (form for form in lossy if _says_enough(form))
    if _says_enough(as_ascii):
        yield replaced.encode()


def _says_enough(form: bytes) -> bool:
    """Whether more is left of the secret than question marks."""
    return len(form.replace(b"?", b"")) >= READ_BYTES_MIN


def _packed(raw: bytes) -> Iterator[bytes]:
    """In base64 behind none, one or two other bytes of a group: the part that no neighbour changes."""
    for before in range(3):
        bits = 8 * before, 8 * (before + len(raw))
        packed = b64encode(bytes(before) + raw)[-(-bits[0] // 6) : bits[1] // 6]
        yield packed
        yield packed.translate(_URL_SAFE)
