"""The commands, one module each. Only the one that was asked for is imported, so that `health` starts fast."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Final

import typer

from consumer import __version__

COMMANDS: Final = ("run", "demo", "emulator", "produce", "check", "health", "lag", "user", "dlq")


def main() -> None:
    """Run the command that the arguments name."""
    wanted = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    app(*((wanted,) if wanted in COMMANDS else COMMANDS))()


def app(*names: str) -> typer.Typer:
    """The command line with these commands."""
    typer_app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    typer_app.callback()(_customfit_consumer)
    for name in names:
        command = getattr(import_module(f"consumer.cli.{name}"), name)
        if isinstance(command, typer.Typer):
            typer_app.add_typer(command, name=name)
        else:
            typer_app.command()(command)
    return typer_app


def _print_version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


def _customfit_consumer(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Forward Segment events from Kafka to CustomFit.ai, each user's identify before their tracks."""
