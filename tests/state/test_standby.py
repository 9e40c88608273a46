"""Following other members' partitions: what the file's copies of them are trusted for, and who comes first."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from consumer.ports.inputs import LookedUp, StateFixed, StateOpened, StateProblem
from consumer.ports.state_figures import StandbyFigures
from consumer.sequencing.actions import Remember
from consumer.sequencing.events import Partition, User
from consumer.state import standby as state_standby
from consumer.state import store as state_store
from tests.state.given_standby import Member, part
from tests.state.given_store import ANN, BOB
from tests.state.given_thread import NO_FOLDER, P0, P1, SOURCE, Steps, lane, opened, tenure

NOBODY: set[User] = set()


def problems(posted: list[object]) -> list[str]:
    """The kinds of problems among what was posted."""
    return [item.kind for item in posted if isinstance(item, StateProblem)]


def test_without_it_nothing_is_followed(tmp_path: Path) -> None:
    """No thread, no client, no figure."""
    states = Steps(folder=str(tmp_path))

    assert states._standby is None
    assert states.figures().standby is None


def test_all_partitions_are_followed_but_ours(tmp_path: Path) -> None:
    """Each from where its copy in the file ends, here from the beginning; also those that the topic gets later."""
    member = Member(tmp_path)
    at_first = sorted(member.wanted)
    member.open(tenure(P0))
    member.step()
    beside_ours = sorted(member.wanted)
    member.standby.topic_has(4)

    assert member.follower.is_started
    assert ([0, 1], [1], [1, 2, 3]) == (at_first, beside_ours, sorted(member.wanted))
    assert {None} == {following.offset for following in member.wanted.values()}


def test_who_is_followed_counts_when_the_partition_is_ours(tmp_path: Path) -> None:
    """Not before, as a later record may say otherwise; then only what lies behind is read."""
    member = Member(tmp_path)
    member.open(tenure(P0))
    member.step()
    member.reads({member.wanted[1]: part((ANN, True), (BOB, True), next_offset=7)})
    member.look_up({P0: [ANN]})
    (before,) = [item.identified for item in member.step() if isinstance(item, LookedUp)]
    member.open(tenure(P1))
    (at_opening,) = [item.users for item in member.step() if isinstance(item, StateOpened)]
    member.look_up({P1: [ANN]})
    (after,) = [item.identified for item in member.step() if isinstance(item, LookedUp)]

    assert ({P0: NOBODY}, {P1: {ANN}}) == (before, after)
    assert (2, (1, 7)) == (at_opening, member.restoring.starts[-1])
    assert StandbyFigures(partitions=0, behind_records=0, records=2) == member.figures().standby


def test_nothing_is_written_that_was_followed_of_a_partition_that_is_ours(tmp_path: Path) -> None:
    """What the follower had in hand comes late: our own restore reads it."""
    member = Member(tmp_path)
    late = member.wanted[0]
    member.open(tenure(P0))
    member.step()
    member.reads({late: part((ANN, True), next_offset=9)})

    assert (NOBODY, 0) == member.followed(0)
    assert 1 == member.follower.times_taken


def test_a_partition_that_leaves_is_followed_from_where_our_own_copy_ends(tmp_path: Path) -> None:
    """All that we knew of it is in the file by then; what was read before it was ours counts no more."""
    member = Member(tmp_path)
    first = member.wanted[0]
    member.open(tenure(P0))
    member.step()
    member.write([Remember(lane(P0))])
    member.step()
    member.close(P0)
    member.step()
    again = member.wanted[0]
    member.reads({first: part((BOB, True), next_offset=50)})
    stored = member.followed(0)
    member.open(tenure(P0))
    member.step()

    assert (None, 1) == (first.offset, again.offset)
    assert ({ANN}, 1) == stored
    assert (0, 1) == member.restoring.starts[-1]


def test_deletions_and_other_destinations_are_followed_too(tmp_path: Path) -> None:
    """As they are restored: who is forgotten is gone, and an entry counts for its own destination."""
    member = Member(tmp_path)
    following = member.wanted[0]
    elsewhere = part(next_offset=4)
    elsewhere.changes[next(iter(part((BOB, True), next_offset=0).changes))._replace(destination="elsewhere")] = 1
    member.reads({following: part((ANN, True), next_offset=1)}, {following: elsewhere})
    before = member.followed(0)
    member.reads({following: part((ANN, False), next_offset=5)})

    assert [({ANN}, 4), (NOBODY, 5)] == [before, member.followed(0)]


def test_a_copy_is_up_to_date_as_of_when_its_end_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has not reached the end that the leader has named may lack a deletion: its copy grows old."""
    now = 1_000
    monkeypatch.setattr(state_store, "_now_seconds", lambda: now)
    member = Member(tmp_path)
    store = member._index.store
    reached, short = member.wanted[0], member.wanted[1]
    now = 1_100
    member.standby.ends_are({reached: 10, short: 10}, 1_090)
    member.reads({reached: part((ANN, True), next_offset=10), short: part((ANN, True), next_offset=9)})
    ages = [copy.at_seconds for copy in map(store.copy_of, (0, 1)) if copy is not None]
    now = 1_200
    member.standby.ends_are({reached: 10}, 1_190)
    touched = store.copy_of(0)

    assert [1_090, 1_000] == ages
    assert touched is not None
    assert 1_190 == touched.at_seconds


