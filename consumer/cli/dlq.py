"""`customfit-consumer dlq`: look into the dead letters, and replay them."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from msgspec import structs

from consumer.cli.exits import fail, masker, settings_or_exit
from consumer.cli.reading import bounds_or_exit, survey_all, work
from consumer.exit_codes import EXIT_ERROR
from consumer.foreign_text import printable

if TYPE_CHECKING:
    from consumer.dead_letters.selection import Filters
    from consumer.sequencing.events import Record

ABOUT: Final = ("__connect.errors.", "customfit.")
"""Headers of a dead letter that say why it is one."""
COLUMNS: Final = 100
"""The width of a table that is not printed on a terminal."""

dlq = typer.Typer(no_args_is_help=True, help="Look into dead letters, and replay them.")

Config = Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")]


def reasons() -> Sequence[str]:
    """All reasons that a dead letter may have, for completion in shells."""
    from consumer.dead_letters.selection import REASONS

    return REASONS


def _reasons(given: list[str] | None) -> list[str] | None:
    """Refuse a reason that no dead letter can have."""
    from consumer.dead_letters.selection import REASONS
    from consumer.settings.values import nearest

    for reason in given or ():
        if reason not in REASONS:
            near = nearest(reason.lower(), REASONS, cutoff=0.6)
            hint = f"did you mean {near}?" if near else "use one of these"
            raise typer.BadParameter(f"{printable(reason, 60)!r} is not one of {', '.join(REASONS)}; {hint}")
    return given


Reason = Annotated[
    list[str] | None,
    typer.Option(
        help="Only those with this customfit.reason: undecodable, invalid_event, too_large, refused, unidentified, "
        "gave_up, or unknown (written by others); may be repeated.",
        metavar="REASON",
        autocompletion=reasons,
        callback=_reasons,
    ),
]
UserId = Annotated[str | None, typer.Option(help="Only those of this user (or with this record key).")]
Since = Annotated[str | None, typer.Option(help="Only those that failed since: 2h (s, m, h, d, w) or an ISO time.")]
Until = Annotated[str | None, typer.Option(help="Only those that failed before: as --since.")]
PartitionNumber = Annotated[int | None, typer.Option(min=0, help="Only this partition of the dead-letter topic.")]
LettersMax = Annotated[
    int, typer.Option(min=1, help="Stop if more than this match; each takes some 500 bytes of memory.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dlq.command("list")
def list_(
    *,
    reason: Reason = None,
    user: UserId = None,
    since: Since = None,
    until: Until = None,
    partition: PartitionNumber = None,
    limit: Annotated[int, typer.Option(min=0, help="How many are shown; 0: all.")] = 100,
    everything: Annotated[bool, typer.Option("--all", help="Also those that have been replayed.")] = False,
    letters_max: LettersMax = 200_000,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show the dead letters that have not been replayed. One a line, then how many there are by reason and cause.

    What does not fit the terminal is cut or left out; `dlq show` and --json have it.
    """
    from consumer.dead_letters.text import as_json as to_json
    from consumer.dead_letters.text import summary, table

    settings, filters = (
        settings_or_exit(os.environ, config, api_key_required=False),
        filters_of(reason, user, since, until),
    )
    with work(settings) as (reader, interrupts):
        selection, _ = survey_all(
            settings, reader, filters, partition, letters_max=letters_max, interrupts=interrupts, shown=not as_json
        )
    replayed = selection.replayed if everything else []
    letters = sorted([*selection.all, *replayed], key=lambda letter: (letter.partition, letter.offset))
    shown = letters[:limit] if limit else letters
    if as_json:
        done = {id(letter) for letter in replayed}
        for letter in shown:
            print(json.dumps(to_json(letter, replayed=id(letter) in done)))
        return
    if shown:
        columns = shutil.get_terminal_size((COLUMNS, 0)).columns
        print("\n".join([*table(shown, replayed, columns), "", *summary(letters, columns)]))
    notes = [f"{len(letters)} dead letter{'' if len(letters) == 1 else 's'} in {settings.dead_letter_topic}"]
    notes += [f"{len(letters) - len(shown)} are not shown (--limit 0 shows all)"] if len(shown) < len(letters) else []
    notes += (
        [f"{len(selection.replayed)} have been replayed (--all shows them too)"]
        if selection.replayed and not everything
        else []
    )
    notes += [f"{selection.foreign} records are no dead letters"] if selection.foreign else []
    print("; ".join(notes), file=sys.stderr)


