"""SIGUSR1 and SIGHUP: what they change of a service that runs, and when a hangup stops it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from consumer.choices import LogLevel
from consumer.ops.log_level import LevelSwitch
from consumer.service import _hear_signals
from consumer.settings import Settings, SettingsError, load_settings
from tests.settings.given_settings import KEY


class Heard:
    """What the parts were told, in order."""

    def __init__(self, config: Path | None, environ: dict[str, str]) -> None:
        self.told: list[str] = []
        self.happened = asyncio.Event()
        self._environ = environ
        self.stopping = _hear_signals(
            load_settings(environ, config),
            cast("Any", self),
            cast("LevelSwitch", self),
            lambda: self.read(config),
            config,
            lambda: self._note("stop"),
        )

    def read(self, config: Path | None) -> Settings:
        try:
            return load_settings(self._environ, config)
        except SettingsError:
            self._note("wrong settings")
            raise

    def read_key(self) -> bool:
        self._note("read key")
        return True

    def toggle(self) -> None:
        self._note("toggle")

    def configured(self, level: LogLevel, origin: str) -> None:
        self._note(f"{level} from {origin.partition(' (')[2].partition(' ')[0]}")

    async def after(self, number: signal.Signals, lines: int) -> list[str]:
        """What was told once this signal has been heard."""
        os.kill(os.getpid(), number)
        async with asyncio.timeout(10):
            while len(self.told) < lines:
                await self.happened.wait()
                self.happened.clear()
        return self.told

    def _note(self, what: str) -> None:
        self.told.append(what)
        self.happened.set()


@pytest.fixture
async def hear() -> AsyncIterator[Callable[..., Heard]]:
    """Installs the handlers in this process, and removes them."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
    before = {number: signal.getsignal(number) for number in numbers}
    yield lambda config=None, **environ: Heard(config, environ or {"CUSTOMFIT_API_KEY": KEY})
    for number, handler in before.items():
        asyncio.get_running_loop().remove_signal_handler(number)
        signal.signal(number, handler)


async def test_sigusr1_switches_the_log_level(hear: Callable[..., Heard]) -> None:
    """And stops nothing."""
    heard = hear()

    assert ["toggle"] == await heard.after(signal.SIGUSR1, 1)
    assert ["toggle", "toggle"] == await heard.after(signal.SIGUSR1, 2)
    assert not heard.stopping.is_set()


async def test_a_hangup_stops_where_nothing_stands_in_a_file(hear: Callable[..., Heard]) -> None:
    """The key in the environment can't change, and there is no configuration: a closed terminal ends the service."""
    heard = hear()

    assert ["stop"] == await heard.after(signal.SIGHUP, 1)
    assert heard.stopping.is_set()


async def test_a_hangup_reads_the_key_again(hear: Callable[..., Heard], tmp_path: Path) -> None:
    """From its file; without a configuration file the log level is not looked at."""
    (tmp_path / "key").write_text(KEY)
    heard = hear(CUSTOMFIT_API_KEY_FILE=str(tmp_path / "key"))

    assert ["read key"] == await heard.after(signal.SIGHUP, 1)
    assert not heard.stopping.is_set()


async def test_a_hangup_reads_the_log_level_of_the_configuration_again(
    hear: Callable[..., Heard], tmp_path: Path
) -> None:
    """The key too, unless the environment has it. What the environment says of the level still wins over the file."""
    config = tmp_path / "c.toml"
    config.write_text("")
    one, config_text = hear(config), 'log_level = "debug"\n'
    config.write_text(config_text)

    assert ["debug from log_level"] == await one.after(signal.SIGHUP, 1)

    config.write_text(f'{config_text}api_key = "{KEY}"')
    two = hear(config, CUSTOMFIT_LOG_LEVEL="error")

    assert ["read key", "error from environment)"] == await two.after(signal.SIGHUP, 2)


async def test_settings_that_cannot_be_read_again_change_nothing(
    hear: Callable[..., Heard], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning says what is wrong; the next hangup, with the file mended, is heard."""
    config = tmp_path / "c.toml"
    config.write_text("")
    heard = hear(config)
    config.write_text('log_level = "loud"')

    assert ["wrong settings"] == await heard.after(signal.SIGHUP, 1)

    config.write_text('log_level = "error"')

    assert ["wrong settings", "error from log_level"] == await heard.after(signal.SIGHUP, 2)
    assert ["log_level_unreadable"] == [vars(line)["code"] for line in caplog.records]
    assert "not one of info, debug, warning, error" in caplog.text
