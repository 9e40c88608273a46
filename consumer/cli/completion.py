"""`customfit-consumer completion`: a script that lets a shell complete our commands, options and their values."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Shell = Literal["bash", "zsh", "fish"]


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print a script that completes commands in bash, zsh or fish. Options and their values, too."""
    from consumer.cli.completion_scripts import SCRIPTS
    from consumer.cli.tree import commands

    print(SCRIPTS[shell](list(commands())), end="")
