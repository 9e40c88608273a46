"""What a user is called on a page, in the log and in an address: 12 hexadecimal digits, and never their id. Pure.

The name is the same in all members of a group, and for the commands, since its key is made of two settings that all of
them share: the group and the destination's name. Neither is a secret. So it is a pseudonym and not a cipher: nobody can
compute an id from it, but whoever has the settings and a list of ids can compute the pseudonym of each.

    digits 1 to 10    of the HMAC-SHA-256 of the id
    digits 11 and 12  which of 256 drawers the id lies in (its CRC-32), masked with an HMAC of the first ten

Whoever is asked about a pseudonym has to look for the id behind it. An HMAC costs 1 us, and there may be 200,000 lanes;
a CRC-32 costs a tenth of that, and only the ids of one drawer need an HMAC. Without the key the mask hides the drawer.
"""

from __future__ import annotations

import hmac
import re
from binascii import crc32
from collections.abc import Iterable
from itertools import islice
from typing import Final

import msgspec

from consumer.sequencing.events import User

DIGITS: Final = 12
PATTERN: Final = re.compile(f"[0-9a-f]{{{DIGITS}}}")
SEARCHED_AT_ONCE: Final = 5000
"""Who is found among the first of them is found so much sooner."""
_NAMED_BYTES: Final = 5
"""How many bytes of the HMAC stand in the pseudonym."""


class Pseudonyms:
    """The pseudonyms of one group at one destination."""

    def __init__(self, group: str, destination: str) -> None:
        # As JSON, so that no two pairs of names make the same key.
        self._key = msgspec.json.encode(["customfit-consumer pseudonyms", group, destination])

    def of(self, user: User) -> str:
        """What this user is called. A userId and an anonymousId with the same text are two users."""
        encoded = user.id.encode("utf-8", "surrogatepass")
        name = self._name(encoded, anonymous=user.anonymous)
        return (name + bytes([_drawer(encoded) ^ self._mask(name)])).hex()

    def find(self, pseudonym: str, users: Iterable[User]) -> User | None:
        """Who is called so. Of two, by a chance of one in 10^14 for each pair, the first."""
        assert is_pseudonym(pseudonym), pseudonym
        *digits, masked = bytes.fromhex(pseudonym)
        name = bytes(digits)
        drawer = masked ^ self._mask(name)
        left = iter(users)
        while some := list(islice(left, SEARCHED_AT_ONCE)):
            for user in _of_drawer(drawer, some):
                if self._name(user.id.encode("utf-8", "surrogatepass"), anonymous=user.anonymous) == name:
                    return user
        return None

    def _name(self, encoded: bytes, *, anonymous: bool) -> bytes:
        return self._hmac(b"anonymous" if anonymous else b"user", encoded)[:_NAMED_BYTES]

    def _mask(self, name: bytes) -> int:
        return self._hmac(b"drawer", name)[0]

    def _hmac(self, purpose: bytes, text: bytes) -> bytes:
        return hmac.digest(self._key, purpose + b"\0" + text, "sha256")


def _of_drawer(drawer: int, users: list[User]) -> list[User]:
    """Written out, and not with `_drawer`: this is done for each lane."""
    try:
        return [user for user in users if crc32(user.id.encode()) & 0xFF == drawer]
    except UnicodeEncodeError:  # of one of them: half of a surrogate pair
        return [user for user in users if _drawer(user.id.encode("utf-8", "surrogatepass")) == drawer]


def is_pseudonym(text: str) -> bool:
    """Whether it has the form of one."""
    return PATTERN.fullmatch(text) is not None


def _drawer(encoded: bytes) -> int:
    return crc32(encoded) & 0xFF
