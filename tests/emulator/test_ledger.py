"""What the emulator's ledger counts, keeps, and finds again in its file."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consumer.emulator.contract import read_call
from consumer.emulator.ledger import Ledger, LedgerFileError
from tests.emulator.emulator_calls import events, identify, introduction, track, track_event


def accept(ledger: Ledger, body: dict[str, Any], *, answered: bool = True) -> bool:
    """Record this request."""
    return ledger.accept(read_call(msgspec.json.encode(body)), answered=answered)


def counted(ledger: Ledger, *names: str) -> dict[str, Any]:
    """These of its counters."""
    summary = ledger.summary()
    return {name: summary[name] for name in names}


def test_events_before_an_identify_are_violations() -> None:
    """Each event accepted before an identify of its user was answered counts, none after it."""
    ledger = Ledger()
    early = accept(ledger, events("u1", track_event("t1"), track_event("t2")))
    accept(ledger, identify("u1"))
    late = accept(ledger, track("u1", "t3"))
    other = accept(ledger, track("u2", "t4"))

    assert (True, False, True) == (early, late, other)
    assert {"identifies_first_violations": 3, "users": 2, "users_identified": 1} == counted(
        ledger, "identifies_first_violations", "users", "users_identified"
    )


def test_an_introduction_identifies() -> None:
    """It opens the way like any identify, and is counted apart."""
    ledger = Ledger()
    accept(ledger, introduction("u1"))
    accept(ledger, track("u1"))

    assert {"identifies_first_violations": 0, "introductions": 1, "events": 2} == counted(
        ledger, "identifies_first_violations", "introductions", "events"
    )


def test_an_identify_whose_answer_was_lost_does_not_identify() -> None:
    """The sender was not told, so it has to send the identify again before anything else."""
    ledger = Ledger()
    accept(ledger, identify("u1"), answered=False)
    early = accept(ledger, track("u1", "t1"))
    accept(ledger, identify("u1"))

    assert early
    assert {"answers_lost": 1, "users_identified": 1, "duplicate_insert_ids": 1} == counted(
        ledger, "answers_lost", "users_identified", "duplicate_insert_ids"
    )


def test_an_anonymous_visitor_is_another_user() -> None:
    """The same text as userId and as anonymousId is two users, and their violations are counted apart."""
    ledger = Ledger()
    accept(ledger, identify("a"))
    early = accept(ledger, events("a", track_event(), anonymous=True))

    assert early
    assert {"users": 2, "identifies_first_violations": 0, "identifies_first_violations_anonymous": 1} == counted(
        ledger, "users", "identifies_first_violations", "identifies_first_violations_anonymous"
    )


def test_the_oldest_entries_fall_out_and_are_counted() -> None:
    """The ledger keeps so many entries; the counters go on."""
    ledger = Ledger(events_max=3)
    for number in range(5):
        accept(ledger, identify(f"u{number}"))

    assert [3, 4, 5] == [entry.sequence for entry in ledger.entries()]
    assert {"accepted": 5, "entries": 3, "entries_fallen_out": 2, "users": 5} == counted(
        ledger, "accepted", "entries", "entries_fallen_out", "users"
    )
    assert ["u3"] == [entry.user_id for entry in ledger.entries(after=3, limit=1)]
    assert [] == ledger.entries(after=5)


def test_insert_ids_are_remembered_for_as_long_as_entries() -> None:
    """A duplicate within the last `events_max` ids is always seen."""
    ledger = Ledger(events_max=3)
    for insert_id in ("a", "b", "c", "d", "b"):
        accept(ledger, identify("u1", insert_id=insert_id))

    assert 1 == ledger.summary()["duplicate_insert_ids"]


def test_users_above_the_limit_are_not_judged() -> None:
    """Who is not followed can't be known to come too early; how many requests that were is counted."""
    ledger = Ledger(users_max=1)
    accept(ledger, identify("u1"))
    early = accept(ledger, track("u2"))

    assert not early
    assert {"users": 1, "users_not_followed": 1} == counted(ledger, "users", "users_not_followed")


