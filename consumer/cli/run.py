"""`customfit-consumer run`: the service."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from consumer.cli.exits import masker, settings_or_exit
from consumer.exit_codes import EXIT_BROKEN_RULE, EXIT_ERROR, EXIT_SETTINGS, EXIT_UNAVAILABLE


def run(
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")] = None,
) -> None:
    """Read the topic and deliver, until SIGTERM or Ctrl-C. Then finish what is in flight, commit, leave."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # otherwise it would end the process before there is a log to switch
    settings = settings_or_exit(os.environ, config)

    from consumer.customfit.engine import EngineUnavailable
    from consumer.kafka.client import KafkaMisconfigured, KafkaUnavailable
    from consumer.log_codes import Code, fields
    from consumer.ops.logs import setup_logging
    from consumer.ops.server import CannotListen
    from consumer.service import say_end, say_start, serve
    from consumer.settings import load_settings

    setup_logging(settings.log_level, settings.log_format, sys.stderr, mask=masker.text)
    log = logging.getLogger("consumer")
    say_start(settings)
    for warning in settings.warnings:
        log.warning("%s", warning, extra=fields(Code.SETTING_WARNING))
    why = None
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            code = runner.run(serve(settings, lambda: load_settings(os.environ, config), masker, config))
    except KafkaUnavailable as error:
        code, why = EXIT_UNAVAILABLE, str(error)
    except (EngineUnavailable, CannotListen, KafkaMisconfigured) as error:
        code, why = EXIT_SETTINGS, str(error)
    except AssertionError:
        told = "an internal rule was broken; nothing more is committed"
        log.critical(told, exc_info=True, extra=fields(Code.BROKEN_RULE))
        code = EXIT_BROKEN_RULE
    except Exception:
        log.critical("the program failed; nothing more is committed", exc_info=True, extra=fields(Code.PROGRAM_FAILED))
        code = EXIT_ERROR
    say_end(code, why)
    raise typer.Exit(code)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop, if there is a wheel of it (not on Windows): it saves a third of a request's CPU time (measured)."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