@dlq.command()
def show(
    place: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="As `dlq list` names it.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: key, headers, value. Control characters are escaped."""
    from consumer.dead_letters.text import page, page_json

    settings = settings_or_exit(os.environ, config, api_key_required=False)
    if (numbers := re.fullmatch(r"([0-9]{1,9}):([0-9]{1,18})", place)) is None:
        raise typer.BadParameter("write PARTITION:OFFSET, for example 3:1042", param_hint="PARTITION:OFFSET")
    number, offset = int(numbers[1]), int(numbers[2])
    topic = settings.dead_letter_topic
    with work(settings) as (reader, _):
        bounds = bounds_or_exit(settings, reader, "dead_letter_topic").get(number)
        there = bounds is not None and bounds.low <= offset < bounds.end
        record = reader.first(topic, {number: offset}).get(number) if there else None
    if record is None or record.offset != offset:
        fail(f"there is no dead letter {place} in {topic} (any more)", EXIT_ERROR)
    record = without_secrets(record)
    if as_json:
        print(json.dumps(page_json(record), indent=2))
    else:
        print("\n".join(page(record)))


def without_secrets(record: Record) -> Record:
    """The dead letter, with secrets removed from what servers said: an earlier version may have written some down.

    Key, value and the producer's own headers stay as they are: whoever corrects an event needs them.
    """
    headers = [
        (name, masker.beginning(value, len(value)) if value and name.startswith(ABOUT) else value)
        for name, value in record.headers or []
    ]
    return structs.replace(record, headers=headers)


@dlq.command()
def replay(
    *,
    reason: Reason = None,
    user: UserId = None,
    since: Since = None,
    until: Until = None,
    partition: PartitionNumber = None,
    identifies: Annotated[
        bool, typer.Option("--identifies", help="Replay identifies, too; their traits may overwrite newer ones.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be replayed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask first.")] = False,
    letters_max: LettersMax = 200_000,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again, each once however often this is run.

    Each user's dead letters go in the order in which their events were produced. Run it again after an interruption:
    it goes on.
    """
    from consumer.cli.replay import Replay

    settings, filters = (
        settings_or_exit(os.environ, config, api_key_required=False),
        filters_of(reason, user, since, until),
    )
    with work(settings) as (reader, interrupts):
        run = Replay(settings, reader, interrupts, shown=not as_json, identifies=identifies)
        run.survey(filters, partition, letters_max)
        if not dry_run:
            if run.chosen and not yes and not as_json and sys.stdin.isatty():
                with interrupts.let_through():
                    typer.confirm(f"{run.plan()}. Go on?", abort=True, err=True)
            run.write()
    if as_json:
        print(json.dumps(run.counts(dry_run=dry_run)))
    else:
        print(run.plan() if dry_run else run.report())


def filters_of(reason: list[str] | None, user: str | None, since: str | None, until: str | None) -> Filters:
    """The options as filters. Exit code 2 for a time that can't be read."""
    from consumer.dead_letters.selection import Filters
    from consumer.dead_letters.text import moment_ms

    moments: list[int | None] = []
    for name, text in (("--since", since), ("--until", until)):
        try:
            moments.append(None if text is None else moment_ms(text, datetime.now(UTC)))
        except ValueError:
            raise typer.BadParameter(
                f"{text!r} is no time; write 2h (s, m, h, d, w) or 2026-11-23T10:00", param_hint=name
            ) from None
    return Filters(frozenset(reason or ()), user, *moments)
