"""The store follows the topic: some partitions at a time, while the disk is full, and when the file is damaged."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from consumer.ports.inputs import Input, LookedUp, StateOpened, StateProblem
from consumer.sequencing.actions import Remember
from consumer.sequencing.events import Partition, User
from consumer.state.write_behind import PARTITIONS_MAX, UNSTORED_USERS_MAX
from tests.state.given_store import ANN, BOB
from tests.state.given_thread import P0, P1, SOURCE, Steps, lane, opened, tenure


def answers(states: Steps, *users: User) -> set[User]:
    """Who of them is identified in the first partition, or elsewhere."""
    states.look_up({P0: users})
    (found,) = [item.identified for item in states.step() if isinstance(item, LookedUp)]
    return found[P0]


def kinds(posted: list[Input]) -> set[str]:
    """Of the problems."""
    return {item.kind for item in posted if isinstance(item, StateProblem)}


def identified(partitions: int) -> Steps:
    """A user is identified in each partition, and no store has it yet."""
    states = Steps(partitions)
    ours = [Partition(SOURCE, number) for number in range(partitions)]
    for partition in ours:
        states.open(tenure(partition))
    states.step()
    states._write_behind._store_at = float("inf")
    states.write([Remember(lane(partition, User(f"u{partition.number}"))) for partition in ours])
    states.step()
    return states


def test_many_partitions_are_stored_some_at_a_time() -> None:
    """Look-ups wait for a slice, not for all; in the end the store has every user."""
    states = identified(2 * PARTITIONS_MAX + 1)
    store, sizes = states._index.store, []
    states._write_behind._store_at = 0.0
    for _ in range(3):
        states._write_behind.slice(time.monotonic())
        sizes.append(sum(store.users(number) for number in states._index.states))

    assert [PARTITIONS_MAX, 2 * PARTITIONS_MAX, 2 * PARTITIONS_MAX + 1] == sizes
    assert states._write_behind.next_due() > time.monotonic()


def test_a_full_disk_costs_introductions_at_the_most() -> None:
    """While the file can't be written, memory is bounded by leaving out users, over all partitions; it is told."""
    states = identified(2)
    state = states._index.states[0]
    store = states._index.store
    for number in range(UNSTORED_USERS_MAX):
        state.learn(User(f"v{number}"), 1, number + 1)
    store._database.connection.execute("PRAGMA query_only = ON")
    states._write_behind._store_at = 0.0
    states._write_behind.slice(time.monotonic())
    problems = kinds(states.step())
    unstored = sum(one.unstored for one in states._index.states.values())
    store._database.connection.execute("PRAGMA query_only = OFF")

    assert ({"not_stored"}, 0) == (problems, unstored)
    assert set() == answers(states, User("v1"), User("u1"))


def test_a_damaged_file_is_set_aside_and_all_partitions_are_read_again(tmp_path: Path) -> None:
    """It is found out in a look-up; afterwards the new file takes what is written."""
    states = Steps(folder=str(tmp_path))
    for partition in (P0, P1):
        states.open(tenure(partition))
    states.write([Remember(lane(P0))])
    states.step()
    states._write_behind.store(list(states._index.states.values()))
    states._start_again("damaged")
    states.write([Remember(lane(P1, BOB))])
    posted = states.step()

    assert {P0, P1} == set(opened(posted))
    assert {"set_aside"} == kinds(posted)
    assert {BOB} == answers(states, ANN, BOB)
    assert 1 == len(list(tmp_path.rglob("*.unusable-*")))


def test_a_copy_that_is_ahead_of_its_topic_is_left_out_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other partitions keep what they have, and the file stays."""
    states = identified(2)
    reader = states._restores.reader
    states._write_behind.store(list(states._index.states.values()))
    states.close(P0)
    states.step()
    states.open(tenure(P0))
    states._work.get_nowait()()
    first = reader.read

    def ahead(now: float) -> object:
        slices, problems = first(now)
        slices[0].out_of_range = True
        monkeypatch.setattr(reader, "read", first)
        return slices, problems

    monkeypatch.setattr(reader, "read", ahead)
    states._work.put(lambda: None)
    posted = states.step()
    states._work.put(lambda: None)
    again = states.step()

    assert ({"set_aside"}, []) == (kinds(posted), opened(posted))
    assert [0] == [item.users for item in again if isinstance(item, StateOpened)]
    assert {User("u1")} == answers(states, User("u0"), User("u1"))
