"""`customfit-consumer rekey`: copies a topic whose records are not keyed by user to one where they are."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from consumer.cli.exits import masker, settings_or_exit
from consumer.exit_codes import EXIT_OK, EXIT_SETTINGS, EXIT_UNAVAILABLE


def rekey(
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")] = None,
    accept_growth: Annotated[
        bool,
        typer.Option(
            "--accept-growth", help="Go on though the target has more partitions, once all of it is delivered."
        ),
    ] = False,
) -> None:
    """Copy the topic to one that is keyed by user, exactly once.

    Reads CUSTOMFIT_KAFKA_TOPIC and writes `{topic}.by-user`, until SIGTERM or Ctrl-C. A process and a group of its own.
    """
    settings = settings_or_exit(os.environ, config, api_key_required=False)

    from consumer.kafka.client import KafkaMisconfigured, KafkaUnavailable
    from consumer.log_codes import Code, fields
    from consumer.ops.logs import setup_logging
    from consumer.ops.server import CannotListen
    from consumer.rekey.process import Process
    from consumer.settings import load_settings

    setup_logging(settings.log_level, settings.log_format, sys.stderr, mask=masker.text)
    log = logging.getLogger("consumer.rekey")
    try:
        process = Process(settings, lambda: load_settings(os.environ, config), masker, accept_growth=accept_growth)
        code, why = process.run(), "stopped as it was told, with nothing left over"
    except KafkaUnavailable as error:
        code, why = EXIT_UNAVAILABLE, str(error)
    except (CannotListen, KafkaMisconfigured) as error:
        code, why = EXIT_SETTINGS, str(error)
    level = logging.INFO if code == EXIT_OK else logging.ERROR
    log.log(level, "ended: %s", why, extra=fields(Code.ENDED, exit_code=code))
    raise typer.Exit(code)