def test_refusals_and_drops_are_counted_by_cause() -> None:
    """Each request is accepted, refused or dropped."""
    ledger = Ledger()
    for status in (503, 400, 503):
        ledger.refuse(status)
    ledger.drop("hang")
    accept(ledger, identify("u1"))

    assert {"requests": 5, "accepted": 1, "refused": {"400": 1, "503": 2}, "dropped": {"hang": 1}} == counted(
        ledger, "requests", "accepted", "refused", "dropped"
    )


@pytest.fixture
def reopened(tmp_path: Path) -> Callable[[], Ledger]:
    """Opens a ledger on the same file each time."""
    return lambda: Ledger(file=tmp_path / "ledger.jsonl", clock=lambda: 1.5)


def test_a_ledger_carries_on_from_its_file(tmp_path: Path, reopened: Callable[[], Ledger]) -> None:
    """After a restart it knows whom it accepted an identify of, and all else that it had written."""
    first = reopened()
    accept(first, identify("u1"))
    accept(first, track("u2"))
    first.close()
    second = reopened()
    early = accept(second, track("u1", "t2"))
    second.close()

    assert not early
    assert first.entries() == second.entries(limit=2)
    assert {"accepted": 3, "identifies_first_violations": 1} == counted(
        second, "accepted", "identifies_first_violations"
    )
    assert 3 == len((tmp_path / "ledger.jsonl").read_bytes().splitlines())


@pytest.mark.parametrize("torn", [b"{", b'{"sequence":2,"accepted_at":1.0,"user_id":"u'])
def test_a_line_torn_by_a_death_is_no_entry(tmp_path: Path, reopened: Callable[[], Ledger], torn: bytes) -> None:
    """Its request was never answered; the next entry starts a line of its own."""
    first = reopened()
    accept(first, identify("u1"))
    first.close()
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(path.read_bytes() + torn)
    second = reopened()
    accept(second, track("u1"))
    second.close()

    assert [1, 2] == [msgspec.json.decode(line)["sequence"] for line in path.read_bytes().splitlines()]


def test_a_cleared_ledger_has_an_empty_file(tmp_path: Path, reopened: Callable[[], Ledger]) -> None:
    """What was forgotten does not come back with the next start."""
    ledger = reopened()
    accept(ledger, identify("u1"))
    ledger.clear()
    early = accept(ledger, track("u1"))
    ledger.close()

    assert early
    assert 1 == len((tmp_path / "ledger.jsonl").read_bytes().splitlines())


@pytest.mark.parametrize("content", [b"precious, and no line at all", b'{"sequence":1}\n', b"\n", b"\xff"])
def test_another_file_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """A file that is not a ledger is refused and not changed."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(LedgerFileError, match="line 1"):
        Ledger(file=path)

    assert content == path.read_bytes()


def test_a_pipe_or_a_folder_is_no_ledger_file(tmp_path: Path) -> None:
    """It could not be read again."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LedgerFileError, match="not a regular file"):
        Ledger(file=tmp_path / "pipe")
    with pytest.raises(IsADirectoryError):
        Ledger(file=tmp_path)


def test_what_the_file_does_not_take_is_not_accepted(tmp_path: Path, reopened: Callable[[], Ledger]) -> None:
    """A full disk is an error of that request; half a line does not stay behind."""
    ledger = reopened()
    accept(ledger, identify("u1"))
    path = tmp_path / "ledger.jsonl"
    whole = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 10, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            accept(ledger, track("u1"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert whole == path.read_bytes()
    assert 1 == ledger.summary()["accepted"]
    accept(ledger, track("u1"))
    assert [1, 2] == [entry.sequence for entry in ledger.entries()]
    ledger.close()
