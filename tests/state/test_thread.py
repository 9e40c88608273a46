"""The state's thread, one step at a time and without a broker: its turns are fair, and nothing is kept of replays."""

from __future__ import annotations

import pytest

from consumer.ports.inputs import LookedUp, StateWritten
from consumer.sequencing.actions import Forget, Remember
from consumer.state import thread as state_thread
from tests.state.given_store import ANN
from tests.state.given_thread import P0, P1, REPLAY, Steps, lane, opened, tenure, told


def test_of_a_replay_nothing_is_kept() -> None:
    """The user's own partition may be another member's, whose deletions nobody would hear of here."""
    states = Steps()
    states.open(tenure(REPLAY))
    remembering = lane(REPLAY)
    states.write([Remember(remembering)])
    posted = states.step()
    states.look_up({REPLAY: [ANN]})
    answers = [item.identified for item in states.step() if isinstance(item, LookedUp)]

    assert [REPLAY] == opened(posted)
    assert [[remembering]] == [item.lanes for item in posted if isinstance(item, StateWritten)]
    assert [] == states.topic.records
    assert [{REPLAY: set()}] == answers


def test_a_replayed_event_s_user_is_looked_for_in_the_partitions_of_the_source() -> None:
    """And a replayed deletion reaches them."""
    states = Steps()
    states.open(tenure(REPLAY))
    states.open(tenure(P1))
    states.write([Remember(lane(P1))])
    states.step()
    states.look_up({REPLAY: [ANN]})
    before = [item.identified for item in states.step() if isinstance(item, LookedUp)]
    forgetting = lane(REPLAY)
    states.write([Forget(forgetting)])
    written = told(states.step())
    states.look_up({P1: [ANN]})
    after = [item.identified for item in states.step() if isinstance(item, LookedUp)]

    assert [{REPLAY: {ANN}}] == before
    assert [[forgetting]] == written
    assert [{P1: set()}] == after


def test_restores_and_writes_do_not_starve_behind_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look-up brings the next: the partition that is opened behind the first is ready all the same."""
    monkeypatch.setattr(state_thread, "ASKED_SECONDS", 0.001)
    states = Steps()

    def ask_without_end() -> None:
        states._look_up({P1: [ANN]})
        states._work.put(ask_without_end)

    ask_without_end()
    states.open(tenure(P0))
    states._turn()
    states.write([Remember(lane(P0))])
    states._turn()
    states._turn()

    assert [P0] == opened(states.posted)
    assert 1 == len(told(states.posted))
