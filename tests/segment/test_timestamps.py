"""Times as SDKs really send them, and the one form that CustomFit gets."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_FLOOR, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.segment.timestamps import segment_timestamp

RECORD_MS = 1_795_428_000_456
RECORD_TIME = "2026-11-23 10:00:00.456Z"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Not written with the digits' ranges: whether the day exists is for the calendar to say.
FORM = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d{3}Z", re.ASCII)


def read(*candidates: object) -> str:
    """The time of an event with these candidates, in a record of RECORD_MS."""
    return segment_timestamp(candidates, RECORD_MS)


def expected(moment: datetime) -> str:
    """The form, made by the standard library's own formatter."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
    return f"{text}Z"


@pytest.mark.parametrize(
    ("text", "time"),
    [
        # what nearly every SDK sends
        ("2026-11-23T10:00:00.123Z", "2026-11-23 10:00:00.123Z"),
        ("2024-02-29T23:59:59.999Z", "2024-02-29 23:59:59.999Z"),
        ("0001-01-01T00:00:00.000Z", "0001-01-01 00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31 23:59:59.999Z"),
        # other lengths of the fraction: cut off, never rounded up
        ("2026-11-23T10:00:00Z", "2026-11-23 10:00:00.000Z"),
        ("2026-11-23T10:00:00.1Z", "2026-11-23 10:00:00.100Z"),
        ("2020-04-23T22:38:48.55Z", "2020-04-23 22:38:48.550Z"),
        ("2026-11-23T10:00:00.123456Z", "2026-11-23 10:00:00.123Z"),
        ("2026-11-23T10:00:00.123999999Z", "2026-11-23 10:00:00.123Z"),
        ("2026-12-31T23:59:59.999999999Z", "2026-12-31 23:59:59.999Z"),
        ("2026-11-23T10:00:00.1234567890123Z", "2026-11-23 10:00:00.123Z"),
        ("2026-11-23T10:00:00,123Z", "2026-11-23 10:00:00.123Z"),
        # offsets
        ("2026-11-23T10:00:00.123+00:00", "2026-11-23 10:00:00.123Z"),
        ("2026-11-23T10:00:00.123+05:30", "2026-11-23 04:30:00.123Z"),
        ("2026-11-23T10:00:00.123-08:00", "2026-11-23 18:00:00.123Z"),
        ("2026-11-23T10:00:00+0200", "2026-11-23 08:00:00.000Z"),
        ("2026-11-23T10:00:00-02", "2026-11-23 12:00:00.000Z"),
        ("2026-01-01T00:30:00+01:00", "2025-12-31 23:30:00.000Z"),
        ("2026-11-23T10:00:00+23:59", "2026-11-22 10:01:00.000Z"),
        ("0001-01-01T10:00:00+09:59", "0001-01-01 00:01:00.000Z"),
        # no zone is UTC
        ("2026-11-23T10:00:00.123", "2026-11-23 10:00:00.123Z"),
        ("2026-11-23 10:00:00", "2026-11-23 10:00:00.000Z"),
        ("2026-11-23T10:00", "2026-11-23 10:00:00.000Z"),
        ("2026-11-23", "2026-11-23 00:00:00.000Z"),
        # loose ones
        ("2015-2-02", "2015-02-02 00:00:00.000Z"),
        ("2015-2-3 4:05", "2015-02-03 04:05:00.000Z"),
        (" 2026-11-23T10:00:00Z\n", "2026-11-23 10:00:00.000Z"),
        ("2026-11-23t10:00:00.123z", "2026-11-23 10:00:00.123Z"),
        ("2026-11-23 10:00:00 UTC", "2026-11-23 10:00:00.000Z"),
        ("2026-11-23 10:00:00 GMT", "2026-11-23 10:00:00.000Z"),
        # Java's ZonedDateTime, Go's time.Time, Ruby's Time
        ("2024-09-10T14:38:57.524122374Z[GMT]", "2024-09-10 14:38:57.524Z"),
        ("2024-09-10T14:38:57.524122374+02:00[Europe/Paris]", "2024-09-10 12:38:57.524Z"),
        ("2020-05-09 23:54:49.209808489 +0000 UTC m=+198466.311224701", "2020-05-09 23:54:49.209Z"),
        ("2020-05-09 23:54:49.209808489 +0200 CEST", "2020-05-09 21:54:49.209Z"),
        ("2020-05-09 23:54:49 -0700", "2020-05-10 06:54:49.000Z"),
    ],
)
def test_text(text: str, time: str) -> None:
    """ISO 8601 with and without fraction and zone, and what the languages print of their own accord."""
    assert time == read(text)


