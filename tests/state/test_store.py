"""The local store of identified users: it remembers, tells destinations and topics apart, and gives way."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.sequencing.events import User
from consumer.state import store as store_module
from consumer.state.inserts import TOGETHER_USERS_MIN
from consumer.state.records import StateKey
from tests.state.given_store import ANN, BOB, HERE, opened, write


def test_what_is_written_is_known_after_a_restart(tmp_path: Path) -> None:
    """An identified user is found again, one who was forgotten is not, and the count is right."""
    store = opened(tmp_path)
    write(store, (ANN, True), (BOB, True))
    write(store, (ANN, True), (BOB, False), next_offset=7)
    store.close()
    again = opened(tmp_path)

    assert {ANN} == again.known([ANN, BOB])
    assert 1 == again.users(0) == store.users(0)
    assert 7 == again.next_offset


def test_the_same_text_as_an_anonymous_id_is_another_user(tmp_path: Path) -> None:
    """A userId and an anonymousId do not share what is known."""
    store = opened(tmp_path)
    write(store, (ANN, True))

    assert set() == store.known([User("ann", anonymous=True)])


def test_an_entry_counts_only_for_its_destination(tmp_path: Path) -> None:
    """State made against one destination says nothing about another, and both are kept."""
    store = opened(tmp_path)
    store.take({StateKey(HERE, ANN): 1, StateKey("another app", BOB): 1}, 2, at_end=True)
    store.close()
    other = opened(tmp_path, "another app")

    assert {BOB} == other.known([ANN, BOB])
    assert 1 == other.users(0) == store.users(0)


def test_a_thousand_users_are_asked_for_at_once(tmp_path: Path) -> None:
    """More than one query's worth."""
    users = [User(f"u{n}") for n in range(1200)]
    store = opened(tmp_path)
    write(store, *((user, True) for user in users))

    assert set(users) == store.known(users)


MANY: set[tuple[str, bool]] = {
    *((str(number), False) for number in range(TOGETHER_USERS_MIN)),
    ("'\u2028\"\\", False),
    ("ann", True),
}
"""So many are inserted in one statement."""


@given(
    known=st.sets(st.tuples(st.text(max_size=3), st.booleans()), max_size=TOGETHER_USERS_MIN + 2),
    asked=st.sets(st.tuples(st.text(max_size=3), st.booleans()), max_size=5),
)
@example(known=MANY, asked={*MANY, ("0", True), ("x", False)})
@example(known=MANY | {("x\0", False)}, asked={*MANY, ("x", False), ("x\0", False)})
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

        assert {User(*one) for one in asked & known} == store.known(users)

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

    assert (None, set()) == (again.next_offset, again.known([ANN]))
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
    known = in_time.known([ANN])
    in_time.close()
    late = opened(tmp_path, age_seconds_max=3_500.0)

    assert {ANN} == known
    assert (None, set(), 0) == (late.next_offset, late.known([ANN]), late.users(0))


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
    store._database.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.OperationalError):
        store.take({StateKey(HERE, BOB): 1, StateKey("another app", BOB): 1}, 9, at_end=True)
    store._database.connection.execute("PRAGMA query_only = OFF")

    assert ({ANN}, 1, 7) == (store.known([ANN, BOB]), store.users(0), store.next_offset)
    store.take({StateKey(HERE, BOB): 1, StateKey("another app", BOB): 1}, 9, at_end=True)
    store.close()
    assert {BOB} == opened(tmp_path, "another app").known([ANN, BOB])


@pytest.mark.parametrize("column", ["next_offset", "at_seconds"])
def test_text_where_a_number_belongs_is_set_aside(tmp_path: Path, column: str) -> None:
    """Somebody has written into the file: it is renamed, counted and rebuilt."""
    store = opened(tmp_path)
    write(store, (ANN, True), next_offset=7)
    store.close()
    with sqlite3.connect(tmp_path / "identified-users-1.sqlite") as database:
        database.execute(f"UPDATE followed SET {column} = 'seven'")  # noqa: S608
    database.close()
    said: list[str] = []
    again = opened(tmp_path, set_aside=said.append)

    assert 1 == len(said)
    assert (None, set()) == (again.next_offset, again.known([ANN]))


def test_each_partition_has_its_own_copy_in_the_one_file(tmp_path: Path) -> None:
    """Who is identified in which, how far each has come, how many each has: also after a restart."""
    store = opened(tmp_path).following(1)
    write(store, (ANN, True), next_offset=7)
    store.take({StateKey(HERE, ANN): 1, StateKey(HERE, BOB): 1}, 9, number=1)
    store.close()
    again = opened(tmp_path)

    assert {ANN: [0, 1], BOB: [1]} == again.identified([ANN, BOB])
    assert (7, 9, None) == (again.follow(0), again.follow(1), again.follow(2))
    assert (1, 2, 0) == (again.users(0), again.users(1), again.users(2))


def test_what_is_kept_can_be_read_by_anyone(tmp_path: Path) -> None:
    """The view that the file's documentation names; what counts no longer is not in it."""
    store = opened(tmp_path).following(1)
    write(store, (ANN, True))
    store.take({StateKey(HERE, BOB): 1}, number=1)
    store.forget(1)
    store.take({StateKey("another app", User("b", anonymous=True)): 5}, number=1)
    store.close()
    with closing(sqlite3.connect(tmp_path / "identified-users-1.sqlite")) as anyone:
        rows = anyone.execute("SELECT partition, destination, user_id, anonymous, identified_at_ms FROM users")

        assert {(0, HERE, "ann", 0, 1000), (1, "another app", "b", 1, 5)} == set(rows)


def test_a_partition_that_is_forgotten_leaves_the_others_alone(tmp_path: Path) -> None:
    """It is read from its beginning, also after a restart; its rows are swept up bit by bit, and no other's."""
    store = opened(tmp_path).following(1)
    users = [User(f"u{number}") for number in range(store_module.SWEEP_ROWS + 10)]
    write(store, *((user, True) for user in users))
    store.take({StateKey(HERE, user): 1 for user in users}, number=1)
    store.forget(0)
    before = store.known(users)
    store.sweep()
    is_not_done = store.has_to_sweep
    store.close()
    again = opened(tmp_path)
    while again.has_to_sweep:
        again.sweep()
    (rows,) = again._database.connection.execute("SELECT count(*) FROM identified_users").fetchone()

    assert (set(), None, 0) == (before, again.next_offset, again.users(0))
    assert is_not_done
    assert (set(users), len(users)) == (again.known(users, 1), rows)


def test_a_copy_that_is_being_swept_up_is_never_half_believed(tmp_path: Path) -> None:
    """A crash in the midst: on disk it follows nothing any more before its first row goes."""
    store = opened(tmp_path)
    write(store, (ANN, True), next_offset=7)
    store.forget(0)
    store.sweep()
    store.close()

    assert opened(tmp_path).next_offset is None
