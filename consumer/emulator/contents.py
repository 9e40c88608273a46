"""The traits and properties of what was accepted last, for whoever looks at what arrived.

The ledger keeps a million requests without them; with them it would be as large as everything that was ever sent.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from msgspec import Raw

BYTES_MAX: Final = 16 * 1024 * 1024
ENTRY_BYTES: Final = 200
"""What a request costs beside its contents."""


class Contents:
    """By the sequence of the ledger's entries, which come one after the other; the oldest fall out."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._kept: deque[tuple[bytes | None, ...]] = deque()
        self._next = 1
        self._bytes = 0

    def keep(self, sequence: int, properties: tuple[Raw | None, ...]) -> None:
        """Remember them, as a copy: a piece of a body would keep all of the body."""
        copies = tuple([None if raw is None else bytes(raw) for raw in properties])
        if sequence != self._next:
            self.clear()
        self._next = sequence + 1
        self._kept.append(copies)
        self._bytes += _size_bytes(copies)
        while self._bytes > self._bytes_max:
            self._bytes -= _size_bytes(self._kept.popleft())

    def of(self, sequence: int) -> tuple[bytes | None, ...] | None:
        """One for each of the request's events, None where it had none; None for all when they are gone."""
        place = sequence - (self._next - len(self._kept))
        return self._kept[place] if 0 <= place < len(self._kept) else None

    def clear(self) -> None:
        """Forget them all."""
        self._kept.clear()
        self._next = 1
        self._bytes = 0


def _size_bytes(copies: tuple[bytes | None, ...]) -> int:
    return ENTRY_BYTES + sum(len(copy) for copy in copies if copy is not None)
