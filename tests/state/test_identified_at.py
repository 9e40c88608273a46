"""Since when a user is identified, for people: by the store and by what is newer, of partitions that can say."""

from __future__ import annotations

from pathlib import Path

from consumer.sequencing.events import User
from consumer.state.records import SOURCE_TOPIC, StateKey
from tests.state.given_store import ANN, BOB, HERE, opened, state_in

ELSEWHERE = "eu"


def test_the_store_says_it_of_every_destination_and_partition(tmp_path: Path) -> None:
    """An anonymousId of the same text is another user; entries of topics are no users."""
    store = opened(tmp_path)
    store.follow(1)
    store.take({StateKey(HERE, ANN): 1_000, StateKey(ELSEWHERE, ANN): 2_000, StateKey(HERE, BOB): 3_000})
    store.take({StateKey(HERE, ANN): 4_000, StateKey(f"{SOURCE_TOPIC}t", ANN): 5}, number=1)

    assert {HERE: {0: 1_000, 1: 4_000}, ELSEWHERE: {0: 2_000}} == store.identified_at(ANN)
    assert {} == store.identified_at(User("ann", anonymous=True))


def test_rows_of_a_copy_that_does_not_count_say_nothing(tmp_path: Path) -> None:
    """They are on disk until they are swept up."""
    store = opened(tmp_path)
    store.take({StateKey(HERE, ANN): 1_000})
    store.forget(0)

    assert {} == store.identified_at(ANN)


def test_what_is_newer_than_the_store_counts(tmp_path: Path) -> None:
    """On its way to the topic; and in the topic, on its way to the store; a deletion, too."""
    state = state_in(tmp_path)
    state.want(ANN, 7_000)
    on_its_way = state.index.identified_at(ANN)
    state.acknowledged(ANN, 7_000, 0)
    in_the_topic = state.index.identified_at(ANN)
    state.write_behind()
    stored = state.index.identified_at(ANN)
    state.want(ANN, None)

    assert [{HERE: {0: 7_000}}] * 3 == [on_its_way, in_the_topic, stored]
    assert {} == state.index.identified_at(ANN)


def test_a_partition_that_is_being_read_says_nothing_yet(tmp_path: Path) -> None:
    """A deletion may come."""
    state = state_in(tmp_path)
    state.want(ANN, 7_000)
    state.acknowledged(ANN, 7_000, 0)
    state.write_behind()
    state.restoring = True

    assert {} == state.index.identified_at(ANN)
