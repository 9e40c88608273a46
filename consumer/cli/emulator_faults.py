"""The faults of the emulator as options: one table for its start and for `emulator control`."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Final

import msgspec
import typer

from consumer.emulator.faults import Faults

HELP: Final = {
    "latency_seconds": "How long each answer is delayed.",
    "latency_jitter_seconds": "Delay it by up to this much more, at random.",
    "fail_rate": "Share of requests that fail, 0 to 1 ...",
    "fail_status": "... with this status.",
    "fail_retry_after_seconds": "... and this Retry-After; 0: none.",
    "throttle_requests_per_second": "Answer 429 above this rate; 0: no limit.",
    "reject_keys": "An API key that gets 401; may be repeated.",
    "reject_all_keys": "401 for everybody.",
    "unavailable_seconds": "No answer for that long, from the first request.",
    "refuse_users": "A user who gets 400; may be repeated.",
    "refuse_names": "An event name that gets 400; may be repeated.",
    "fail_users": "A user whose requests fail, whoever else succeeds; may be repeated ...",
    "fail_users_status": "... with this status.",
    "fail_users_retry_after_seconds": "... and this Retry-After; 0: none.",
    "hang": "Never answer.",
    "reset_rate": "Share of accepted requests whose answer is lost.",
    "reset_unrecorded_rate": "Share of requests that are lost before they are accepted.",
}
"""By name of the field of Faults. A test checks that none is missing."""

_NONE: Final = Faults()


def takes_faults(*, running: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each fault. It is called with `faults`: a dict of those that were given.

    `running`: it is about a running emulator, so what is not given stays as it is, and a switch can be turned off.
    """
    options = {name: _option(name, running=running) for name in HELP}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def with_faults(**given: Any) -> None:
            faults = {name: given.pop(name) for name in options}
            command(**given, faults={name: value for name, value in faults.items() if value is not None})

        own = [one for one in inspect.signature(command, eval_str=True).parameters.values() if one.name != "faults"]
        with_faults.__signature__ = inspect.Signature([*own, *options.values()])  # type: ignore[attr-defined]
        with_faults.__annotations__ = {
            **{one.name: one.annotation for one in own},
            **{name: option.annotation for name, option in options.items()},
            "return": None,
        }
        return with_faults

    return decorate


def shown(faults: dict[str, Any]) -> str:
    """The faults that are on, as the options that turn them on."""
    words: list[str] = []
    for name, value in faults.items():
        if value == getattr(_NONE, name, None):
            continue
        for one in value if isinstance(value, list) else [value]:
            words += [_flag(name)] if one is True else [_flag(name), str(one)]
    return f"faults: {shlex.join(words)}" if words else "no faults: every valid request is accepted at once"


def refused(why: str) -> typer.BadParameter:
    """What is wrong with a fault, in the emulator's words, but with the name of its option."""
    found = re.fullmatch(r"(.*) - at `\$\.(\w+)(?:\[.*)?`", why)
    return typer.BadParameter(found[1], param_hint=_flag(found[2])) if found else typer.BadParameter(why)


def _option(name: str, *, running: bool) -> inspect.Parameter:
    usual = getattr(_NONE, name)
    names = [_flag(name)]
    if isinstance(usual, bool) and running:
        names = [f"{names[0]}/--no-{names[0].removeprefix('--')}"]
    is_list = isinstance(usual, list)
    type_: Any = list[str] if is_list else type(usual)
    default = None if running or is_list else usual
    metavar = name.removesuffix("s").rpartition("_")[2].upper() if is_list else None  # `--refuse-user USER`
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[
            type_ if default is not None else type_ | None, typer.Option(*names, metavar=metavar, help=HELP[name])
        ],
    )


def _flag(name: str) -> str:
    """`reject_keys`: `--reject-key`."""
    is_list = isinstance(getattr(_NONE, name, None), list)
    return f"--{(name.removesuffix('s') if is_list else name).replace('_', '-')}"


def no_faults() -> dict[str, Any]:
    """All faults as they are when nothing fails."""
    return dict(msgspec.to_builtins(_NONE))
