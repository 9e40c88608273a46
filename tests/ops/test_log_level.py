"""The log level while the process runs: switched by a signal, set by the settings, told of either way."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from consumer.choices import LogLevel
from consumer.log_codes import Code, fields
from consumer.ops.log_level import LevelSwitch
from consumer.ops.logs import LIBRDKAFKA_LOGGER, setup_logging

LEVELS: list[LogLevel] = ["debug", "info", "warning", "error"]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (None, "httpx", "httpcore", LIBRDKAFKA_LOGGER)]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def in_force() -> LogLevel:
    """The lowest level that is logged."""
    log = logging.getLogger("consumer")
    return next(level for level in LEVELS if log.isEnabledFor(logging.getLevelNamesMapping()[level.upper()]))


def lines_of(stream: io.StringIO) -> list[tuple[str, str]]:
    """Level that each line names, and what it says."""
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [(line["log_level"], line["event"]) for line in lines if line["code"] == Code.LOG_LEVEL.value]


@pytest.mark.parametrize("level", LEVELS)
def test_a_signal_switches_debug_on_and_the_next_one_off_again(level: LogLevel) -> None:
    """Whatever the level of the settings is, the log says both; of a process that logs debug already, off and on."""
    stream = io.StringIO()
    setup_logging(level, "json", stream)
    switch = LevelSwitch(level)
    switched: LogLevel = "info" if level == "debug" else "debug"
    found = []
    for _ in range(3):
        switch.toggle()
        found.append(in_force())

    assert [switched, level, switched] == found
    assert [
        (switched, f"SIGUSR1: the log level is {switched} until the next SIGUSR1"),
        (level, f"SIGUSR1: the log level is {level} again, as the settings say"),
        (switched, f"SIGUSR1: the log level is {switched} until the next SIGUSR1"),
    ] == lines_of(stream)


@pytest.mark.parametrize("before", LEVELS)
@pytest.mark.parametrize("after", LEVELS)
def test_what_the_settings_say_now_holds_at_once_and_is_told(before: LogLevel, after: LogLevel) -> None:
    """Also where the new level, or the old one, would keep the line back."""
    stream = io.StringIO()
    setup_logging(before, "json", stream)
    LevelSwitch(before).configured(after, "CUSTOMFIT_LOG_LEVEL (log_level in c.toml)")

    is_now = f"is {after}, as it was" if after == before else f"is now {after}"
    told = f"SIGHUP: the log level of the settings {is_now} (CUSTOMFIT_LOG_LEVEL (log_level in c.toml))"
    assert after == in_force()
    assert [(after, told)] == lines_of(stream)


def test_debug_that_a_signal_has_switched_on_stays_on() -> None:
    """A key rotated by SIGHUP ends no hunt. The next SIGUSR1 does, with the level that the settings have now."""
    stream = io.StringIO()
    setup_logging("info", "json", stream)
    switch = LevelSwitch("info")
    switch.toggle()
    switch.configured("warning", "here")
    during = in_force()
    switch.toggle()

    assert ("debug", "warning") == (during, in_force())
    assert (
        "debug",
        "SIGHUP: the log level of the settings is now warning (here); until the next SIGUSR1 it is debug",
    ) == lines_of(stream)[1]


def test_libraries_are_not_made_talkative_beyond_what_the_start_allows() -> None:
    """The URL that httpx would log may hold the key; librdkafka's own lines come with debug, and go with it."""
    setup_logging("info", "text", io.StringIO())
    switch = LevelSwitch("info")
    found = []
    for _ in range(2):
        switch.toggle()
        found.append([logging.getLogger(name).level for name in ("httpx", "httpcore", LIBRDKAFKA_LOGGER)])

    assert [
        [logging.WARNING, logging.WARNING, logging.DEBUG],
        [logging.WARNING, logging.WARNING, logging.CRITICAL],
    ] == (found)


def test_lines_of_others_come_and_go_with_the_level() -> None:
    """Not only the switch's own: what a part of the program says at the level debug is there exactly while it is on."""
    stream = io.StringIO()
    setup_logging("warning", "json", stream)
    switch = LevelSwitch("warning")
    for _ in range(3):
        logging.getLogger("consumer.debug").debug("seen", extra=fields(Code.RECORDS_FETCHED))
        switch.toggle()

    assert 1 == stream.getvalue().count('"seen"')
