"""The record by which sending is paused: read by us for ever, left out by versions that know nothing of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.sequencing.pauses import PauseOrder
from consumer.state.pause_file import NAME, Followed, PauseFile
from consumer.state.pause_record import (
    REASON_CHARACTERS_MAX,
    UnknownPauseRecord,
    decode_order,
    encode_order,
    is_pause_key,
    pause_key,
)
from consumer.state.records import UnknownStateRecord, decode_record

PAUSE = PauseOrder(True, "ann@laptop", 1_764_450_000_000, "CustomFit is being moved")
RESUME = PauseOrder(False, "bob@host", 1_764_450_100_000, "")


@pytest.mark.parametrize("order", [PAUSE, RESUME])
def test_an_order_says_who_when_and_why(order: PauseOrder) -> None:
    """There and back; a deletion by hand is the same as never paused."""
    assert order == decode_order(encode_order(order))
    assert decode_order(None) is None


def test_each_group_has_a_key_of_its_own_and_always_the_same() -> None:
    """So compaction keeps the last order of each, also where groups share a state topic."""
    assert b'["pause","segment-events"]' == pause_key("segment-events")
    assert pause_key("one") != pause_key("two")
    assert is_pause_key(pause_key('a "quoted" group'))


@pytest.mark.parametrize("value", [encode_order(PAUSE), encode_order(RESUME), None])
def test_it_is_no_user_to_any_version(value: bytes | None) -> None:
    """The rule for keys is that of 6e2d0f6 to the letter, an array of three: it counts and leaves it out."""
    with pytest.raises(UnknownStateRecord, match="its key is not"):
        decode_record(pause_key("segment-events"), value)


@given(value=st.binary(max_size=200))
def test_whatever_is_written_there_is_an_order_or_refused(value: bytes) -> None:
    """Whoever may write to the topic may write anything."""
    with suppress(UnknownPauseRecord):
        decode_order(value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        b'{"paused": 1}',
        b'{"paused": true, "at_ms": -1}',
        b'{"paused": true, "at_ms": 1e300}',
        b'{"paused": true, "more": ' + b"[" * 200_000,
    ],
    ids=["nothing", "says nothing", "a number", "before all time", "after all time", "nested without end"],
)
def test_a_value_of_another_form_is_no_order(value: bytes) -> None:
    """Then the one before it stays in force."""
    with pytest.raises(UnknownPauseRecord):
        decode_order(value)


def test_what_others_wrote_is_made_safe_to_show() -> None:
    """A reason stands on pages, in terminals and in the log."""
    read = decode_order(encode_order(PauseOrder(True, "a\x1b[2J", 0, "x\n" * REASON_CHARACTERS_MAX)))

    assert read is not None
    assert (read.by, len(read.reason.replace("\\n", "n"))) == ("a\\x1b[2J", REASON_CHARACTERS_MAX)


def test_what_was_followed_is_remembered(tmp_path: Path) -> None:
    """Of the topic it was read of; whatever else is there costs reading the partition once."""
    file, other = PauseFile(tmp_path / "group", "topic 1"), PauseFile(tmp_path / "group", "topic 2")
    nothing = file.read()
    file.write(Followed(17, PAUSE))
    found = file.read(), other.read()

    assert nothing is None
    assert (Followed(17, PAUSE), None) == found


@pytest.mark.parametrize(
    "content",
    [
        b"garbage",
        b'{"topic": "topic 1", "more": ' + b"[" * 60_000,
        b'{"topic": "topic 1", "next_offset": 9223372036854775808, "order": null}',
        b'{"topic": "topic 1", "next_offset": -1, "order": null}',
    ],
    ids=["garbage", "nested without end", "too far", "before the beginning"],
)
def test_what_is_remembered_wrongly_is_not_known(content: bytes, tmp_path: Path) -> None:
    """A damaged file costs reading the partition once, and no member its start."""
    file = PauseFile(tmp_path, "topic 1")
    (tmp_path / NAME).write_bytes(content)

    assert file.read() is None


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    """The next start reads more."""
    (tmp_path / "group").write_bytes(b"a file")
    file = PauseFile(tmp_path / "group", "topic 1")
    file.write(Followed(17, None))

    assert file.read() is None
