"""The local store of identified users: it remembers, tells destinations and topics apart, and gives way."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.sequencing.events import User
from consumer.state import store as store_module
from consumer.state.records import StateKey
from tests.state.given_store import ANN, BOB, HERE, opened, write


def test_what_is_written_is_known_after_a_restart(tmp_path: Path) -> None:
    """An identified user is found again, one who was forgotten is not, and the count is right."""
    store = opened(tmp_path)
    write(store, (ANN, True), (BOB, True))
    write(store, (ANN, True), (BOB, False), next_offset=7)
    store.close()
    again = opened(tmp_path)

    assert {ANN} == again.identified([ANN, BOB])
    assert 1 == again.users == store.users
    assert 7 == again.next_offset


def test_the_same_text_as_an_anonymous_id_is_another_user(tmp_path: Path) -> None:
    """A userId and an anonymousId do not share what is known."""
    store = opened(tmp_path)
    write(store, (ANN, True))

    assert set() == store.identified([User("ann", anonymous=True)])


def test_an_entry_counts_only_for_its_destination(tmp_path: Path) -> None:
    """State made against one destination says nothing about another, and both are kept."""
    store = opened(tmp_path)
    store.write({StateKey(HERE, ANN): 1, StateKey("another app", BOB): 1}, 2, at_end=True)
    store.close()
    other = opened(tmp_path, "another app")

    assert {BOB} == other.identified([ANN, BOB])
    assert 1 == other.users == store.users


def test_a_thousand_users_are_asked_for_at_once(tmp_path: Path) -> None:
    """More than one query's worth."""
    users = [User(f"u{n}") for n in range(1200)]
    store = opened(tmp_path)
    write(store, *((user, True) for user in users))

    assert set(users) == store.identified(users)


@given(
    known=st.sets(st.tuples(st.text(max_size=3), st.booleans()), max_size=5),
    asked=st.sets(st.tuples(st.text(max_size=3), st.booleans()), max_size=5),
)
@example(known={("u1", False)}, asked={("u1\0", False), ("u1\0\0x", False), ("u1", True), ("\0", False), ("", False)})
@example(known={("u1\0", False), ('\u2028"\\', True)}, asked={("u1\0", False), ("u1", False), ('\u2028"\\', True)})
def test_those_are_found_who_were_written_whatever_their_ids_are_made_of(
    known: set[tuple[str, bool]], asked: set[tuple[str, bool]]
) -> None:
    """An id is compared as a whole: with a NUL, quotes, emoji."""
    with tempfile.TemporaryDirectory() as folder:
        store = opened(Path(folder))
        write(store, *((User(*one), True) for one in known))
        users = [User(*one) for one in asked]

        assert {User(*one) for one in asked & known} == store.identified(users)

        store.close()


def test_a_new_store_reads_its_topic_from_the_beginning(tmp_path: Path) -> None:
    """It follows nothing yet, also after a restart."""
    opened(tmp_path).close()

    assert opened(tmp_path).next_offset is None


def test_a_store_of_another_topic_is_set_aside(tmp_path: Path) -> None:
    """Another cluster's offsets say nothing of this one's."""
    store = opened(tmp_path)
    write(store, (ANN, True), next_offset=7)
    store.close()
    said: list[str] = []
    again = opened(tmp_path, topic="topic g.identified-users of cluster d", set_aside=said.append)

    assert (None, set()) == (again.next_offset, again.identified([ANN]))
    assert 1 == len(said)
    assert 1 == len(list(tmp_path.glob("*.unusable-*")))


def test_a_store_that_may_have_missed_a_deletion_is_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic drops deletions after a while; a store that was out of use for longer starts from nothing."""
    store = opened(tmp_path)
    write(store, (ANN, True), next_offset=7)
    store.close()
    later = time.time() + 3_600.0
    monkeypatch.setattr(time, "time", lambda: later)
    in_time, late = opened(tmp_path, age_seconds_max=3_700.0), None
    known = in_time.identified([ANN])
    in_time.close()
    late = opened(tmp_path, age_seconds_max=3_500.0)

    assert {ANN} == known
    assert (None, set(), 0) == (late.next_offset, late.identified([ANN]), late.users)


def test_a_store_from_the_future_is_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that was set back says nothing about how old the store is."""
    store = opened(tmp_path)
    write(store, (ANN, True), next_offset=7)
    store.close()
    earlier = time.time() - 3_600.0
    monkeypatch.setattr(time, "time", lambda: earlier)

    assert opened(tmp_path).next_offset is None


def test_reading_the_tail_does_not_make_a_store_younger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the end of the topic is not reached, deletions that lie ahead may be as old as the last end was."""
    store = opened(tmp_path)
    write(store, (ANN, True), next_offset=7)
    later = time.time() + 3_600.0
    monkeypatch.setattr(time, "time", lambda: later)
    write(store, (BOB, True), next_offset=9, at_end=False)
    store.close()
    again = opened(tmp_path, age_seconds_max=3_500.0)

    assert again.next_offset is None


def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    """All or none, the offset included; and a new destination's number is not used before it is really there."""
    store = opened(tmp_path)
    write(store, (ANN, True), next_offset=7)
    store._database.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.OperationalError):
        store.write({StateKey(HERE, BOB): 1, StateKey("another app", BOB): 1}, 9, at_end=True)
    store._database.execute("PRAGMA query_only = OFF")

    assert ({ANN}, 1, 7) == (store.identified([ANN, BOB]), store.users, store.next_offset)
    store.write({StateKey(HERE, BOB): 1, StateKey("another app", BOB): 1}, 9, at_end=True)
    store.close()
    assert {BOB} == opened(tmp_path, "another app").identified([ANN, BOB])