def test_a_copy_that_may_have_missed_a_deletion_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic keeps deletions for a time only; after that, what is read says less than it should."""
    now = 1_000
    monkeypatch.setattr(state_store, "_now_seconds", lambda: now)
    member = Member(tmp_path)
    busy, idle = member.wanted[0], member.wanted[1]
    member.standby.ends_are({idle: 0, busy: 2}, 1_000)
    member.reads({busy: part((ANN, True), next_offset=1)})
    now = 1_000 + int(member._topic.tombstone_seconds)
    member.reads({busy: part((BOB, True), next_offset=2)})
    member.standby.ends_are({idle: 0}, now)

    assert [None, None] == [member.wanted[number].offset for number in (0, 1)]
    assert [(NOBODY, None)] * 2 == [member.followed(0), member.followed(1)]
    assert [busy.number, idle.number] != [member.wanted[number].number for number in (0, 1)]


def test_a_topic_that_does_not_hold_the_offset_is_followed_from_its_beginning(tmp_path: Path) -> None:
    """It has lost its end, or records were deleted: of the copy nothing is believed."""
    member = Member(tmp_path)
    following = member.wanted[0]
    member.reads({following: part((ANN, True), next_offset=7)})
    lost = part(next_offset=0)
    lost.out_of_range = True
    posted = member.reads({following: lost})

    assert ["set_aside"] == problems(list(posted))
    assert (NOBODY, None) == member.followed(0)
    assert None is member.wanted[0].offset


def test_of_a_topic_that_was_made_again_nothing_is_believed(tmp_path: Path) -> None:
    """Of no partition that was followed, and of none that leaves later: they are read whole, and it is told once."""
    member = Member(tmp_path)
    member.reads({member.wanted[1]: part((ANN, True), next_offset=7)})
    member.open(tenure(P0))
    member.step()
    member.standby.made_again()
    told = member.step() + member.posted
    member.close(P0)
    member.step()
    for partition in (P0, P1):
        member.open(tenure(partition))
    member.step()

    assert ["standby_not_read"] == problems([*told])
    assert member.follower.is_stopped
    assert [(0, None), (1, None)] == member.restoring.starts[-2:]
    figures = member.figures().standby
    assert figures is not None
    assert 0 == figures.partitions
    assert "was deleted and made again" in str(figures.problem)


@pytest.mark.parametrize("failing", ["full", "error"])
def test_what_cannot_be_written_is_kept_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """The follower reads no more until then; our own partitions are opened as ever, and it is told once."""
    member = Member(tmp_path)
    store = member._index.store
    if failing == "full":
        monkeypatch.setattr(state_standby, "FREE_BYTES_MIN", 2**70)
    else:
        monkeypatch.setattr(store, "write", raising(sqlite3.DatabaseError("malformed")))
    posted = member.reads({member.wanted[1]: part((ANN, True), next_offset=7)})
    waits_until = member.standby.next_due()
    member.standby.go_on(waits_until)
    monkeypatch.undo()
    member.open(tenure(P0))
    posted += member.step()
    member.standby.go_on(waits_until + state_standby.RETRY_SECONDS)
    posted += member.step() + member.posted

    assert ["standby_not_stored"] == problems(list(posted))
    assert [P0] == opened(posted)
    assert [StateFixed("standby_not_stored")] == [item for item in posted if isinstance(item, StateFixed)]
    assert (({ANN}, 7), 1) == (member.followed(1), member.follower.times_taken)


def raising(error: Exception) -> object:
    """A function that does."""

    def fail(*_: object) -> None:
        raise error

    return fail


def test_without_a_file_nothing_is_followed() -> None:
    """What can be kept in memory and temporary files alone would take more of them than our own partitions do."""
    member = Member(NO_FOLDER)

    assert not member.follower.is_started
    assert ["standby_not_stored"] == problems(list(member.posted))


def test_our_own_partitions_come_first(tmp_path: Path) -> None:
    """While a restore has something to read, nothing of others is written; while it waits for a broker, it is."""
    member = Member(tmp_path, partitions=3)
    member.restoring.is_busy = True
    member.open(tenure(P0))
    member.reads({member.wanted[1]: part((ANN, True), next_offset=7)})
    meanwhile = member.followed(1)
    member.restoring.is_busy = False
    member.open(tenure(Partition(SOURCE, 2)))
    member.step()
    member.reads()

    assert [(NOBODY, None), ({ANN}, 7)] == [meanwhile, member.followed(1)]


def test_a_file_that_is_replaced_is_filled_again(tmp_path: Path) -> None:
    """It was damaged: all copies begin anew, and what is on its way belongs to none."""
    member = Member(tmp_path)
    earlier = member.wanted[1]
    member.reads({earlier: part((ANN, True), next_offset=7)})
    member._start_again("damaged")
    member.reads({earlier: part((BOB, True), next_offset=8)})

    assert (NOBODY, None) == member.followed(1)
    assert None is member.wanted[1].offset
    assert earlier.number != member.wanted[1].number


def test_what_is_behind_is_known_when_every_end_is(tmp_path: Path) -> None:
    """In records that the file lacks; a deletion is one."""
    member = Member(tmp_path)
    member.standby.ends_are({member.wanted[0]: 10}, 1_000)
    partly = member.figures().standby
    member.standby.ends_are({member.wanted[1]: 5}, 1_000)
    member.reads({member.wanted[0]: part((ANN, True), (BOB, False), next_offset=8)})

    assert partly is not None
    assert None is partly.behind_records
    assert StandbyFigures(partitions=2, behind_records=7, records=2) == member.figures().standby


def test_an_unknown_record_is_told_and_left_out(tmp_path: Path) -> None:
    """A later version wrote it: it costs an introduction at the most."""
    member = Member(tmp_path)
    piece = part((ANN, True), next_offset=3)
    piece.unknown = "of another schema"
    posted = member.reads({member.wanted[0]: piece})

    assert ["unknown_record"] == problems(list(posted))
    assert ({ANN}, 3) == member.followed(0)


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    """The file is the member's, whatever of it is followed."""
    member = Member(tmp_path)
    member.standby.ends_are({member.wanted[1]: 7}, int(time.time()))
    member.reads({member.wanted[1]: part((ANN, True), next_offset=7)})
    member._index.store.close()

    assert [None, 7] == [following.offset for following in Member(tmp_path).wanted.values()]
