"""What to say of a source topic that was given more partitions. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

SHOWN_SECONDS: Final = 300.0
"""By then producers have heard of the new partitions, too, and members have them."""


class Grown(NamedTuple):
    """A topic has more partitions than it had."""

    topic: str
    before: int
    partitions: int
    seconds: float
    """How long ago this member saw it."""


def note(grown: Grown | None, *, has_rate: bool) -> str | None:
    """For people; None: there is nothing to say."""
    if grown is None or grown.seconds > SHOWN_SECONDS:
        return None
    told = (
        f"{grown.topic} has {grown.partitions} partitions, {grown.before} before it grew {grown.seconds:.0f} s ago: "
        "the group hands the new ones out, and users that move are introduced"
    )
    if has_rate:
        told += (
            "; until members have them, their part of CUSTOMFIT_REQUESTS_PER_SECOND_MAX is not used, and a member that "
            "started just then may have used more than its part for 2 s"
        )
    return f"{told} (docs/scaling.md)"
