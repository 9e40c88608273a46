"""Where a group is to read on, and what that means: what is sent again, and what is never sent. Pure.

It counts offsets, as Kafka's tools do for the lag, so markers of transactions and compacted records count, too. A
commit's metadata says what is finished above its offset (sequencing/commit_metadata.py). The new commit has no
metadata. So what is finished above the new place is sent again, too, and what is finished below it is not lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from consumer.sequencing.commit_metadata import decode

Log = tuple[int, int]
"""Where a partition begins, and where its committed records end."""


class Place(NamedTuple):
    """Where a partition is to be read from."""

    offset: int
    note: str = ""
    """What to say if it is not what was asked for."""


class PartitionPlan(NamedTuple):
    """What becomes of one partition."""

    partition: int
    before: int
    """Where the group would read on now."""
    after: int
    """Where it is to read on."""
    again: int
    """Offsets that are finished and lie at or above the new place: they are sent again."""
    never: int
    """Offsets that are not finished and lie below it: they are never sent."""
    note: str


def earliest(bounds: Mapping[int, Log]) -> dict[int, Place]:
    """The beginning of each log."""
    return {number: Place(low) for number, (low, _) in bounds.items()}


def latest(bounds: Mapping[int, Log]) -> dict[int, Place]:
    """The end of each log."""
    return {number: Place(end) for number, (_, end) in bounds.items()}


def at_time(
    bounds: Mapping[int, Log], found: Mapping[int, int], first_ms: Mapping[int, int], at_ms: int
) -> dict[int, Place]:
    """The first record of each log from `at_ms` on. `found`: its offset; `first_ms`: the time of the log's first.

    Times are in milliseconds since the epoch.
    """
    places = {}
    for number, (low, end) in bounds.items():
        if low == end:
            places[number] = Place(end, "it is empty")
        elif number not in found:
            places[number] = Place(end, "the time is after its last record: latest")
        elif first_ms.get(number, at_ms) > at_ms:  # wherever that is: compaction leaves gaps, transactions markers
            places[number] = Place(low, "the time is before its first record: earliest")
        else:
            places[number] = Place(max(found[number], low))
    return places


def plan(
    bounds: Mapping[int, Log],
    commits: Mapping[int, tuple[int, str | None]],
    places: Mapping[int, Place],
    cluster_id: str,
    *,
    starts_at_end: bool,
) -> list[PartitionPlan]:
    """What would become of each partition. `commits`: offset and metadata of each, where there are any.

    `starts_at_end`: a group without any commit starts at the end.
    """
    planned = []
    for number, place in sorted(places.items()):
        low, end = bounds[number]
        start = end if starts_at_end and not commits else low
        before, metadata = commits.get(number, (start, None))
        above = decode(metadata, before, cluster_id).finished_before
        runs = [] if above is None else list(above.from_on(before))
        finished = [(low, before), *runs] if number in commits else []
        again = sum(max(min(behind, end) - max(first, place.offset, low), 0) for first, behind in finished)
        skipped = max(place.offset - max(before, low), 0)
        never = skipped - sum(max(min(behind, place.offset) - max(first, low), 0) for first, behind in runs)
        planned.append(PartitionPlan(number, before, place.offset, again, never, place.note))
    return planned
