"""All commands with their options, read from the functions behind them. For completion in shells, and for docs/."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from consumer.cli import COMMANDS


class Parameter(NamedTuple):
    """An option, or an argument."""

    names: tuple[str, ...]
    """`("--verbose", "-v")`, `("--hang", "--no-hang")`; for an argument the one name that help shows."""
    is_argument: bool
    kind: type
    choices: tuple[str, ...]
    default: object
    info: OptionInfo | ArgumentInfo

    @property
    def takes_value(self) -> bool:
        """Whether a value follows its name."""
        return self.kind is not bool

    @property
    def help(self) -> str:
        """One sentence or two."""
        return self.info.help or ""


class Command(NamedTuple):
    """A command that can be run: `("dlq", "list")`."""

    path: tuple[str, ...]
    function: Callable[..., object]

    @property
    def name(self) -> str:
        """As it is typed."""
        return " ".join(self.path)

    @property
    def help(self) -> str:
        """Its docstring."""
        return inspect.getdoc(self.function) or ""

    def parameters(self) -> Iterator[Parameter]:
        """In the order of the function."""
        hints = get_type_hints(self.function, include_extras=True)
        for parameter in inspect.signature(self.function).parameters.values():
            if hints[parameter.name] is typer.Context:
                continue
            annotated, info = get_args(hints[parameter.name])
            yield _parameter(parameter, annotated, info)


def commands() -> Iterator[Command]:
    """All of them."""
    for name in COMMANDS:
        command = getattr(import_module(f"consumer.cli.{name}"), name)
        if not isinstance(command, typer.Typer):
            yield Command((name,), command)
            continue
        group = command.registered_callback
        if group is not None and group.callback is not None and group.invoke_without_command is True:
            yield Command((name,), group.callback)  # what it does without a subcommand
        for registered in command.registered_commands:
            assert registered.callback is not None
            yield Command((name, registered.name or registered.callback.__name__), registered.callback)


def _parameter(parameter: inspect.Parameter, annotated: Any, info: OptionInfo | ArgumentInfo) -> Parameter:
    literal = get_origin(annotated) is Literal
    kind = annotated if literal else next(iter(get_args(annotated)), annotated)
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    if isinstance(info, OptionInfo) and info.autocompletion is not None:
        choices = tuple(info.autocompletion())
    is_argument = isinstance(info, ArgumentInfo)
    if is_argument:
        names: tuple[str, ...] = (info.metavar or parameter.name.upper(),)
    else:
        # In an Annotated, typer takes the first name for a default, and corrects that later.
        given = [name for name in (info.default, *(info.param_decls or ())) if isinstance(name, str)]
        names = tuple(one for name in given for one in name.split("/")) or (f"--{parameter.name.replace('_', '-')}",)
    default = None if parameter.default is inspect.Parameter.empty else parameter.default
    return Parameter(names, is_argument, str if choices else kind, choices, default, info)


def takes_file(parameter: Parameter) -> bool:
    """Whether its value is a file's name."""
    return parameter.kind is Path
