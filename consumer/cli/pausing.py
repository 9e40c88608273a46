"""What `pause` and `resume` share: which order is in force, giving another, and who hears of it."""

from __future__ import annotations

import getpass
import json
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from consumer.cli.exits import masker, settings_or_exit
from consumer.cli.reading import bounds_or_exit, progress, work

if TYPE_CHECKING:
    from consumer.sequencing.pauses import PauseOrder
    from consumer.settings import Settings

FOLLOWED_SECONDS: Final = 5


def order(config: Path | None, *, is_paused: bool, reason: str, as_json: bool) -> None:
    """Give the order, unless the group is to be paused and is paused already; and say what is in force now."""
    from consumer.foreign_text import printable
    from consumer.sequencing.pauses import PauseOrder
    from consumer.state.pause_orders import give_order, order_in_force
    from consumer.state.pause_record import NAME_CHARACTERS_MAX, PAUSE_PARTITION

    settings = settings_or_exit(os.environ, config, api_key_required=False)
    with work(settings) as (reader, interrupts):
        bounds = bounds_or_exit(settings, reader, "state_topic", PAUSE_PARTITION)[PAUSE_PARTITION]
        with progress("reading", bounds.end - bounds.low, interrupts, shown=not as_json) as advance:
            before = order_in_force(reader, settings, bounds, advance)
        was_paused = before is not None and before.is_paused
        now = before if was_paused and is_paused else None
        if now is None:  # an order to go on is given even if nothing is paused: a member may have missed it
            now = PauseOrder(is_paused, printable(_who(), NAME_CHARACTERS_MAX), round(time.time() * 1000), reason)
            give_order(settings, now, interrupts.check)
    members = _members(settings)
    if as_json:
        told = {"group": settings.kafka_group_id, "changed": was_paused != is_paused, **_order(now), **members}
        print(json.dumps(masker.value(told), indent=2))
        return
    print(masker.text(_first_line(settings, before, now)))
    print(masker.text(_members_line(settings, members, is_paused=is_paused)))


def _who() -> str:
    """user@host. In a container the user may have no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _members(settings: Settings) -> dict[str, Any]:
    """Who is in the group, as far as the broker says."""
    from consumer.kafka.group_hosts import GroupUnknown, group_members

    try:
        members = group_members(settings)
    except GroupUnknown as unknown:
        return {"members": None, "problem": str(unknown)}
    return {"members": [{"client_id": one.client_id, "host": one.host} for one in members], "problem": None}


def _order(given: PauseOrder) -> dict[str, Any]:
    from consumer.ops.wall_time import iso

    return {"paused": given.is_paused, "by": given.by, "at": iso(given.at_ms / 1000), "reason": given.reason}


def _first_line(settings: Settings, before: PauseOrder | None, now: PauseOrder) -> str:
    from consumer.ops.causes import paused_sentence

    was_paused = before is not None and before.is_paused
    if now.is_paused:
        already = "already " if was_paused else ""
        return f"{settings.kafka_group_id} is {already}{paused_sentence(now)}"
    if before is None or not was_paused:
        return f"{settings.kafka_group_id} was not paused"
    return f"{settings.kafka_group_id} goes on; it was {paused_sentence(before)}"


def _members_line(settings: Settings, told: dict[str, Any], *, is_paused: bool) -> str:
    members, does = told["members"], "pause" if is_paused else "go on"
    if members is None:
        return f"its members {does} within {FOLLOWED_SECONDS} s; {told['problem']}"
    if not members:
        return (
            f"the group has no members now ({settings.origin('kafka_group_id')}); those that start will {does}, "
            "if that is its name"
        )
    names = ", ".join(f"{one['client_id']} at {one['host']}" for one in members)
    return f"in force within {FOLLOWED_SECONDS} s in {names}"
