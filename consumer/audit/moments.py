"""A moment as it is typed: ISO 8601 with its zone, epoch seconds, or how long ago. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

FORMS: Final = "2026-11-23T10:00:00Z (with its zone), epoch seconds, -2h (s, m, h, d, w), or now"
_AGO: Final = re.compile(r"-([0-9]{1,9})([smhdw])")
_AGO_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_EPOCH: Final = re.compile(r"[0-9]{1,11}(\.[0-9]{1,9})?")
_EPOCH_SECONDS_MIN: Final = 946_684_800
"""The year 2000. Smaller numbers are dates: 20261123, a year."""


def moment_ms(text: str, now_ms: int) -> int:
    """In milliseconds since 1970; what is earlier is 1970. Raises ValueError, with what is wrong."""
    text = text.strip()
    if text == "now":
        return now_ms
    if (ago := _AGO.fullmatch(text)) is not None:
        return max(now_ms - int(ago[1]) * _AGO_SECONDS[ago[2]] * 1000, 0)
    if _EPOCH.fullmatch(text):
        if float(text) < _EPOCH_SECONDS_MIN:
            raise ValueError("as epoch seconds it is before the year 2000; a date is 2026-11-23T00:00:00Z")
        return round(float(text) * 1000)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("it names no zone")  # an hour more or less would be another window
    return max(round(moment.timestamp() * 1000), 0)
