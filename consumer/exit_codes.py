"""How the process ends, for whoever starts it. The numbers are those of sysexits.h, as far as it has them. Pure."""

from __future__ import annotations

from typing import Final

EXIT_OK: Final = 0
"""Done."""
EXIT_ERROR: Final = 1
"""Any other error; from `health`, `user`, `lag --max` and `audit` also the answer no."""
EXIT_USAGE: Final = 2
"""The command was called wrongly."""
EXIT_UNAVAILABLE: Final = 69
"""Something that is needed can't be reached: Kafka, a topic, a right."""
EXIT_BROKEN_RULE: Final = 70
"""A rule of our own was broken: a bug."""
EXIT_UNDRAINED: Final = 75
"""Stopped with something unfinished, which is sent again after the next start."""
EXIT_SETTINGS: Final = 78
"""The settings can't be used."""
