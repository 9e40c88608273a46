"""Who is identified in one partition, while writes are on their way and the disk is full."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.sequencing.events import User
from consumer.state import store as store_module
from consumer.state.reader import Slice
from consumer.state.records import StateKey
from tests.state.given_store import ANN, BOB, DAY_SECONDS, HERE, opened, state_in, write


def key(user: User) -> StateKey:
    """Of the present destination."""
    return StateKey(HERE, user)


def test_a_write_counts_from_the_moment_it_is_asked_for(tmp_path: Path) -> None:
    """An identify that was accepted is a fact, a delete that was met must not be sent past."""
    state = state_in(tmp_path)
    state.want(ANN, 1)

    assert {ANN} == state.identified([ANN, BOB])
    state.acknowledged(ANN, 1, 0)
    state.write_behind()
    assert {ANN} == state.store.known([ANN, BOB])
    state.want(ANN, None)
    assert set() == state.identified([ANN, BOB])


def test_a_write_that_is_tried_again_says_what_the_last_one_said(tmp_path: Path) -> None:
    """An identify whose record failed must not come back after the delete that followed it."""
    state = state_in(tmp_path)
    state.want(ANN, 1)
    state.want(ANN, None)

    assert state.wanted(ANN) is None
    state.acknowledged(ANN, None, 0)
    state.acknowledged(ANN, None, 1)
    state.write_behind()
    assert set() == state.store.known([ANN])
    assert 2 == state.store.next_offset


def test_a_gap_in_the_topic_is_read_by_the_next_tenure(tmp_path: Path) -> None:
    """Another member wrote between two of ours: how far the topic is followed stays below its record."""
    state = state_in(tmp_path)
    state.want(ANN, 1)
    state.acknowledged(ANN, 1, 0)
    state.want(BOB, 1)
    state.acknowledged(BOB, 1, 2)
    state.write_behind()
    state.store.close()

    assert 1 == opened(tmp_path).next_offset


def test_what_another_tenure_of_this_process_writes_is_learned(tmp_path: Path) -> None:
    """Its record was on its way when the partition left and came back."""
    state = state_in(tmp_path)
    state.learn(ANN, 1, 0)
    state.learn(BOB, 1, 1)
    state.learn(ANN, None, 2)

    assert {BOB} == state.identified([ANN, BOB])
    assert 3 == state.next_offset


def test_while_the_topic_is_read_the_store_says_nothing(tmp_path: Path) -> None:
    """An entry whose deletion lies ahead must not be believed; one's own writes are."""
    store = opened(tmp_path)
    write(store, (ANN, True), next_offset=1)
    store.close()
    state = state_in(tmp_path)
    state.restoring = True
    state.want(BOB, 1)

    assert {BOB} == state.identified([ANN, BOB])
    state.read(Slice({key(ANN): None}, next_offset=2, records=1))
    state.read(Slice(next_offset=2, at_end=True))
    state.write_behind()
    assert {BOB} == state.identified([ANN, BOB])
    assert set() == state.store.known([ANN])


def test_what_is_read_does_not_undo_what_is_being_written(tmp_path: Path) -> None:
    """A record of the past about a user whose newer record is on its way."""
    state = state_in(tmp_path)
    state.restoring = True
    state.want(ANN, None)
    state.read(Slice({key(ANN): 5}, next_offset=1, records=1, at_end=True))

    assert set() == state.identified([ANN])


def test_what_is_read_of_a_user_counts_when_the_write_on_its_way_fails(tmp_path: Path) -> None:
    """The file claims to have followed the topic so far, so it has to have taken all of it."""
    store = opened(tmp_path)
    write(store, (ANN, True), next_offset=1)
    store.close()
    state = state_in(tmp_path)
    state.restoring = True
    state.want(ANN, None)
    state.read(Slice({key(ANN): None}, next_offset=2, records=1, at_end=True))
    state.write_behind()
    state.store.close()
    later = opened(tmp_path)

    assert (2, set()) == (later.next_offset, later.known([ANN]))


def test_what_is_stored_is_what_the_topic_says_and_not_what_is_asked_for_by_now(tmp_path: Path) -> None:
    """A deletion is acknowledged, the identify behind it is not, and the partition leaves: the file is not ahead."""
    state = state_in(tmp_path)
    state.want(ANN, None)
    state.want(ANN, 7)
    state.acknowledged(ANN, None, 0)
    state.write_behind()

    assert {ANN} == state.identified([ANN])
    assert (1, set()) == (state.store.next_offset, state.store.known([ANN]))


def test_a_store_with_a_gap_in_what_it_has_followed_grows_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record of somebody else may be a deletion: the file must not outlive it unread."""
    clock = [1_000_000.0]
    monkeypatch.setattr(store_module, "_now_seconds", lambda: int(clock[0]))
    state = state_in(tmp_path)
    state.want(ANN, 1)
    state.acknowledged(ANN, 1, 5)
    clock[0] += DAY_SECONDS
    state.write_behind()
    state.store.close()

    assert set() == opened(tmp_path).known([ANN])


def test_other_destinations_are_kept_too(tmp_path: Path) -> None:
    """Going back to an earlier destination needs no reading of the whole topic."""
    state = state_in(tmp_path)
    state.restoring = True
    state.read(Slice({StateKey("another app", ANN): 5}, next_offset=1, records=1, at_end=True))
    state.write_behind()
    state.store.close()

    assert {ANN} == opened(tmp_path, "another app").known([ANN])


def test_what_is_left_out_are_users_and_never_deletions(tmp_path: Path) -> None:
    """The disk is full, and memory is short: that costs an introduction, and no track before its identify."""
    state = state_in(tmp_path)
    write(state.store, (ANN, True), next_offset=0)
    state.want(ANN, None)
    state.acknowledged(ANN, None, 0)
    state.learn(BOB, 1, 1)
    state.leave_out()

    assert set() == state.identified([ANN, BOB])
    state.write_behind()
    assert (set(), 2) == (state.store.known([ANN, BOB]), state.store.next_offset)


@pytest.mark.parametrize("whose", ["own", "another tenure's"])
def test_what_is_read_does_not_undo_what_was_written_behind_it(tmp_path: Path, whose: str) -> None:
    """A deletion is acknowledged while the topic is read, and the reader was told of the end before it: it stands."""
    state = state_in(tmp_path)
    state.restoring = True
    if whose == "own":
        state.want(ANN, None)
        state.acknowledged(ANN, None, 1)
    else:
        state.learn(ANN, None, 1)
    state.read(Slice({key(ANN): 5}, next_offset=1, records=1, at_end=True))

    assert set() == state.identified([ANN])
    assert 2 == state.next_offset


def test_what_is_read_behind_a_write_is_newer(tmp_path: Path) -> None:
    """Somebody else has written after us: the topic's last word counts."""
    state = state_in(tmp_path)
    state.restoring = True
    state.want(ANN, None)
    state.acknowledged(ANN, None, 1)
    state.read(Slice({key(ANN): 5}, next_offset=3, records=3, at_end=True))

    assert {ANN} == state.identified([ANN])
    assert 3 == state.next_offset
