"""`customfit-consumer pause`: no member of the group sends anything until `resume`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consumer.cli.pausing import order


def pause(
    reason: Annotated[str | None, typer.Option(help="Why, for whoever sees it on the page.")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Pause sending in all members of the group.

    In force within 5 s, and after restarts. Requests in flight end; events wait in Kafka for as long as the topic keeps
    them, and commits go on. /readyz stays 200, with the status `paused`. A second pause changes nothing and exits 0.
    Needs the right to write to the state topic.
    """
    from consumer.foreign_text import printable
    from consumer.state.pause_record import REASON_CHARACTERS_MAX

    reason = reason or ""
    if len(reason) > REASON_CHARACTERS_MAX or printable(reason) != reason:
        raise typer.BadParameter(f"a reason is one line of at most {REASON_CHARACTERS_MAX} characters")
    order(config, is_paused=True, reason=reason, as_json=as_json)