def test_a_locked_file_is_left_to_its_owner(tmp_path: Path) -> None:
    """A second process works with a temporary one and changes nothing of the first's."""
    first = opened(tmp_path)
    write(first, (ANN, True))
    second = opened(tmp_path)
    write(second, (BOB, True))
    second.start_again("damaged")

    assert set() == second.identified([ANN, BOB])
    assert {ANN} == first.identified([ANN, BOB])
    assert [] == list(tmp_path.glob("*.unusable-*"))


def test_garbage_is_set_aside_and_the_store_starts_again(tmp_path: Path) -> None:
    """A file that is no database is renamed, and not deleted."""
    (tmp_path / "segment-events-0.sqlite").write_bytes(b"this is not a database" * 100)
    store = opened(tmp_path)
    write(store, (ANN, True))

    assert {ANN} == store.identified([ANN])
    assert 1 == len(list(tmp_path.glob("*.unusable-*")))


def test_a_damaged_page_is_set_aside(tmp_path: Path) -> None:
    """A file whose header is right and whose tables are not is found out when it is opened."""
    store = opened(tmp_path)
    write(store, *((User(f"u{n}"), True) for n in range(2000)))
    store.close()
    path = tmp_path / "segment-events-0.sqlite"
    data = bytearray(path.read_bytes())
    data[4096:] = b"\x55" * (len(data) - 4096)
    path.write_bytes(data)
    store = opened(tmp_path)
    write(store, (ANN, True))

    assert {ANN} == store.identified([ANN])
    assert 1 == len(list(tmp_path.glob("*.unusable-*")))


def test_another_program_s_database_is_set_aside(tmp_path: Path) -> None:
    """A sqlite file that is not ours is not written into."""
    with sqlite3.connect(tmp_path / "segment-events-0.sqlite") as foreign:
        foreign.execute("CREATE TABLE theirs (x)")
    foreign.close()
    opened(tmp_path).close()

    assert 1 == len(list(tmp_path.glob("*.unusable-*")))


@pytest.mark.parametrize("column", ["next_offset", "at_seconds"])
def test_text_where_a_number_belongs_is_set_aside(tmp_path: Path, column: str) -> None:
    """Somebody has written into the file: it is renamed, counted and rebuilt."""
    store = opened(tmp_path)
    write(store, (ANN, True), next_offset=7)
    store.close()
    with sqlite3.connect(tmp_path / "segment-events-0.sqlite") as database:
        database.execute(f"UPDATE followed SET {column} = 'seven'")  # noqa: S608
    database.close()
    said: list[str] = []
    again = opened(tmp_path, set_aside=said.append)

    assert 1 == len(said)
    assert (None, set()) == (again.next_offset, again.identified([ANN]))


@pytest.mark.parametrize("table", ["followed", "identified_users", "destinations"])
def test_a_store_without_one_of_its_tables_is_set_aside(tmp_path: Path, table: str) -> None:
    """That is no full disk, which would be given way to at every start."""
    opened(tmp_path).close()
    with sqlite3.connect(tmp_path / "segment-events-0.sqlite") as database:
        database.execute(f"DROP TABLE {table}")
    database.close()
    said: list[str] = []
    again = opened(tmp_path, set_aside=said.append)
    write(again, (ANN, True))
    again.close()

    assert 1 == len(said)
    assert {ANN} == opened(tmp_path).identified([ANN])


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    """Nothing was lost with it, so nothing is said."""
    (tmp_path / "segment-events-0.sqlite").touch()
    said: list[str] = []
    store = opened(tmp_path, set_aside=said.append)
    write(store, (ANN, True))
    store.close()

    assert [] == said
    assert {ANN} == opened(tmp_path).identified([ANN])


def test_a_kill_while_a_store_is_made_leaves_one_that_is_taken_as_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies on the disk before each statement is opened again: never is it called damaged."""
    images: list[Path] = []
    connect = sqlite3.connect

    def traced(path: Path, **options: Any) -> sqlite3.Connection:
        def copy(_statement: str) -> None:
            images.append(tmp_path / f"image-{len(images)}")
            images[-1].mkdir()
            for file in tmp_path.glob("segment-events-0.sqlite*"):
                shutil.copy(file, images[-1])

        database: sqlite3.Connection = connect(path, **options)
        database.set_trace_callback(copy)
        return database

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", traced)
        opened(tmp_path).close()
    said: list[str] = []
    for image in images:
        store = opened(image, set_aside=said.append)
        write(store, (ANN, True))
        store.close()

    assert len(images) > 10
    assert [] == said
    assert [{ANN}] * len(images) == [opened(image).identified([ANN]) for image in images]


def test_a_folder_that_cannot_be_made_means_a_temporary_store(tmp_path: Path) -> None:
    """Work goes on without the folder."""
    (tmp_path / "file").write_text("in the way")
    store = opened(tmp_path / "file")
    write(store, (ANN, True))

    assert {ANN} == store.identified([ANN])


def test_a_disk_that_fills_up_when_a_store_starts_again_means_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The damaged file is out of the way, the new one can't be written: work goes on."""
    store = opened(tmp_path)
    write(store, (ANN, True))
    make = store_module._open

    def made_full(path: Path, move_aside: Callable[[str], None]) -> sqlite3.Connection:
        database = make(path, move_aside)
        database.execute("PRAGMA query_only = ON")
        return database

    monkeypatch.setattr(store_module, "_open", made_full)
    store.start_again("damaged")
    write(store, (BOB, True))

    assert {BOB} == store.identified([ANN, BOB])
