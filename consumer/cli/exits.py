"""How a command ends: one clear message, and an exit code by which a script can tell."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

import typer

from consumer.exit_codes import EXIT_SETTINGS
from consumer.settings import Given, Settings, SettingsError, load_settings
from consumer.settings.known_secrets import secrets_of
from consumer.settings.masking import Masker

masker: Final = Masker()
"""The masker of this process. It knows the secrets from the moment when the settings are read.

What a broker, the registry, the destination or the service has said goes through it before it is printed.
"""


def fail(message: str, code: int) -> NoReturn:
    """Print why, and end."""
    print(f"customfit-consumer: {masker.text(message)}", file=sys.stderr)
    raise typer.Exit(code)


def tell(line: str) -> None:
    """Show a sign of life, beside what the command prints."""
    print(f"customfit-consumer: {masker.text(line)}", file=sys.stderr, flush=True)


def quiet_kafka_client() -> None:
    """Silence librdkafka's log, which says the same as a command's own message, many times over."""
    logger = logging.getLogger("librdkafka")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


def settings_or_exit(
    environ: Mapping[str, str],
    config: Path | None = None,
    *,
    api_key_required: bool = True,
    **options: tuple[str, str | None],
) -> Settings:
    """The settings; or everything that is wrong with them, one line each, and exit code 78.

    `options`: by setting, the option that takes its place, and the value that was given.
    """
    given = {setting: Given(value, name) for setting, (name, value) in options.items() if value is not None}
    try:
        settings = load_settings(environ, config, api_key_required=api_key_required, options=given)
    except SettingsError as error:
        for problem in error.problems:
            print(f"customfit-consumer: {problem}", file=sys.stderr)
        raise typer.Exit(EXIT_SETTINGS) from None
    masker.learn(secrets_of(settings, environ))
    return settings
