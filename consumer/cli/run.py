"""`customfit-consumer run`: the service."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from consumer import __version__
from consumer.cli.exits import settings_or_exit
from consumer.exit_codes import (
    EXIT_BROKEN_RULE,
    EXIT_ERROR,
    EXIT_OK,
    EXIT_SETTINGS,
    EXIT_UNAVAILABLE,
    EXIT_UNDRAINED,
    HOW_RUN_ENDS,
)
from consumer.settings.masking import Masker, basic
from consumer.settings.secret import hides

if TYPE_CHECKING:
    from consumer.settings import Settings


LOGGED_SECRET_CHARACTERS: Final = range(8, 513)
"""A shorter secret may be a word of every line, a longer one (a certificate's key) is nothing that a server repeats."""


def run(
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")] = None,
) -> None:
    """Read the topic and deliver, until SIGTERM or Ctrl-C: then finish what is in flight, commit, leave."""
    settings = settings_or_exit(os.environ, config)

    from consumer.customfit.engine import EngineUnavailable
    from consumer.kafka.client import KafkaMisconfigured, KafkaUnavailable
    from consumer.ops.logs import setup_logging
    from consumer.ops.server import CannotListen
    from consumer.service import serve
    from consumer.settings import load_settings

    setup_logging(settings.log_level, settings.log_format, sys.stderr, mask=_masker(settings).text)
    log = logging.getLogger("consumer")
    log.info("%s", _what(settings))
    for warning in settings.warnings:
        log.warning("%s", warning)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            code = runner.run(serve(settings, lambda: load_settings(os.environ, config)))
    except KafkaUnavailable as error:
        _fail(str(error), EXIT_UNAVAILABLE)
    except (EngineUnavailable, CannotListen, KafkaMisconfigured) as error:
        _fail(str(error), EXIT_SETTINGS)
    except AssertionError:
        log.critical("an internal rule was broken; nothing more is committed", exc_info=True)
        _leave(EXIT_BROKEN_RULE)
    except Exception:
        log.critical("the program failed; nothing more is committed", exc_info=True)
        _leave(EXIT_ERROR)
    _tell_end(code)
    raise typer.Exit(code)


def _what(settings: Settings) -> str:
    """The first line: what runs here, so that a log says so by itself."""
    return (
        f"customfit-consumer {__version__}: group {settings.kafka_group_id}, topic {settings.kafka_topic} at "
        f"{settings.kafka_bootstrap_servers}, destination {settings.destination_name}, engine {settings.http_engine}"
    )


def _tell_end(code: int) -> None:
    """The last line: how it ended."""
    level = logging.INFO if code == EXIT_OK else logging.WARNING if code == EXIT_UNDRAINED else logging.ERROR
    logging.getLogger("consumer").log(level, "ended with exit code %d: %s", code, HOW_RUN_ENDS[code])


def _masker(settings: Settings) -> Masker:
    """All secrets of the settings that are not words: the log is the last place before anybody reads them."""
    user_info = settings.schema_registry_user_info
    secrets = [settings.api_key.reveal(), *(basic(user_info.reveal()) if user_info else ())]
    secrets += [value for name, value in settings.kafka_properties.items() if hides(name)]
    return Masker(secret for secret in secrets if len(secret) in LOGGED_SECRET_CHARACTERS)


def _fail(message: str, code: int) -> NoReturn:
    """Say why at the log's end, then how it ended."""
    logging.getLogger("consumer").error("%s", message)
    _tell_end(code)
    raise typer.Exit(code)


def _leave(code: int) -> NoReturn:
    """End a process whose threads are still at work: taking Python apart under them can end in SIGSEGV (seen)."""
    _tell_end(code)
    logging.shutdown()
    os._exit(code)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where it has wheels (not on Windows): it takes a third off the CPU time of a request (measured)."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
