"""Decides what `state copy` writes for one user, from what the two state topics say of them. Pure.

    the source says  the target says                          written to the target
    ───────────────  ───────────────────────────────────────  ────────────────────────────────────────
    identified       nothing                                  identified, with the source's time
    identified       identified                               nothing: the user stands there already
    identified       forgotten, earlier                       identified, with the source's time
    identified       forgotten, at the same time or later     nothing
    forgotten        identified, at the same time or earlier  forgotten
    forgotten        anything else                            nothing

Times are the records' timestamps, and in each partition a user's last record counts. A user may stand in several
partitions, because users move when partitions are added. Then the newest record of all decides whether the user is
identified. If so, they are copied once for each partition in which the source has them as identified.

So an older record never replaces a newer one. Copying a second time writes nothing, and a copy that was interrupted
goes on where it was when it is run again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Word(NamedTuple):
    """The last record of a user in one partition."""

    partition: int
    at_ms: int
    """The record's timestamp, in milliseconds since the epoch."""
    identified: bool


class Copied(NamedTuple):
    """What is to be done about one user."""

    writes: Sequence[Word]
    """Records for the target, each with its partition there."""
    there: Sequence[int]
    """Partitions of the target in which the user is identified already."""


def copied(source: Sequence[Word], target: Sequence[Word], place: Callable[[Word], int]) -> Copied:
    """What to write for one user. `place` gives the target's partition for a record of the source."""
    source_forgot_ms = max((word.at_ms for word in source if not word.identified), default=-1)
    forgot_ms = max([source_forgot_ms, *(word.at_ms for word in target if not word.identified)])
    identified = [word for word in source if word.identified]
    newest_ms = max((word.at_ms for word in identified), default=-1)
    standing = {word.partition: word.at_ms for word in target if word.identified}
    if newest_ms > forgot_ms:
        numbers = list(dict.fromkeys(place(word) for word in identified))
        writes = [Word(number, newest_ms, True) for number in numbers if number not in standing]
        return Copied(writes, [number for number in numbers if number in standing])
    if any(at_ms > forgot_ms for at_ms in standing.values()):
        return Copied((), ())  # identified again since
    gone = [number for number, at_ms in standing.items() if at_ms <= source_forgot_ms]
    return Copied([Word(number, source_forgot_ms, False) for number in gone], ())
