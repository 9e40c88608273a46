"""Records of the log, made at one moment."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from logging import LogRecord

from consumer.log_codes import Code, fields

MOMENT = datetime(2026, 11, 24, 3, 42, 29, 123_456, tzinfo=UTC).timestamp()


def record(message: str, name: str = "consumer", level: int = logging.WARNING, /, **values: object) -> LogRecord:
    """A record with these fields, made at MOMENT."""
    extra = fields(Code.REGISTRY, **values)
    made = logging.getLogger("unused").makeRecord(name, level, "", 0, message, (), None, extra=extra)
    made.created = MOMENT
    return made