@pytest.mark.parametrize("text", ["9999-03-01T12:Z\0:30.999Z", "2026-11-23T10:00:0\0.123Z", "2026-11-23T24:00:00.000Z"])
def test_what_some_interpreters_take_for_a_time(text: str) -> None:
    """Python 3.12 and 3.13 read a NUL among the digits, later ones 24 o'clock."""
    assert RECORD_TIME == read(text)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2016-12-31T23:59:60Z", "2017-01-01 00:00:00.000Z"),
        ("2016-12-31T23:59:60.000Z", "2017-01-01 00:00:00.000Z"),
        ("2016-12-31T23:59:60.999Z", "2017-01-01 00:00:00.999Z"),
        ("2016-12-31 23:59:60", "2017-01-01 00:00:00.000Z"),
        ("2015-07-01T05:29:60.5+05:30", "2015-07-01 00:00:00.500Z"),
        ("2016-12-31T15:59:60-08:00", "2017-01-01 00:00:00.000Z"),
    ],
)
def test_a_leap_second(text: str, time: str) -> None:
    """The second 60 before midnight UTC is a time that clocks say: the first of the next day, as Unix time has it."""
    assert time == read(text)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1795428000", "2026-11-23 10:00:00.000Z"),
        ("1795428000123", "2026-11-23 10:00:00.123Z"),
        (" 1795428000\n", "2026-11-23 10:00:00.000Z"),
        ("1795428000.5", "2026-11-23 10:00:00.500Z"),
        ("1795428000.1239999", "2026-11-23 10:00:00.123Z"),
        ("1795428000123.9", "2026-11-23 10:00:00.123Z"),
        ("1000000000", "2001-09-09 01:46:40.000Z"),
        ("9999999999", "2286-11-20 17:46:39.000Z"),
        ("1000000000000", "2001-09-09 01:46:40.000Z"),
        ("9999999999999", "2286-11-20 17:46:39.999Z"),
    ],
)
def test_unix_time_as_text(text: str, time: str) -> None:
    """Ten digits are seconds, thirteen milliseconds: other lengths may be a date without its dashes."""
    assert time == read(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "now",
        "null",
        "Invalid Date",
        "20261123",
        "202611231000",
        "20261123100000",
        "179542800",
        "17954280001",
        "1795428000123456",
        "-1795428000",
        "+1795428000",
        "1_795_428_000",
        "1795428000.",
        "1795428000.1e3",
        "1795428000Z",
        "١٧٩٥٤٢٨٠٠٠",
        "11/23/2026",
        "23.11.2026",
        "Mon, 23 Nov 2026 10:00:00 GMT",
        "2026-11-23T",
        "2026-11-23T10",
        "2026-11-23T10:00:00.Z",
        "2026-11-23T10:00:00.123ZZ",
        "2026-11-23T10:00:00.123Z.",
        "2026-11-23T10:00:00 PST",
        "2026-11-23 about noon",
        "2026-11-23 25:00:00",
        "2026-11-23T24:00:00.000Z",
        "2026-11-23T10:60:00.000Z",
        "2026-11-23T10:00:60.000Z",
        "2026-11-23T23:59:60+05:30",
        "2026-11-23T23:59:61Z",
        "2026-02-30T23:59:60Z",
        "9999-12-31T23:59:60Z",
        "2026-11-23T10:00:00+24:00",
        "2026-11-23T10:00:00+99:99",
        "2026-00-23T10:00:00.123Z",
        "2026-13-23T10:00:00.123Z",
        "2026-11-00T10:00:00.123Z",
        "2026-11-31T10:00:00.123Z",
        "2026-11-32T10:00:00.123Z",
        "2026-02-29T10:00:00.123Z",
        "2026-02-30T10:00:00.123Z",
        "2026-02-30",
        "0000-01-01T00:00:00.000Z",
        "0000-01-01",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59.999-00:01",
        "10000-01-01T00:00:00.000Z",
        "-2026-11-23T10:00:00.123Z",
        "٢٠٢٦-11-23T10:00:00.123Z",
        "2026-11-23T10:00:00.123Z\x00",
        "2026-11-23T10:00:00.123Z" + " x" * 100,
        "9" * 1_000_000,
    ],
)
def test_text_that_is_no_time(text: str) -> None:
    """What is no time, no day of the calendar or of an unknown zone gives way to the next candidate."""
    assert "2026-01-01 00:00:00.000Z" == read(text, "2026-01-01T00:00:00.000Z")
    assert RECORD_TIME == read(text)


@pytest.mark.parametrize(
    ("number", "time"),
    [
        (1, "1970-01-01 00:00:01.000Z"),
        (0.001, "1970-01-01 00:00:00.001Z"),
        (1_795_428_000, "2026-11-23 10:00:00.000Z"),
        (1_795_428_000.123, "2026-11-23 10:00:00.123Z"),
        (1_795_428_000_123, "2026-11-23 10:00:00.123Z"),
        (1_795_428_000_123.9, "2026-11-23 10:00:00.123Z"),
        (100_000_000_000, "5138-11-16 09:46:40.000Z"),
        (100_000_000_001, "1973-03-03 09:46:40.001Z"),
        (253_402_300_799_999, "9999-12-31 23:59:59.999Z"),
    ],
)
def test_numbers(number: float, time: str) -> None:
    """Unix time: seconds up to 1e11, milliseconds above."""
    assert time == read(number)


