"""`customfit-consumer resume`: the members of the group send again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consumer.cli.pausing import order


def resume(
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Let all members of a paused group go on.

    Within 5 s; what has waited goes out in order. Exits 0 also when the group was not paused. Needs the right to write
    to the state topic.
    """
    order(config, is_paused=False, reason="", as_json=as_json)
