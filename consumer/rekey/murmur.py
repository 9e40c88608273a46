"""The partition of a key, as Kafka's own clients choose it (murmur2). Pure.

It is chosen here and not by the client: when a topic grows, a client that hears of it spreads keys over more
partitions from one record to the next, and a user's events would lie in two.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

CACHED: Final = 100_000
_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF


@lru_cache(CACHED)
def partition_of(key: bytes, partitions: int) -> int:
    """Which of so many."""
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    length = len(data)
    whole = length & ~3
    hashed = _SEED ^ length
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        word = (word ^ word >> 24) * _M & _MASK
        hashed = hashed * _M & _MASK ^ word
    if rest := data[whole:]:
        hashed = (hashed ^ int.from_bytes(rest, "little")) * _M & _MASK
    hashed = (hashed ^ hashed >> 13) * _M & _MASK
    return hashed ^ hashed >> 15