@pytest.mark.parametrize(
    "number",
    [
        0,
        0.0,
        -0.0,
        -1,
        -1.5,
        -(10**400),
        253_402_300_800_000,
        1_795_428_000_123_456,
        1_795_428_000_123_456_789,
        1e308,
        10**400,
    ],
)
def test_numbers_that_are_no_time(number: float) -> None:
    """Zero, before 1970 or after 9999, as micro- and nanoseconds would be: the next candidate counts."""
    assert RECORD_TIME == read(number)


@pytest.mark.parametrize(
    "value", [None, True, False, [], ["2026-11-23T10:00:00.123Z"], {}, {"seconds": 1}, float("nan")]
)
def test_other_values(value: object) -> None:
    """null, booleans, arrays and objects are no times."""
    assert RECORD_TIME == read(value)


def test_the_first_time_counts() -> None:
    """Candidates are asked in order, and one that is no time hides none behind it."""
    assert "1970-01-01 00:00:02.000Z" == read(None, "", "x", -1, 2, "2026-11-23T10:00:00.123Z")
    assert RECORD_TIME == read()


@pytest.mark.parametrize(
    ("record_ms", "time"),
    [
        (-(2**63), "1970-01-01 00:00:00.000Z"),
        (-1, "1970-01-01 00:00:00.000Z"),
        (0, "1970-01-01 00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31 23:59:59.999Z"),
        (253_402_300_800_000, "9999-12-31 23:59:59.999Z"),
        (2**63 - 1, "9999-12-31 23:59:59.999Z"),
    ],
)
def test_any_record_time(record_ms: int, time: str) -> None:
    """The record's time is any 64-bit number (-1: none): outside the years 1970 to 9999 the nearest of them."""
    assert time == segment_timestamp((), record_ms)


# --- against the standard library

zones = st.one_of(
    st.none(),
    st.integers(-(24 * 60 - 1), 24 * 60 - 1).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@given(
    moment=st.datetimes(timezones=zones),
    sep=st.sampled_from("T "),
    timespec=st.sampled_from(["minutes", "seconds", "milliseconds", "microseconds"]),
)
def test_any_iso_time(moment: datetime, sep: str, timespec: str) -> None:
    """Whatever the standard library writes is read as what it means, cut to milliseconds."""
    text = moment.isoformat(sep=sep, timespec=timespec)
    meant = datetime.fromisoformat(text)
    meant = meant.replace(tzinfo=meant.tzinfo or UTC)

    try:
        time = expected(meant)
    except OverflowError:  # its UTC is before year 1 or after 9999
        time = RECORD_TIME
    assert time == read(text)


@given(moment=st.datetimes())
def test_any_usual_time(moment: datetime) -> None:
    """The form that is taken apart by position says the same as its parts."""
    assert expected(moment.replace(tzinfo=UTC)) == read(moment.isoformat(timespec="milliseconds") + "Z")


@given(
    fields=st.tuples(
        st.integers(0, 9999),
        st.integers(0, 13),
        st.integers(0, 32),
        st.integers(0, 25),
        st.integers(0, 61),
        st.integers(0, 61),
        st.integers(0, 999),
    )
)
def test_days_that_do_not_exist(fields: tuple[int, ...]) -> None:
    """The usual form with any numbers in it: a time exactly if the calendar has it."""
    year, month, day, hour, minute, second, ms = fields
    text = f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{ms:03d}Z"

    leap = (hour, minute, second) == (23, 59, 60)
    try:
        moment = datetime(year, month, day, hour, minute, second - leap, ms * 1000, tzinfo=UTC)
        time = expected(moment + timedelta(seconds=leap))
    except (ValueError, OverflowError):
        time = RECORD_TIME
    assert time == read(text)


@given(ms=st.integers(100_000_000_001, 253_402_300_799_999))
def test_any_unix_time(ms: int) -> None:
    """Whole milliseconds are exact to the end of year 9999, and so are seconds."""
    assert expected(EPOCH + timedelta(milliseconds=ms)) == read(ms)
    assert expected(EPOCH + timedelta(seconds=ms // 10_000)) == read(ms // 10_000)


@given(seconds=st.decimals(min_value=1, max_value=4_000_000_000, places=3))
def test_any_unix_time_with_a_fraction(seconds: Decimal) -> None:
    """Seconds with three digits behind the point keep them, though no float holds them exactly."""
    ms = int((seconds * 1000).to_integral_value(ROUND_FLOOR))

    assert expected(EPOCH + timedelta(milliseconds=ms)) == read(float(seconds))


junk = (
    st.text() | st.text(alphabet="0123456789-+:.TZ []UTCGMT", max_size=40) | st.integers() | st.floats() | st.booleans()
)


@given(candidates=st.lists(junk | st.none() | st.lists(junk), max_size=5), record_ms=st.integers(-(2**63), 2**63 - 1))
def test_always_the_form(candidates: list[object], record_ms: int) -> None:
    """Whatever comes, the answer is in the one form, and a time that the standard library reads."""
    time = segment_timestamp(tuple(candidates), record_ms)

    assert FORM.fullmatch(time)
    assert expected(datetime.fromisoformat(time)) == time
