"""The file of the local store: it is found, locked, made and set aside, and is never in the way."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from consumer.sequencing.events import User
from consumer.state import database
from tests.state.given_store import ANN, BOB, opened, write


def test_a_locked_file_is_left_to_its_owner(tmp_path: Path) -> None:
    """A second process takes a file of its own, which is there after a restart, and changes nothing of the first's."""
    first = opened(tmp_path)
    write(first, (ANN, True))
    second = opened(tmp_path)
    write(second, (BOB, True))
    second.close()
    again = opened(tmp_path)

    assert {BOB} == again.known([ANN, BOB])
    assert {ANN} == first.known([ANN, BOB])
    assert [] == list(tmp_path.glob("*.unusable-*"))
    assert ["identified-users-1.sqlite", "identified-users-2.sqlite"] == sorted(
        path.name for path in tmp_path.glob("*.sqlite")
    )


def test_a_temporary_store_starts_again_as_a_temporary_one(tmp_path: Path) -> None:
    """There is no file to set aside."""
    (tmp_path / "file").write_text("in the way")
    said: list[str] = []
    store = opened(tmp_path / "file", set_aside=said.append)
    write(store, (ANN, True))
    store.start_again("damaged")

    assert [] == said
    assert set() == store.following().known([ANN])


def test_garbage_is_set_aside_and_the_store_starts_again(tmp_path: Path) -> None:
    """A file that is no database is renamed, and not deleted."""
    (tmp_path / "identified-users-1.sqlite").write_bytes(b"this is not a database" * 100)
    store = opened(tmp_path)
    write(store, (ANN, True))

    assert {ANN} == store.known([ANN])
    assert 1 == len(list(tmp_path.glob("*.unusable-*")))


def test_a_damaged_page_is_set_aside(tmp_path: Path) -> None:
    """A file whose header is right and whose tables are not is found out when it is opened."""
    store = opened(tmp_path)
    write(store, *((User(f"u{n}"), True) for n in range(2000)))
    store.close()
    path = tmp_path / "identified-users-1.sqlite"
    data = bytearray(path.read_bytes())
    data[4096:] = b"\x55" * (len(data) - 4096)
    path.write_bytes(data)
    store = opened(tmp_path)
    write(store, (ANN, True))

    assert {ANN} == store.known([ANN])
    assert 1 == len(list(tmp_path.glob("*.unusable-*")))


def test_another_program_s_database_is_set_aside(tmp_path: Path) -> None:
    """A sqlite file that is not ours is not written into."""
    with sqlite3.connect(tmp_path / "identified-users-1.sqlite") as foreign:
        foreign.execute("CREATE TABLE theirs (x)")
    foreign.close()
    opened(tmp_path).close()

    assert 1 == len(list(tmp_path.glob("*.unusable-*")))


@pytest.mark.parametrize("table", ["followed", "identified_users", "destinations", "state_topic"])
def test_a_store_without_one_of_its_tables_is_set_aside(tmp_path: Path, table: str) -> None:
    """That is no full disk, which would be given way to at every start."""
    opened(tmp_path).close()
    with sqlite3.connect(tmp_path / "identified-users-1.sqlite") as database:
        database.execute(f"DROP TABLE {table}")
    database.close()
    said: list[str] = []
    again = opened(tmp_path, set_aside=said.append)
    write(again, (ANN, True))
    again.close()

    assert 1 == len(said)
    assert {ANN} == opened(tmp_path).known([ANN])


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    """Nothing was lost with it, so nothing is said."""
    (tmp_path / "identified-users-1.sqlite").touch()
    said: list[str] = []
    store = opened(tmp_path, set_aside=said.append)
    write(store, (ANN, True))
    store.close()

    assert [] == said
    assert {ANN} == opened(tmp_path).known([ANN])


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
            for file in tmp_path.glob("identified-users-1.sqlite*"):
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
    assert [{ANN}] * len(images) == [opened(image).known([ANN]) for image in images]


def test_a_folder_that_cannot_be_made_means_a_temporary_store(tmp_path: Path) -> None:
    """Work goes on without the folder."""
    (tmp_path / "file").write_text("in the way")
    store = opened(tmp_path / "file")
    write(store, (ANN, True))

    assert {ANN} == store.known([ANN])


def test_a_disk_that_fills_up_when_a_store_starts_again_means_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The damaged file is out of the way, the new one can't be written: work goes on."""
    store = opened(tmp_path)
    write(store, (ANN, True))
    lock = database._lock

    def made_full(path: Path) -> sqlite3.Connection:
        connection = lock(path)
        connection.execute("PRAGMA query_only = ON")
        return connection

    monkeypatch.setattr(database, "_lock", made_full)
    store.start_again("damaged")
    write(store.following(), (BOB, True))

    assert {BOB} == store.known([ANN, BOB])


def test_files_of_an_earlier_version_are_removed(tmp_path: Path) -> None:
    """They had a partition each, and the topic has it all. Not one that is in use, nor what is not ours."""
    names = ["events-0.sqlite", "events-1.sqlite", "events-2.sqlite", "events-x.sqlite", "others-0.sqlite"]
    for name in names:
        with closing(sqlite3.connect(tmp_path / name)) as earlier, earlier:
            earlier.execute(f"PRAGMA application_id = {0 if name == names[2] else database.APPLICATION_ID}")
            earlier.execute("PRAGMA user_version = 2")
            earlier.execute("CREATE TABLE identified_users (x)")
    with closing(sqlite3.connect(tmp_path / names[1])) as in_use:
        in_use.execute("BEGIN IMMEDIATE")
        database.remove_file_a_partition(tmp_path, "events")

    assert names[1:] == sorted(path.name for path in tmp_path.glob("*.sqlite"))
