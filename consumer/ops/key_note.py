"""What to say of records that are not keyed by their users. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

USER: Final = "user"
"""The key is the user's id."""
OTHER: Final = "other"
"""It is something else, which may well be theirs alone."""
NONE: Final = "none"
RECORDS_MIN: Final = 1000
SHARE: Final = 0.05
"""Of records without a key: a few are somebody's tests."""


def are_not_keyed(keyed: Mapping[str, int]) -> bool:
    """Whether enough records have no key."""
    seen = sum(keyed.values())
    return seen >= RECORDS_MIN and keyed.get(NONE, 0) >= SHARE * seen


def note(keyed: Mapping[str, int]) -> str | None:
    """For people; None: there is nothing to say."""
    if not are_not_keyed(keyed):
        return None
    share = keyed[NONE] / sum(keyed.values())
    return (
        f"{share:.0%} of the records have no key, so one user's events lie in several partitions and may be sent in "
        "another order than theirs; `customfit-consumer rekey` copies the topic so that they do not (docs/rekey.md)"
    )
