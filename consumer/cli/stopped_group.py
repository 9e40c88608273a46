"""What commands share that change something of a whole group while no member runs: who is there, and may it be done."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from consumer.cli.exits import fail, tell
from consumer.exit_codes import EXIT_ERROR

if TYPE_CHECKING:
    from consumer.kafka.group_hosts import MemberName
    from consumer.settings import Settings


def members_of(settings: Settings) -> list[MemberName]:
    """Who is in the group; none where the broker does not tell, which is said."""
    from consumer.kafka.group_hosts import GroupUnknown, group_members

    try:
        return group_members(settings)
    except GroupUnknown as unknown:
        tell(str(unknown))
        return []


def busy(settings: Settings, members: Sequence[MemberName], why: str) -> str:
    """That they are to be stopped first, by name. `why`: what comes behind "since"."""
    names = ", ".join(f"{one.client_id} at {one.host}" for one in members)
    whom = f": {names}" if names else ""
    return (
        f"the group {settings.kafka_group_id} has {len(members) or 'some'} members{whom}; stop them first (one that "
        f"was killed counts until its session is over), since {why}"
    )


def ask(question: str, *, yes: bool) -> None:
    """Return if it may be done."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody can be asked here; --yes does it without", param_hint="--yes")
    if not typer.confirm(question):
        fail("nothing was changed", EXIT_ERROR)
