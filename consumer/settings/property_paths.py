r"""Paths of CUSTOMFIT_PROPERTIES_DROP and _HASH: what of traits and properties must not leave. Pure.

A path is keys with dots between them, from the outermost: `address.street`. It begins inside traits and inside
properties, and goes through arrays by itself: `products.sku` is the `sku` of each product. `\.` is a dot of a key, `\\`
a backslash. Keys are told apart by case.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

DROP: Final = "properties_drop"
HASH: Final = "properties_hash"
_ENVELOPE: Final = ("traits", "properties", "context")


class PropertyPath(NamedTuple):
    """One path: as it was given, and its keys."""

    text: str
    keys: tuple[str, ...]


PropertyPaths = tuple[PropertyPath, ...]


def within(
    paths: Sequence[PropertyPath], others: Sequence[PropertyPath] | None = None
) -> Iterator[tuple[PropertyPath, PropertyPath]]:
    """Each path that lies within one of `others` or is the same, with that one. None: within another of `paths`."""
    outers = {path.keys: path for path in (paths if others is None else others)}
    for path in paths:
        for length in range(1, len(path.keys) + (others is not None)):
            if (outer := outers.get(path.keys[:length])) is not None:
                yield path, outer


def doubtful(path: PropertyPath) -> str | None:
    """Why a path may never match, although it is valid."""
    if path.keys[0] in _ENVELOPE and len(path.keys) > 1:
        return f"a path begins inside traits and properties; leave out {path.keys[0]}. unless it is a key there"
    if any("[" in key and key.endswith("]") for key in path.keys):
        return "a path goes through arrays by itself; leave out [ ] unless they belong to the key"
    return None
