"""The local store of identified users: it remembers, tells destinations apart, and gives way."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from consumer.events import User
from consumer.state import Store, _write

HERE = "https://api.customfit.ai/v1/cfe"
ANN, BOB = User("ann"), User("bob")


def opened(folder: Path, destination: str = HERE) -> Store:
    """The store of one partition in this folder."""
    return Store(folder / "segment-events-0.sqlite", destination)


def test_what_is_written_is_known_after_a_restart(tmp_path: Path) -> None:
    """An identified user is found again, one who was forgotten is not, and the count is right."""
    store = opened(tmp_path)
    store.write([(ANN, True), (BOB, True), (ANN, True), (BOB, False)])
    store.close()
    again = opened(tmp_path)

    assert {ANN} == again.identified([ANN, BOB])
    assert 1 == again.users


def test_the_same_text_as_an_anonymous_id_is_another_user(tmp_path: Path) -> None:
    """A userId and an anonymousId do not share what is known."""
    store = opened(tmp_path)
    store.write([(ANN, True)])

    assert set() == store.identified([User("ann", anonymous=True)])


def test_an_entry_counts_only_for_its_destination(tmp_path: Path) -> None:
    """State made against one destination says nothing about another."""
    store = opened(tmp_path)
    store.write([(ANN, True)])
    store.close()

    assert set() == opened(tmp_path, "another app").identified([ANN])


def test_a_thousand_users_are_asked_for_at_once(tmp_path: Path) -> None:
    """More than one query's worth."""
    users = [User(f"u{n}") for n in range(1200)]
    store = opened(tmp_path)
    store.write([(user, True) for user in users])

    assert set(users) == store.identified(users)


def test_a_locked_file_is_left_to_its_owner(tmp_path: Path) -> None:
    """A second process works from memory and changes nothing of the first's."""
    first = opened(tmp_path)
    first.write([(ANN, True)])
    second = opened(tmp_path)
    second.write([(BOB, True)])

    assert {BOB} == second.identified([ANN, BOB])
    assert {ANN} == first.identified([ANN, BOB])


def test_garbage_is_set_aside_and_the_store_starts_anew(tmp_path: Path) -> None:
    """A file that is no database is renamed, and not deleted."""
    (tmp_path / "segment-events-0.sqlite").write_bytes(b"this is not a database" * 100)
    store = opened(tmp_path)
    store.write([(ANN, True)])

    assert {ANN} == store.identified([ANN])
    assert 1 == len(list(tmp_path.glob("*.unusable-*")))


def test_a_damaged_page_is_set_aside(tmp_path: Path) -> None:
    """A file whose header is right and whose tables are not is found out when it is opened."""
    store = opened(tmp_path)
    store.write([(User(f"u{n}"), True) for n in range(2000)])
    store.close()
    path = tmp_path / "segment-events-0.sqlite"
    data = bytearray(path.read_bytes())
    data[4096:] = b"\x55" * (len(data) - 4096)
    path.write_bytes(data)
    store = opened(tmp_path)
    store.write([(ANN, True)])

    assert {ANN} == store.identified([ANN])
    assert 1 == len(list(tmp_path.glob("*.unusable-*")))


def test_another_program_s_database_is_set_aside(tmp_path: Path) -> None:
    """A sqlite file that is not ours is not written into."""
    with sqlite3.connect(tmp_path / "segment-events-0.sqlite") as foreign:
        foreign.execute("CREATE TABLE theirs (x)")
    foreign.close()
    opened(tmp_path).close()

    assert 1 == len(list(tmp_path.glob("*.unusable-*")))


def test_a_folder_that_cannot_be_made_means_memory(tmp_path: Path) -> None:
    """Work goes on without the disk."""
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file" / "segment-events-0.sqlite", HERE)
    store.write([(ANN, True)])

    assert {ANN} == store.identified([ANN])


def test_a_user_who_cannot_be_forgotten_takes_the_store_out_of_use(tmp_path: Path) -> None:
    """When the delete can't be written, nobody is known any more: here at once, and after the next start as well."""
    store = opened(tmp_path)
    store.write([(ANN, True), (BOB, True)])
    store._database.execute("PRAGMA query_only = ON")  # every write fails from here on, as on a full disk
    problem = _write(store, [(ANN, False)])

    assert problem is not None
    assert set() == store.identified([ANN, BOB])
    store.close()
    assert set() == opened(tmp_path).identified([ANN, BOB])


def test_a_user_who_cannot_be_remembered_costs_the_others_nothing(tmp_path: Path) -> None:
    """A write that only adds may fail: what was known stays known."""
    store = opened(tmp_path)
    store.write([(ANN, True)])
    store._database.execute("PRAGMA query_only = ON")
    problem = _write(store, [(BOB, True)])

    assert problem is not None
    assert {ANN} == store.identified([ANN, BOB])
