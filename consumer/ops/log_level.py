"""Which lines are logged: the level that the settings have, and debug while somebody hunts a problem."""

from __future__ import annotations

import logging

from consumer.choices import LogLevel
from consumer.log_codes import Code, fields
from consumer.ops.logs import set_level

log = logging.getLogger("consumer")


class LevelSwitch:
    """The level of the settings, which SIGUSR1 sets aside until the next SIGUSR1."""

    def __init__(self, level: LogLevel) -> None:
        """`level` is the one that is in force."""
        self._level: LogLevel = level
        self._is_set_aside = False

    def toggle(self) -> None:
        """SIGUSR1: switch debug on, or off again. Where it is on by the settings, it goes off and on again."""
        self._is_set_aside = not self._is_set_aside
        level = self._in_force
        set_level(level)
        if self._is_set_aside:
            _say(f"SIGUSR1: the log level is {level} until the next SIGUSR1", level)
        else:
            _say(f"SIGUSR1: the log level is {level} again, as the settings say", level)

    def configured(self, level: LogLevel, origin: str) -> None:
        """SIGHUP: the settings say this now. What SIGUSR1 has switched stays so until the next SIGUSR1."""
        was, self._level = self._level, level
        set_level(self._in_force)
        is_now = f"is {level}, as it was" if level == was else f"is now {level}"
        until = f"; until the next SIGUSR1 it is {self._in_force}" if self._is_set_aside else ""
        _say(f"SIGHUP: the log level of the settings {is_now} ({origin}){until}", self._in_force)

    @property
    def _in_force(self) -> LogLevel:
        if not self._is_set_aside:
            return self._level
        return "info" if self._level == "debug" else "debug"


def _say(text: str, level: LogLevel) -> None:
    """Whatever the level is: somebody has sent a signal and wants to know what came of it."""
    extra = fields(Code.LOG_LEVEL, log_level=level)
    log.handle(log.makeRecord(log.name, logging.INFO, __file__, 0, text, (), None, extra=extra))
