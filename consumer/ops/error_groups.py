"""What has gone wrong since the start, grouped by stage and kind: how often, when first and last, in which words.

Written by the loop, read by threads of the HTTP server: a group is an immutable value that is replaced.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from consumer.ops.wall_time import iso

TEXT_CHARACTERS_MAX: Final = 300
GROUPS_SHOWN: Final = 50
KEPT_CHARACTERS_MAX: Final = 4 * TEXT_CHARACTERS_MAX
"""More than is shown: the masker has to see where a secret ends."""


class Group(NamedTuple):
    """The errors of one stage and kind."""

    times: int
    first: float
    """When the first came; wall seconds."""
    last: float
    text: str
    """The text of the last one; not masked yet."""


class ErrorGroups:
    """There are as many groups as kinds of errors, which is a closed list."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], Group] = {}

    def note(self, stage: str, kind: str, text: str, wall_seconds: float) -> None:
        """Count one more."""
        before = self._groups.get((stage, kind))
        times, first = (0, wall_seconds) if before is None else before[:2]
        self._groups[stage, kind] = Group(times + 1, first, wall_seconds, text[:KEPT_CHARACTERS_MAX])

    def latest(self) -> list[tuple[str, str, Group]]:
        """All of them, the group with the newest error first."""
        groups = [(stage, kind, group) for (stage, kind), group in list(self._groups.items())]
        return sorted(groups, key=lambda one: one[2].last, reverse=True)[:GROUPS_SHOWN]


def as_json(stage: str, kind: str, group: Group, text: str) -> dict[str, Any]:
    """A group as /status shows it. `text`: its text, masked and cut."""
    return {
        "stage": stage,
        "kind": kind,
        "count": group.times,
        "first": iso(group.first),
        "last": iso(group.last),
        "text": text,
    }
