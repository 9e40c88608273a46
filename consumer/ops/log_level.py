"""Which lines are logged: the level in the settings, or debug while somebody hunts a problem."""

from __future__ import annotations

import logging

from consumer.choices import LogLevel
from consumer.log_codes import Code, fields
from consumer.ops.logs import set_level

log = logging.getLogger("consumer")


class LevelSwitch:
    """The level in the settings. SIGUSR1 overrides it until the next SIGUSR1."""

    def __init__(self, level: LogLevel) -> None:
        """`level` is the one in force."""
        self._level: LogLevel = level
        self._is_set_aside = False

    def toggle(self) -> None:
        """SIGUSR1: switch debug on, or off again. If the settings say debug, switch it off, and on again."""
        self._is_set_aside = not self._is_set_aside
        level = self._in_force
        set_level(level)
        if self._is_set_aside:
            _say(f"SIGUSR1: the log level is {level} until the next SIGUSR1", level)
        else:
            _say(f"SIGUSR1: the log level is {level} again, as the settings say", level)

    def configured(self, level: LogLevel, origin: str) -> None:
        """SIGHUP: the settings now say this. What SIGUSR1 has switched stays until the next SIGUSR1."""
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
    """Log it at any level: somebody has sent a signal and wants to see the effect."""
    extra = fields(Code.LOG_LEVEL, log_level=level)
    log.handle(log.makeRecord(log.name, logging.INFO, __file__, 0, text, (), None, extra=extra))
