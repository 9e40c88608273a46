"""Adds to the state of the loop what else /status says: for the page at `/`, for `top`, and for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from consumer.kafka.members import Group, Members
from consumer.ops.error_groups import TEXT_CHARACTERS_MAX, ErrorGroups, as_json
from consumer.ops.status import status
from consumer.ops.wall_time import iso
from consumer.sequencing.accounting import End
from consumer.sequencing.events import DeadLetterReason

if TYPE_CHECKING:
    from consumer.ops.about import About
    from consumer.ops.recorder import Recorder
    from consumer.ops.snapshot import Snapshot
    from consumer.settings.masking import Masker


class Overview(NamedTuple):
    """Reads /status from these parts of the process."""

    about: About
    errors: ErrorGroups
    recorder: Recorder
    members: Members
    masker: Masker

    def of(self, snapshot: Snapshot, wall_seconds: float, monotonic_seconds: float, *, look: bool) -> dict[str, Any]:
        """All of /status, as JSON values without secrets. `look`: somebody wants to see the members of the group."""
        group = self.members.look() if look else self.members.known()
        shown = {
            **self.about.as_json(wall_seconds, monotonic_seconds),
            **status(snapshot, wall_seconds, monotonic_seconds),
            "now_series": self.recorder.newest(),
            "dead_letters": _dead_letters(snapshot),
            "members": _members(group, self.masker),
            "settings": self.about.settings,
        }
        masked = self.masker.value(shown)
        assert isinstance(masked, dict)
        return {**masked, "problems": self._problems()}

    def _problems(self) -> list[dict[str, Any]]:
        """Mask first, then cut: if a secret is cut in two, a piece of it stays."""
        return [
            as_json(stage, kind, group, self.masker.beginning_of(group.text, TEXT_CHARACTERS_MAX))
            for stage, kind, group in self.errors.latest()
        ]


def _dead_letters(snapshot: Snapshot) -> list[dict[str, Any]]:
    """This process's dead letters by reason, the most frequent first, and the command that lists them."""
    counts = {reason.value: snapshot.finished.get((End.DEAD_LETTERED, reason), 0) for reason in DeadLetterReason}
    return [
        {"reason": reason, "count": count, "command": f"customfit-consumer dlq list --reason {reason}"}
        for reason, count in sorted(counts.items(), key=lambda one: -one[1])
        if count
    ]


def _members(group: Group, masker: Masker) -> dict[str, Any]:
    return {
        "asked_at": None if group.asked_at is None else iso(group.asked_at),
        "problem": None if group.problem is None else masker.beginning_of(group.problem, TEXT_CHARACTERS_MAX),
        "members": [
            {
                "client_id": member.client_id,
                "host": member.host,
                "partitions": [{"topic": one.topic, "partition": one.number} for one in member.partitions],
                "is_me": member.is_me,
            }
            for member in group.members
        ],
    }
