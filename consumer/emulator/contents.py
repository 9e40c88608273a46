"""The traits and properties of what was accepted last, for somebody who looks at what arrived.

The ledger keeps a million requests without them. With them it would be as large as everything that was ever sent.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from msgspec import Raw

BYTES_MAX: Final = 16 * 1024 * 1024
ENTRY_BYTES: Final = 200
"""What a request costs beside its contents."""


Copies = tuple[bytes | None, ...]
"""One for each of a request's events; None: it had none."""


class Contents:
    """By sequence number of the ledger's entries, which follow each other. The oldest are dropped."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._kept: deque[tuple[Copies, int]] = deque()
        self._next = 1
        self._bytes = 0

    def keep(self, sequence: int, properties: tuple[Raw | None, ...]) -> tuple[Copies, int]:
        """Keep copies, and return them with their size: a view would keep the whole body."""
        copies = []
        size_bytes = 0
        for raw in properties:
            copy = None
            if raw is not None:
                copy = bytes(raw)
                size_bytes += len(copy)
            copies.append(copy)
        if sequence != self._next:
            self.clear()
        self._next = sequence + 1
        kept = (tuple(copies), size_bytes)
        self._kept.append(kept)
        self._bytes += ENTRY_BYTES + size_bytes
        while self._bytes > self._bytes_max:
            self._bytes -= ENTRY_BYTES + self._kept.popleft()[1]
        return kept

    def of(self, sequence: int) -> Copies | None:
        """The contents of a request; None: they are gone."""
        place = sequence - (self._next - len(self._kept))
        return self._kept[place][0] if 0 <= place < len(self._kept) else None

    def clear(self) -> None:
        """Forget them all."""
        self._kept.clear()
        self._next = 1
        self._bytes = 0
