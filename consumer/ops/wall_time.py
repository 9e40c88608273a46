"""A time of day, as the pages show it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(wall_seconds: float) -> str:
    """ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(wall_seconds, UTC).isoformat(timespec="milliseconds")
