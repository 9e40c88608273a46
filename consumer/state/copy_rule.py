"""What is copied of one user from another state topic, by what both topics say of them. Pure.

    the source says             the target says                 written to the target
    ──────────────────────────  ──────────────────────────────  ──────────────────────────────────────────
    identified                  nothing                         identified, with the source's time
    identified                  identified                      nothing: it already stands there
    identified                  forgotten, before that          identified
    identified                  forgotten, at that time, later  nothing
    forgotten                   identified, at that time, before  forgotten
    forgotten                   anything else                   nothing

Times are those of the records. Of a partition the last record of a user counts. A user may stand in several, since
users move when partitions are added: the newest of all says whether they are identified, and if so, each is copied.

So nothing older is written over what is newer, a copy that is made again writes nothing, and one that broke off goes on
where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Word(NamedTuple):
    """The last record of a user in one partition."""

    partition: int
    at_ms: int
    identified: bool


class Copied(NamedTuple):
    """What comes of one user."""

    writes: Sequence[Word]
    """To the target: the partition is one of its own."""
    there: Sequence[int]
    """Partitions of the target in which the user already stands as the source says."""


def copied(source: Sequence[Word], target: Sequence[Word], place: Callable[[Word], int]) -> Copied:
    """What to write. `place`: in which partition of the target a word of the source belongs."""
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
        return Copied((), ())  # identified since
    gone = [number for number, at_ms in standing.items() if at_ms <= source_forgot_ms]
    return Copied([Word(number, source_forgot_ms, False) for number in gone], ())
