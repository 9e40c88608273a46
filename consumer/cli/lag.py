"""`customfit-consumer lag`: how far the group is behind, asked of the broker and not of the members."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.exits import fail, settings_or_exit
from consumer.cli.reading import work
from consumer.exit_codes import EXIT_ERROR, EXIT_UNAVAILABLE

if TYPE_CHECKING:
    from consumer.kafka.lag import PartitionLag


def lag(
    events_max: Annotated[
        int | None,
        typer.Option("--max", min=0, help="Exit 1 when the group is behind by more events than this, in all."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the group's lag per partition, in offsets and seconds. Works while no consumer runs, too."""
    from consumer.kafka.lag import group_lag

    settings = settings_or_exit(os.environ, config, api_key_required=False)
    with work(settings) as (reader, _):
        source = group_lag(settings, reader, settings.kafka_topic, time.time())
        replays = group_lag(settings, reader, settings.replay_topic, time.time())
    if not source:
        fail(
            f"there is no topic {settings.kafka_topic!r} ({settings.origin('kafka_topic')}) at "
            f"{settings.kafka_bootstrap_servers}, or this user may not see it",
            EXIT_UNAVAILABLE,
        )
    partitions = source + replays
    total = sum(partition.lag_events for partition in partitions)
    if as_json:
        rows = [partition._asdict() for partition in partitions]
        print(json.dumps({"group": settings.kafka_group_id, "lag_events": total, "partitions": rows}, indent=2))
    else:
        _print(settings.kafka_group_id, partitions, total)
    if events_max is not None and total > events_max:
        fail(f"{total} events behind are more than {events_max} (--max)", EXIT_ERROR)


def _print(group: str, partitions: list[PartitionLag], total: int) -> None:
    width = max(len(partition.topic) for partition in partitions)
    print(f"{'TOPIC'.ljust(width)}  PARTITION  COMMITTED        END        LAG    SECONDS")
    for topic, number, committed, end, events, seconds in partitions:
        shown = "-" if committed is None else str(committed)
        print(f"{topic.ljust(width)}  {number:9}  {shown:>9}  {end:9}  {events:9}  {seconds:9.1f}")
    oldest = max(partition.lag_seconds for partition in partitions)
    print(f"group {group}: {total} behind, the oldest for {oldest:.1f} s")
