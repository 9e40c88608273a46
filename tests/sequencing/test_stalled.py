"""Lanes that may not send, since their partition waits for a commit or for its lease, cost nothing each turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from consumer.sequencing.events import User
from consumer.sequencing.ready import ReadyLanes
from tests.sequencing.given_sequencer import ERROR, OK, P0, Bench

USERS = [User(f"u{number}") for number in range(20)]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A number for each lane that is looked at."""
    taken: list[int] = []
    pop = ReadyLanes.pop

    def counted(self: ReadyLanes) -> object:
        taken.append(len(taken))
        return pop(self)

    monkeypatch.setattr(ReadyLanes, "pop", counted)
    return taken


def with_tracks(**rules: Any) -> Bench:
    """A bench with a track of each user."""
    bench = Bench(**rules)
    for offset, user in enumerate(USERS):
        bench.fetch(offset, "track", user=user, known=True)
    return bench


def without_a_lease(bench: Bench) -> None:
    """The group has not answered for long."""
    bench.assignment.leased_at = -1000.0


def without_a_budget(bench: Bench) -> None:
    """So much is sent and not committed that nothing more may be sent, but by who holds up the commits."""
    bench.sequencer.budget._silent = {P0}
    bench.sequencer.budget._share = 0
    bench.sequencer.budget._look_at = 1000.0


def without_a_commit(bench: Bench) -> None:
    """And there is something to commit, so that nobody holds them up."""
    without_a_budget(bench)
    bench.assignment.offsets._finished_count += 1


@pytest.mark.parametrize("hindered", [without_a_lease, without_a_commit])
def test_what_may_not_send_is_looked_at_once(hindered: Callable[[Bench], None], taken: list[int]) -> None:
    """With 200,000 of them each turn would take half a second."""
    bench = with_tracks(lease_seconds=30.0)
    hindered(bench)
    sent = [bench.sent(now=float(turn)) for turn in range(5)]

    assert [[]] * 5 == sent
    assert len(USERS) == len(taken)


def test_all_go_when_the_lease_is_back(taken: list[int]) -> None:
    """In their order, and no sooner."""
    bench = with_tracks(lease_seconds=30.0)
    without_a_lease(bench)
    assert [[], []] == [bench.sent(now=1.0), bench.sent(now=2.0)]
    bench.assignment.leased_at = 2.5
    sent = bench.sent(now=3.0)

    assert [f"events {offset} of {user.id}" for offset, user in enumerate(USERS)][2:] == [
        one for one in sent if one.endswith(tuple(f" of {user.id}" for user in USERS[2:]))
    ]
    assert (len(USERS), 2 * len(USERS)) == (len(sent), len(taken))


def test_who_holds_up_the_commits_goes_as_soon_as_all_before_is_committed() -> None:
    """Nothing else of the partition can be committed; a lane that was looked at before is looked at again."""
    bench = with_tracks(in_flight_max=2)
    first_two = bench.sent()
    without_a_budget(bench)
    bench.answer(OK)
    held = bench.sent(now=1.0)
    bench.answer(OK)
    bench.assignment.offsets.committed(bench.assignment.offsets.commit_point())
    then = bench.sent(now=2.0)

    assert ["events 0", "events 1"] == [one.partition(" of ")[0] for one in first_two]
    assert [] == held
    assert ["events 2"] == [one.partition(" of ")[0] for one in then]


def test_all_go_when_the_budget_has_room_again() -> None:
    """Also where nothing of the partition itself has changed."""
    bench = with_tracks()
    without_a_commit(bench)
    before = bench.sent(now=1.0)
    bench.sequencer.budget._silent = set()

    assert (0, len(USERS)) == (len(before), len(bench.sent(now=2.0)))


def test_who_was_held_up_for_a_moment_goes_though_all_is_again_as_others_found_it() -> None:
    """A process that is stopped between two steps of a turn loses its lease, and has it back before it looks."""
    bench = with_tracks(lease_seconds=30.0, in_flight_max=1)
    bench.assignment.leased_at = 0.0
    assert ["events 0 of u0"] == bench.sent()
    without_a_budget(bench)
    bench.answer(ERROR)
    assert [] == bench.sent(now=0.1)  # the others wait for what u0's event holds up
    bench.sequencer.tick(10.0)
    without_a_lease(bench)
    assert bench.sequencer.next_delivery(10.0) is None
    bench.assignment.leased_at = 10.5

    assert ["events 0 of u0"] == bench.sent(now=11.0)
