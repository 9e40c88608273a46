"""Log lines of the program: one line each, readable or JSON, and safe to print whatever an event or a server says.

Each has a code for machines (log_codes.py) and fields:
`log.warning("dead-lettered", extra=fields(Code.DEAD_LETTER, partition=3, offset=17, reason="refused"))`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple, TextIO

import msgspec

from consumer.choices import LogFormat, LogLevel
from consumer.foreign_text import cut, printable
from consumer.log_codes import FOREIGN

LIBRDKAFKA_LOGGER: Final = "librdkafka"  # for confluent_kafka's `logger=`
VALUE_CHARACTERS_MAX: Final = 500
MESSAGE_CHARACTERS_MAX: Final = 2000
TRACEBACK_CHARACTERS_MAX: Final = 8000
_OURS: Final = "consumer"
_NUMBERS: Final = (bool, int, float)
# httpx logs the whole URL at INFO, and with CUSTOMFIT_API_AUTH=query the key is in it.
_QUIET: Final = ("httpx", "httpcore")
_COLOURS: Final = {logging.DEBUG: "2", logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31;1"}


Mask = Callable[[str], str]
"""Is given whole texts: if a text were cut inside a secret, a piece would be left. Names and numbers are ours."""


def as_it_is(text: str) -> str:
    """Without secrets there is nothing to mask."""
    return text


def setup_logging(
    level: LogLevel,
    log_format: LogFormat,
    stream: TextIO,
    environ: Mapping[str, str] = os.environ,
    mask: Mask = as_it_is,
) -> logging.Handler:
    """Send the lines of every logger to this stream. A second call replaces the first.

    `mask` removes secrets from everything that is logged, whoever said it.
    """
    handler = _Handler(stream)
    colour = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    handler.setFormatter(JsonFormatter(mask) if log_format == "json" else TextFormatter(mask, colour=colour))
    root = logging.getLogger()
    for earlier in [known for known in root.handlers if isinstance(known, _Handler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    set_level(level)
    return handler


def set_level(level: LogLevel) -> None:
    """Log lines of this level or above, from every logger. The level may change while the process runs."""
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.getLogger().setLevel(number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    # librdkafka's error callback says once what it is working on by itself. Its own lines are for debugging.
    logging.getLogger(LIBRDKAFKA_LOGGER).setLevel(number if number <= logging.DEBUG else logging.CRITICAL)


class TextFormatter(logging.Formatter):
    """`2026-11-24T03:42:29.123Z WARNING  message  key=value … code=word`, a traceback indented below it."""

    def __init__(self, mask: Mask = as_it_is, *, colour: bool = False) -> None:
        super().__init__()
        self._mask = mask
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """One line, without anything that a terminal obeys or that looks like another line."""
        level = f"{record.levelname:<7}"
        if self._colour and record.levelno in _COLOURS:
            level = f"\x1b[{_COLOURS[record.levelno]}m{level}\x1b[0m"
        line = f"{_timestamp(record)} {level}  {printable(self._mask(record.getMessage()), MESSAGE_CHARACTERS_MAX)}"
        named = _fields_of(record) | ({"code": code} if (code := _code_of(record)) != FOREIGN else {})
        values = " ".join(f"{name}={_quoted(_as_text(value, self._mask))}" for name, value in named.items())
        if values:
            line += f"  {values}"
        for below in _traceback(self, record, self._mask).splitlines():
            line += f"\n    {printable(below)}"
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ts, level, code, event, the fields, traceback."""

    def __init__(self, mask: Mask = as_it_is) -> None:
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """One printable line. A field keeps its type if JSON has it."""
        line: dict[str, object] = {
            "ts": _timestamp(record),
            "level": record.levelname.lower(),
            "code": _code_of(record),
            "event": _encodable(cut(self._mask(record.getMessage()), MESSAGE_CHARACTERS_MAX)),
        }
        for name, value in _fields_of(record).items():
            line[name] = value if isinstance(value, _NUMBERS) else _encodable(_as_text(value, self._mask))
        if traceback := _traceback(self, record, self._mask):
            line["traceback"] = _encodable(traceback)
        text = msgspec.json.encode(line).decode()
        if not text.isprintable():  # U+0085 and U+2028 end a line for some readers, U+009B starts a terminal's command
            text = "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in text)
        return text


