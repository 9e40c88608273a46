"""The commands, one module each. Only the one that was asked for is imported, so that `health` starts fast."""

from __future__ import annotations

import sys
from importlib import import_module
from itertools import takewhile
from typing import Annotated, Final, NoReturn

import typer

from consumer import __version__
from consumer.cli.examples import epilog
from consumer.cli.process_end import leave
from consumer.cli.streams import exit_code, unbreak
from consumer.cli.tracebacks import mask_tracebacks, show, show_crashes
from consumer.exit_codes import EXIT_ERROR, EXIT_OK

COMMANDS: Final = (
    "run",
    "rekey",
    "demo",
    "emulator",
    "produce",
    "check",
    "health",
    "top",
    "lag",
    "user",
    "dlq",
    "pause",
    "resume",
    "offsets",
    "state",
    "audit",
    "completion",
)


def main() -> NoReturn:
    """Run the command that the arguments name."""
    output = unbreak()
    mask_tracebacks()
    show_crashes()
    arguments = sys.argv[1:]
    if "--version" in takewhile(lambda argument: argument != "--", arguments):  # behind a command, too
        arguments = ["--version"]
    wanted = next((argument for argument in arguments if not argument.startswith("-")), None)
    code: object = EXIT_OK
    try:
        app(*((wanted,) if wanted in COMMANDS else COMMANDS))(arguments)
    except SystemExit as ended:
        code = ended.code or EXIT_OK
    except Exception as error:  # noqa: BLE001  whatever it is, Python itself would show it with its secrets
        show(error)
        code = EXIT_ERROR
    leave(exit_code(code if isinstance(code, int) else EXIT_ERROR, output))


def app(*names: str) -> typer.Typer:
    """The command line with these commands."""
    typer_app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # its tables cut option names off at 80 columns, and it drops what stands in [ ]
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    typer_app.callback()(_customfit_consumer)
    for name in names:
        command = getattr(import_module(f"consumer.cli.{name}"), name)
        if isinstance(command, typer.Typer):
            for below in command.registered_commands:
                below.epilog = epilog(f"{name} {below.name or getattr(below.callback, '__name__', '')}")
            typer_app.add_typer(command, name=name, epilog=epilog(name))
        else:
            typer_app.command(epilog=epilog(name))(command)
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
