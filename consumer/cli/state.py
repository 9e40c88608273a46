"""`customfit-consumer state`: who is identified, as the group's topic has it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from consumer.cli.exits import fail, masker, settings_or_exit
from consumer.cli.reading import bounds_or_exit, progress, work
from consumer.cli.stopped_group import ask, busy, members_of
from consumer.exit_codes import EXIT_ERROR, EXIT_UNAVAILABLE, EXIT_UNDRAINED
from consumer.foreign_text import printable

if TYPE_CHECKING:
    from consumer.cli.interrupts import Interrupts
    from consumer.kafka.group_hosts import MemberName
    from consumer.kafka.reader import Bounds, TopicReader
    from consumer.settings import Settings
    from consumer.state.copy_words import Words
    from consumer.state.copying import Found, PartitionCopy, Places

WHY: Final = "a member that runs does not look at what is written beside it"

state = typer.Typer(no_args_is_help=True, help="Who is identified, as the group's topic has it.")


class _From(NamedTuple):
    """What was asked for."""

    topic: str
    destination: str
    is_quiet: bool


@state.command()
def copy(
    from_topic: Annotated[
        str, typer.Option(metavar="T", help="The state topic of another group: {group}.identified-users by default.")
    ],
    from_destination: Annotated[
        str | None,
        typer.Option(metavar="N", help="The destination's name there, if it is another than the one of your settings."),
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would follow, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask; for scripts.")] = False,
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Copy who is identified from another group's state topic.

    So that nobody is identified again when you move to another group or topic. Only users count whom the destination
    of that name has accepted. They are written to the partition of the same number if both have as many, else to the
    one that Java's producers choose for their id. Says of each partition what would be written, then asks. What the
    group's own topic says later is left as it is. A second copy, and one after an interruption, writes what is still
    missing. Exit 75 while the group has members, which are named.
    """
    settings = settings_or_exit(os.environ, config, api_key_required=False)
    origin = _From(from_topic, from_destination or settings.destination_name, as_json)
    if (origin.topic, origin.destination) == (settings.state_topic, settings.destination_name):
        raise typer.BadParameter("that is the group's own state topic, of the same destination", param_hint="T")
    try:
        with work(settings) as (reader, interrupts):
            _copy(settings, reader, interrupts, origin, dry_run=dry_run, yes=yes)
    except sqlite3.Error as error:
        fail(f"there is no room for a temporary file ({error}); SQLITE_TMPDIR names its folder", EXIT_ERROR)


def _copy(
    settings: Settings, reader: TopicReader, interrupts: Interrupts, origin: _From, *, dry_run: bool, yes: bool
) -> None:
    from consumer.state.copied_topic_ids import missing as missing_topic_ids
    from consumer.state.copy_words import Words
    from consumer.state.copying import Places, plan, write_missing
    from consumer.state.topic import prepare_state_topic

    partitions = len(bounds_or_exit(settings, reader, "kafka_topic"))
    bounds = _bounds(settings, reader, origin.topic)
    places = Places(partitions, len(bounds))
    with Words() as words:
        own, found = _read(settings, reader, interrupts, origin, words=words, bounds=bounds)
        topic = settings.kafka_topic
        topic_ids = missing_topic_ids(topic, found.topic_ids, own.topic_ids, partitions, same=places.same)
        planned = plan(words, places, interrupts.check)
        members = members_of(settings)
        _tell(settings, origin, found, planned, members, topic_ids=len(topic_ids), places=places, dry_run=dry_run)
        missing = sum(one.copied + one.forgotten for one in planned)
        if not missing and not any(one.there for one in planned):
            _nothing(origin, found, sum(end - low for low, end in bounds.values()))
        if dry_run:
            return
        if members:
            fail(busy(settings, members, WHY), EXIT_UNDRAINED)
        if missing or topic_ids:
            with interrupts.let_through():
                ask(f"Write this to {settings.state_topic}?", yes=yes)
            if members := members_of(settings):  # the question may have stood for long
                fail(busy(settings, members, WHY), EXIT_UNDRAINED)
        prepare_state_topic(settings, partitions)
        with progress("writing", missing, interrupts, shown=not origin.is_quiet) as advance:
            write_missing(settings, words, places, interrupts.check, advance, topic_ids=topic_ids)
    if not origin.is_quiet:
        print(f"written to {settings.state_topic}; whom the other group has identified since is copied by the next run")