class Suppressed(NamedTuple):
    """How many lines of a kind were held back."""

    kind: str
    lines: int


class RepeatLimiter:
    """Lets through at most `lines_max` lines of a kind in any `window_seconds`, and counts the others.

    `if (suppressed := limiter.allow("refused", now)) is not None: log.warning(…)`
    """

    def __init__(self, lines_max: int, window_seconds: float, kinds_max: int = 1000) -> None:
        assert lines_max >= 1 and window_seconds > 0 and kinds_max >= 1  # noqa: PT018 one idea
        self._lines_max = lines_max
        self._window_seconds = window_seconds
        self._kinds_max = kinds_max
        self._kinds: dict[str, _Kind] = {}  # drop the one unused for longest

    def allow(self, kind: str, now: float) -> int | None:
        """None: write nothing. A number: write the line; so many of this kind were held back before it."""
        state = self._kinds.pop(kind, None) or _Kind(deque(maxlen=self._lines_max))
        self._kinds[kind] = state
        if len(self._kinds) > self._kinds_max:
            del self._kinds[next(iter(self._kinds))]
        if self._is_full(state, now):
            state.suppressed += 1
            return None
        return state.write(now)

    def due(self, now: float) -> list[Suppressed]:
        """Kinds that went quiet after lines were held back. Report these; each counts as a line."""
        return [
            Suppressed(kind, state.write(now))
            for kind, state in self._kinds.items()
            if state.suppressed and not self._is_full(state, now)
        ]

    def _is_full(self, state: _Kind, now: float) -> bool:
        return len(state.written) == self._lines_max and now - state.written[0] < self._window_seconds


class _Kind:
    __slots__ = ("suppressed", "written")

    def __init__(self, written: deque[float]) -> None:
        self.written = written  # when the last lines were written
        self.suppressed = 0

    def write(self, now: float) -> int:
        self.written.append(now)
        suppressed, self.suppressed = self.suppressed, 0
        return suppressed


class _Handler(logging.StreamHandler[TextIO]):
    """A class of our own, so that a second set-up replaces this handler and leaves other people's alone."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """Say where a line came from that can't be formatted. The inherited way prints the line, secrets and all."""
        where, error = f"{record.pathname}:{record.lineno}", type(sys.exception()).__name__
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(f"customfit-consumer: the log line of {where} can't be written: {error}\n")


def _fields_of(record: logging.LogRecord) -> dict[str, object]:
    values: dict[str, object] = dict(getattr(record, "fields", {}))
    if record.name != _OURS and not record.name.startswith(f"{_OURS}."):
        values["logger"] = record.name
    return values


def _code_of(record: logging.LogRecord) -> str:
    code: str = getattr(record, "code", FOREIGN)
    return code


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _traceback(formatter: logging.Formatter, record: logging.LogRecord, mask: Mask) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    # The end of a message says what happened.
    return mask(formatter.formatException(record.exc_info))[-TRACEBACK_CHARACTERS_MAX:]


def _as_text(value: object, mask: Mask) -> str:
    text = str(value)
    return cut(text if isinstance(value, _NUMBERS) else mask(text), VALUE_CHARACTERS_MAX)


def _quoted(text: str) -> str:
    if text and text.isprintable() and not any(character in ' "=\\' for character in text):
        return text
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(text)}"'


def _encodable(text: str) -> str:
    """Text that UTF-8 can hold: JSON texts may have half of a surrogate pair."""
    return text.encode("utf-8", "backslashreplace").decode()
