"""A moment as it is typed."""

from __future__ import annotations

import pytest

from consumer.audit.moments import moment_ms

NOW_MS = 1_795_428_000_123


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW_MS),
        ("-2h", NOW_MS - 7_200_000),
        ("-1w", NOW_MS - 604_800_000),
        ("946684800", 946_684_800_000),
        ("-9999w", 0),
        ("1969-12-31T23:00:00Z", 0),
        ("1795428000.5", 1_795_428_000_500),
        ("2026-11-23T10:00:00Z", 1_795_428_000_000),
        ("2026-11-23T11:00:00.5+01:00", 1_795_428_000_500),
    ],
)
def test_each_form_is_read(text: str, expected: int) -> None:
    """ISO 8601 with its zone, epoch seconds, so long ago, now."""
    assert expected == moment_ms(text, NOW_MS)


@pytest.mark.parametrize("text", ["2026-11-23T10:00:00", "2026-11-23", "2h", "-2y", "-", "soon", "", "1e9", "nan"])
def test_a_time_without_zone_and_what_is_none_is_refused(text: str) -> None:
    """An hour more or less would be another window."""
    with pytest.raises(ValueError, match=r".*"):
        moment_ms(text, NOW_MS)


@pytest.mark.parametrize("text", ["20261123", "2026", "0", "946684799.9", "100000000"])
def test_a_number_that_must_be_a_date_is_no_time(text: str) -> None:
    """20261123 as epoch seconds is a day in August 1970: everything would be sent again."""
    with pytest.raises(ValueError, match="before the year 2000; a date is 2026-11-23T00:00:00Z"):
        moment_ms(text, NOW_MS)
