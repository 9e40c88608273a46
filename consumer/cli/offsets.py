"""`customfit-consumer offsets`: where the whole group reads on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from consumer.cli.exits import fail, masker, settings_or_exit
from consumer.cli.reading import bounds_or_exit, work
from consumer.cli.stopped_group import ask, busy, members_of
from consumer.exit_codes import EXIT_UNDRAINED

if TYPE_CHECKING:
    from consumer.cli.interrupts import Interrupts
    from consumer.kafka.group_hosts import MemberName
    from consumer.kafka.offset_plan import PartitionPlan
    from consumer.kafka.reader import TopicReader
    from consumer.settings import Settings

    Commits = dict[int, tuple[int, str | None]]

EARLIEST: Final = "earliest"
LATEST: Final = "latest"
WHY: Final = "only members may commit while there are some"


def offsets(
    to: Annotated[
        str,
        typer.Option(
            metavar="T",
            help="earliest, latest, or the first record of a time: ISO 8601 with its zone, epoch seconds, or -2h "
            "(s, m, h, d, w) before now.",
        ),
    ],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would follow, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask; for scripts.")] = False,
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Have the group read on from another place.

    In all partitions of the source topic, while no member runs. Says of each how many offsets are sent again (with the
    same insert_id) and how many are never sent, then asks. Exit 75 while the group has members, which are named.
    Replays of dead letters are left as they are.
    """
    settings = settings_or_exit(os.environ, config, api_key_required=False)
    at_ms = _moment(to)
    with work(settings) as (reader, interrupts):
        planned, commits = _planned(settings, reader, to, at_ms)
        members = members_of(settings)
        _tell(settings, planned, members, as_json=as_json, dry_run=dry_run)
        if dry_run:
            return
        if members:
            fail(busy(settings, members, WHY), EXIT_UNDRAINED)
        with interrupts.let_through():
            ask("Commit this for the whole group?", yes=yes)
        if reader.commits(settings.kafka_topic, len(planned)) != commits:
            fail("the group has committed meanwhile, so other things would follow; run it again", EXIT_UNDRAINED)
        _reset(settings, planned, interrupts)
    if not as_json:
        print(f"committed for {settings.kafka_group_id}; start its members, and they read on from there")


def _moment(to: str) -> int | None:
    from consumer.audit.moments import FORMS, moment_ms

    if to in (EARLIEST, LATEST):
        return None
    try:
        return moment_ms(to, round(time.time() * 1000))
    except ValueError as error:
        why = f" ({error})" if to[:1].isdigit() else ""
        problem = f"{to!r} is no time{why}; write {EARLIEST}, {LATEST}, {FORMS}"
        raise typer.BadParameter(problem, param_hint="--to") from None


def _planned(
    settings: Settings, reader: TopicReader, to: str, at_ms: int | None
) -> tuple[list[PartitionPlan], Commits]:
    """What would become of each partition, and the commits by which that was found."""
    from consumer.kafka.offset_plan import at_time, earliest, latest, plan

    topic = settings.kafka_topic
    bounds = bounds_or_exit(settings, reader, "kafka_topic")
    if at_ms is None:
        places = earliest(bounds) if to == EARLIEST else latest(bounds)
    else:
        found = reader.offsets_at(topic, bounds, at_ms)
        filled = {number: low for number, (low, end) in bounds.items() if low < end}
        first_ms = {number: record.timestamp_ms for number, record in reader.first(topic, filled).items()}
        places = at_time(bounds, found, first_ms, at_ms)
    commits = reader.commits(topic, len(bounds))
    starts_at_end = settings.kafka_start == LATEST
    return plan(bounds, commits, places, reader.cluster_id(), starts_at_end=starts_at_end), commits


def _tell(
    settings: Settings,
    planned: Sequence[PartitionPlan],
    members: Sequence[MemberName],
    *,
    as_json: bool,
    dry_run: bool,
) -> None:
    group, topic = settings.kafka_group_id, settings.kafka_topic
    again, never = sum(one.again for one in planned), sum(one.never for one in planned)
    if as_json:
        told = {
            "group": group,
            "topic": topic,
            "dry_run": dry_run,
            "again": again,
            "never": never,
            "partitions": [one._asdict() for one in planned],
            "members": [one._asdict() for one in members],
        }
        print(json.dumps(masker.value(told), indent=2), flush=True)
        return
    print("PARTITION  READS ON AT  WOULD READ ON AT  SENT AGAIN  NEVER SENT")
    for one in planned:
        row = f"{one.partition:9}  {one.before:11}  {one.after:16}  {one.again:10}  {one.never:10}"
        print(f"{row}  {one.note}".rstrip())
    print(f"group {group}, topic {topic}: {again} offsets sent again, {never} never sent", flush=True)
    if members and dry_run:
        print(masker.text(busy(settings, members, WHY)))


def _reset(settings: Settings, planned: Sequence[PartitionPlan], interrupts: Interrupts) -> None:
    from consumer.kafka.offset_reset import GroupHasMembers, reset_offsets

    try:
        reset_offsets(settings, {one.partition: one.after for one in planned}, interrupts.check)
    except GroupHasMembers:
        fail(busy(settings, members_of(settings), WHY), EXIT_UNDRAINED)