def _bounds(settings: Settings, reader: TopicReader, topic: str) -> dict[int, Bounds]:
    """Of the topic to copy from; exit code 69 where it can't be read."""
    from consumer.kafka.client import MissingRight, admin_client
    from consumer.kafka.rights import missing_on_topic, refusal

    if missing := missing_on_topic(admin_client(settings), topic, "Read"):
        raise MissingRight(f"topic {topic!r} (--from-topic): {refusal(settings, *missing)}")
    bounds = reader.bounds(topic)
    if not bounds:
        where = settings.kafka_bootstrap_servers
        fail(f"there is no topic {topic!r} (--from-topic) at {where}, or this user may not see it", EXIT_UNAVAILABLE)
    return bounds


def _read(
    settings: Settings,
    reader: TopicReader,
    interrupts: Interrupts,
    origin: _From,
    *,
    words: Words,
    bounds: dict[int, Bounds],
) -> tuple[Found, Found]:
    """Both topics, first that of the group, which need not be there yet."""
    from consumer.state.copy_words import SOURCE, TARGET
    from consumer.state.copying import Origin, read_words

    own = reader.bounds(settings.state_topic)
    records = sum(end - low for low, end in (*bounds.values(), *own.values()))
    with progress("reading", records, interrupts, shown=not origin.is_quiet) as advance:
        target = Origin(settings.state_topic, settings.destination_name, TARGET, settings.kafka_topic)
        source = Origin(origin.topic, origin.destination, SOURCE, settings.kafka_topic)
        found = read_words(reader, target, own, words, advance)
        return found, read_words(reader, source, bounds, words, advance)


def _nothing(origin: _From, found: Found, records: int) -> None:
    """Say what the topic holds instead; an empty one is nothing to complain of."""
    if found.others:
        names = ", ".join(f"{printable(name, 200)!r} ({count} records)" for name, count in found.others.most_common())
        fail(
            f"{origin.topic} has no user of the destination {origin.destination!r}; name one of those that it has with "
            f"--from-destination: {names}",
            EXIT_ERROR,
        )
    if found.left_out:
        fail(
            f"none of the {records} records of {origin.topic} says who is identified: is it a state topic "
            "(CUSTOMFIT_STATE_TOPIC of the other group)?",
            EXIT_ERROR,
        )


def _tell(
    settings: Settings,
    origin: _From,
    found: Found,
    planned: Sequence[PartitionCopy],
    members: Sequence[MemberName],
    *,
    topic_ids: int,
    places: Places,
    dry_run: bool,
) -> None:
    total = {name: sum(getattr(one, name) for one in planned) for name in ("copied", "there", "forgotten")}
    if origin.is_quiet:
        told = {
            "from_topic": origin.topic,
            "from_destination": origin.destination,
            "topic": settings.state_topic,
            "destination": settings.destination_name,
            "dry_run": dry_run,
            "same_partitions": places.same,
            **total,
            "topic_ids": topic_ids,
            "left_out": found.left_out,
            "partitions": [one._asdict() for one in planned],
            "members": [one._asdict() for one in members],
        }
        print(json.dumps(masker.value(told), indent=2), flush=True)
        return
    print("PARTITION  TO BE COPIED  ALREADY THERE  TO BE FORGOTTEN")
    for one in planned:
        print(f"{one.partition:9}  {one.copied:12}  {one.there:13}  {one.forgotten:15}")
    how = "to partitions of the same number" if places.same else "to partitions found by murmur2 of the user id"
    print(
        masker.text(
            f"from {origin.topic} to {settings.state_topic}, {how}: {total['copied']} users to be copied, "
            f"{total['there']} already there, {total['forgotten']} to be forgotten; {found.left_out} records of other "
            "programs or versions left out"
        ),
        flush=True,
    )
    if topic_ids:
        print(f"and {topic_ids} notes of which topics of the name {settings.kafka_topic} were read, for insert_ids")
    if members and dry_run:
        print(masker.text(busy(settings, members, WHY)))
