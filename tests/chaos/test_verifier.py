"""The verifier of the chaos harness catches each thing that may go wrong, and lets pass what may happen."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import pytest

from tests.chaos.book import claimed
from tests.chaos.evidence import Acknowledged
from tests.chaos.records import Generator, What
from tests.chaos.report import table
from tests.chaos.schedule import Fault, schedule
from tests.chaos.story import Story


@pytest.fixture
def story() -> Story:
    """A run in which nothing has happened yet."""
    return Story()


def runs(*lengths: int) -> str:
    """Commit metadata with these runs, unfinished first."""
    assert all(length < 128 for length in lengths)
    return "1" + base64.b64encode(b"0000" + zlib.compress(bytes(lengths))).decode()


def test_a_run_as_it_should_be_is_accepted(story: Story) -> None:
    """All kinds of records end as they must, and nothing is found."""
    identify, track, page = story.produce("identify"), story.produce("track"), story.produce("page")
    story.produce("skipped")
    garbage, refused = story.produce("rejected"), story.produce("refused")
    story.produce("delete")
    stranger = story.produce("screen", "bob")
    story.accept(identify)
    story.accept(track, page)
    story.introduce(stranger)
    story.accept(stranger)
    story.dead_letter(garbage, "invalid_event")
    story.dead_letter(refused, "refused")
    story.commit(8)
    verdict = story.verdict()

    assert [] == verdict.findings
    assert (8, 4, 1, 0) == (verdict.records, verdict.requests, verdict.introductions, verdict.duplicates)


@pytest.mark.parametrize("what", ["identify", "track", "rejected", "refused"])
def test_a_record_below_the_commit_that_never_ended_is_lost(story: Story, what: What) -> None:
    """A committed record that is neither delivered nor dead-lettered is lost, and was committed too early."""
    story.produce(what)
    story.commit(1)

    assert {"lost": 1, "commit ahead": 1} == story.wrong()


def test_a_record_that_is_not_committed_is_stuck_and_not_lost(story: Story) -> None:
    """Above the committed offset a record is unfinished business."""
    story.accept(story.produce("identify"))
    story.produce("track")
    story.commit(1)

    assert {"stuck": 1} == story.wrong()


@pytest.mark.parametrize(
    "changes",
    [{"insert_ids": ("made-up",)}, {"user": "bob"}, {"digests": (8,)}, {"is_identify": False}],
    ids=["never produced", "of another user", "altered", "of another type"],
)
def test_what_was_never_produced_like_that_is_a_phantom(story: Story, changes: dict[str, Any]) -> None:
    """An event must arrive as it was produced."""
    identify = story.produce("identify")
    story.accept(identify)
    story.accept(identify, **changes)
    story.commit(1)

    assert 1 == story.wrong()["phantom"]


@pytest.mark.parametrize("what", ["skipped", "rejected", "refused", "delete"])
def test_a_record_that_is_not_to_be_sent_is_a_phantom(story: Story, what: What) -> None:
    """Skipped, rejected and refused records never count as delivered."""
    record = story.produce(what)
    story.accept(record, is_identify=True)

    assert 1 == story.wrong()["phantom"]


def test_an_introduction_has_no_properties(story: Story) -> None:
    """Any could overwrite newer traits."""
    track = story.produce("track")
    story.accept(track, is_identify=True, insert_ids=(f"introduction-{track.insert_id}",), digests=(7,))
    story.accept(track)
    story.commit(1)

    assert {"phantom": 1} == story.wrong()


def test_a_dead_letter_without_cause_is_found(story: Story) -> None:
    """Valid events are no dead letters, and dead letters are what they were, with the reason that fits."""
    identify, garbage, other = story.produce("identify"), story.produce("rejected"), story.produce("rejected")
    story.accept(identify)
    story.dead_letter(identify, "refused")
    story.dead_letter(garbage, "undecodable", checksum=1)
    story.dead_letter(other, "undecodable")
    story.dead_letter(other, "gave_up")
    story.commit(3)

    assert {"wrong dead letter": 3} == story.wrong()


def test_a_track_before_any_identify_is_found(story: Story) -> None:
    """Also when the identify was accepted and its answer lost: nobody knew of it."""
    track, other = story.produce("track"), story.produce("track", "bob")
    story.accept(track)
    story.introduce(other, answered=False)
    story.accept(other)
    story.commit(2)

    assert {"track before identify": 2} == story.wrong()


def test_a_track_after_a_delete_needs_a_new_identify(story: Story) -> None:
    """One that was accepted for an event before the delete does not count."""
    identify = story.produce("identify")
    story.produce("delete")
    track, later = story.produce("track"), story.produce("track")
    story.accept(identify)
    story.accept(track)
    story.introduce(later)
    story.accept(later)
    story.commit(4)

    assert {"track after delete": 1} == story.wrong()


def test_events_of_a_user_in_another_order_are_found(story: Story) -> None:
    """Across users there is no order, within one there is."""
    identify, one, two = story.produce("identify"), story.produce("track"), story.produce("track")
    stranger = story.produce("identify", "bob")
    story.accept(stranger)
    story.accept(identify)
    story.accept(two)
    story.accept(one)
    story.commit(4)

    assert {"reorder": 1} == story.wrong()


def test_the_first_identify_may_overtake_and_a_later_one_may_not(story: Story) -> None:
    """Whoever has sent an event of the user knows that they are identified, so sends the next identify in its turn."""
    early, first, track, second = (story.produce(what) for what in ("track", "identify", "track", "identify"))
    story.accept(first)
    story.accept(early)
    story.accept(second)
    story.accept(track)
    story.commit(4)

    assert {"reorder": 1} == story.wrong()


def test_an_identify_may_overtake_again_for_somebody_who_does_not_know(story: Story) -> None:
    """A new owner without the state takes the user for unknown."""
    first, one, two, second = (story.produce(what) for what in ("identify", "track", "track", "identify"))
    story.accept(first)
    story.accept(one)
    story.commit(2)
    story.move("m1.1")
    story.accept(second, sender="m1.1")
    story.accept(two, sender="m1.1")
    story.commit(4)

    assert {} == story.wrong()


def test_an_identify_does_not_overtake_a_delete(story: Story) -> None:
    """The delete would undo it."""
    track = story.produce("track")
    story.produce("delete")
    identify = story.produce("identify")
    story.accept(identify)
    story.accept(track)
    story.commit(3)

    assert {"reorder": 1} == story.wrong()


def test_a_new_owner_that_starts_too_far_on_is_found(story: Story) -> None:
    """Its first request of a user leaves out an earlier event of that user."""
    identify, _, two = story.produce("identify"), story.produce("track"), story.produce("track")
    story.accept(identify)
    story.commit(1)
    story.move("m1.1")
    story.accept(two, sender="m1.1")

    assert 1 == story.wrong()["skip after rebalance"]


def test_a_commit_before_the_end_is_found(story: Story) -> None:
    """A delivery that comes after the commit, or was never answered, does not count; each record counts once."""
    identify, track, other = story.produce("identify"), story.produce("track"), story.produce("track")
    story.accept(identify)
    story.accept(track, answered=False)
    story.commit(3)
    story.accept(track)
    story.accept(other)
    story.commit(3)

    assert {"commit ahead": 2} == story.wrong()


def test_metadata_that_claims_too_much_is_found(story: Story) -> None:
    """What the metadata says is finished must have ended too."""
    identify, one, _ = story.produce("identify"), story.produce("track"), story.produce("track")
    story.accept(identify)
    story.commit(1, runs(1, 1))
    story.accept(one)
    story.commit(2)

    assert {"commit ahead": 1, "stuck": 1} == story.wrong()


def test_a_commit_that_goes_back_is_found(story: Story) -> None:
    """Each step back counts."""
    story.accept(story.produce("identify"))
    story.commit(1)
    story.commit(0)
    story.commit(1)

    assert {"commit back": 1} == story.wrong()


def test_runs_in_metadata_are_read_as_documented() -> None:
    """Unfinished, finished, unfinished, finished from the committed offset on; anything else says nothing."""
    assert [12, 13, 16] == list(claimed(10, runs(2, 2, 2, 1)))
    for text in ("", "2abc", "1!!!", "1" + base64.b64encode(b"0000rubbish").decode()):
        assert [] == list(claimed(10, text))


def test_a_duplicate_in_a_clean_run_has_no_cause(story: Story) -> None:
    """Neither one of the same owner nor one after an orderly handover."""
    identify, track = story.produce("identify"), story.produce("track")
    story.accept(identify)
    story.accept(identify)
    story.accept(track)
    story.commit(2)
    story.move("m1.1")
    story.accept(track, sender="m1.1")
    verdict = story.verdict()

    assert {"duplicate without cause": 3} == story.wrong()  # the two, and that nothing was at risk
    assert (2, 0) == (verdict.duplicates, verdict.duplicates_max)


def test_an_unanswered_request_may_be_sent_again(story: Story) -> None:
    """Nobody knew that it was accepted."""
    identify = story.produce("identify")
    story.accept(identify, answered=False)
    story.accept(identify)
    story.commit(1)
    verdict = story.verdict()

    assert [] == verdict.findings
    assert (1, 1, {"unanswered": 1}) == (verdict.duplicates, verdict.duplicates_max, verdict.causes)


def test_after_a_kill_what_was_not_committed_may_be_sent_again(story: Story) -> None:
    """What a commit had told of before may not: the new owner has read that."""
    identify, track = story.produce("identify"), story.produce("track")
    story.accept(identify)
    story.commit(1)
    story.pass_time(1)
    story.accept(track)
    story.happen("kill", member="m0.1")
    story.move("m1.1")
    story.accept(track, sender="m1.1")
    may_be = story.wrong()
    story.accept(identify, sender="m1.1")
    story.commit(2)

    assert {"stuck": 1} == may_be  # nothing but that it is not committed yet
    assert "duplicate without cause" in story.wrong()


def hold_up(story: Story, next_owner: str, seconds: float) -> None:
    """What m0.1 has delivered is not committed for so long, nobody has the partition meanwhile; then it comes again."""
    identify, track = story.produce("identify"), story.produce("track")
    story.accept(identify)
    story.commit(1)
    story.pass_time(1)
    story.accept(track)
    story.move("")
    story.pass_time(seconds)
    story.move(next_owner)
    story.accept(track, sender=next_owner)
    story.commit(2)


@pytest.mark.parametrize("what", ["stop", "kill"])
def test_what_a_member_in_good_health_lost_while_a_rebalance_was_held_up_may_be_sent_again(
    story: Story, what: str
) -> None:
    """Another was stopped: nobody's commits are answered until its session ends, then the group takes them for old."""
    story.happen("start", member="m2.1")
    story.happen(what, member="m1.1")
    hold_up(story, "m2.1", 4)
    verdict = story.verdict()

    assert [] == verdict.findings
    assert (1, 1) == (verdict.duplicates, verdict.duplicates_max)
    assert {f"rebalance held up by a {what}": 1} == verdict.causes


def test_the_same_may_not_while_everybody_is_in_good_health(story: Story) -> None:
    """That commits stand still and a partition moves is no excuse by itself."""
    hold_up(story, "m2.1", 4)

    assert {"duplicate without cause": 2} == story.wrong()


def test_a_stop_of_another_that_is_long_over_is_no_excuse(story: Story) -> None:
    """No rebalance waits for a member longer than its session."""
    story.happen("stop", member="m1.1")
    story.happen("cont", member="m1.1")
    story.pass_time(10)
    hold_up(story, "m2.1", 4)

    assert {"duplicate without cause": 2} == story.wrong()


def test_a_member_that_keeps_its_partition_may_send_nothing_again(story: Story) -> None:
    """Another is stopped and commits stand still, but nobody else ever had the partition."""
    story.happen("stop", member="m1.1")
    hold_up(story, "m0.1", 4)

    assert {"duplicate without cause": 2} == story.wrong()


def test_a_handover_whose_commits_go_on_is_no_excuse_while_another_is_stopped(story: Story) -> None:
    """The old owner could have told of what it had delivered, as it told of the rest."""
    identify, track, page = story.produce("identify"), story.produce("track"), story.produce("page", "bob")
    story.happen("stop", member="m1.1")
    story.accept(identify)
    story.introduce(page)
    story.commit(1)
    story.accept(page)
    story.accept(track)
    story.commit(1, runs(1, 1))
    story.move("m2.1")
    story.accept(track, sender="m2.1")
    story.commit(3)

    assert {"duplicate without cause": 2} == story.wrong()


def test_what_a_late_commit_told_the_next_owner_is_no_excuse_either(story: Story) -> None:
    """Commits stood still, and then told of it before the partition went away."""
    story.happen("stop", member="m1.1")
    identify = story.produce("identify")
    story.accept(identify)
    story.pass_time(4)
    story.commit(1)
    story.move("m2.1")
    story.accept(identify, sender="m2.1")

    assert "duplicate without cause" in story.wrong()


def test_the_new_protocol_holds_nobody_up(story: Story) -> None:
    """There members go on committing while another does not answer."""
    story.evidence.options["protocol"] = "consumer"
    story.happen("stop", member="m1.1")
    hold_up(story, "m2.1", 4)

    assert {"duplicate without cause": 2} == story.wrong()


def test_without_samples_of_owners_another_sender_tells_that_a_member_has_lost_its_partition(story: Story) -> None:
    """Where nobody could be asked; the same sender is no excuse then either."""
    story.happen("stop", member="m1.1")
    hold_up(story, "m2.1", 4)
    story.evidence.owners.clear()
    may_be = story.wrong()
    again = story.evidence.accepted[-1]
    story.evidence.accepted[-1] = again._replace(sender="m0.1")
    story.evidence.owners.clear()

    assert {} == may_be
    assert {"duplicate without cause": 1} == story.wrong()


@pytest.mark.parametrize(("target", "wrong"), [(0, {}), (1, {"duplicate without cause": 2})])
def test_a_network_fault_excuses_only_the_member_it_is_for(story: Story, target: int, wrong: dict[str, int]) -> None:
    """Member 0 may not get answers while its network is mute; member 1's network is none of its business."""
    identify = story.produce("identify")
    story.happen("begin", fault="http.mute", target=target)
    story.accept(identify)
    story.happen("end", fault="http.mute", target=target)
    story.accept(identify)
    story.commit(1)

    assert wrong == story.wrong()


@pytest.mark.parametrize(("steps", "wrong"), [(("term", "fixed"), {}), (("fixed", "term"), {"died": 1})])
def test_what_was_asked_to_leave_with_a_problem_may_leave_unfinished(
    story: Story, steps: tuple[str, ...], wrong: dict[str, int]
) -> None:
    """75 after the mending is a breach only for who was asked after it: a drain of 12 s may outlast the problem."""
    for what in steps:
        story.happen(what, **({"member": "m0.1"} if what == "term" else {}))
    story.pass_time(1)
    story.happen("exit", member="m0.1", code=75, asked=True)

    assert wrong == story.wrong()


def test_a_broker_that_was_away_excuses_what_could_not_be_committed(story: Story) -> None:
    """Members lose their partitions meanwhile."""
    identify = story.produce("identify")
    story.accept(identify)
    story.happen("begin", fault="broker.kill", target=0)
    story.now += 10
    story.happen("end", fault="broker.kill", target=0)
    story.move("m1.1")
    story.accept(identify, sender="m1.1")
    story.commit(1)
    verdict = story.verdict()

    assert [] == verdict.findings
    assert (1, 1) == (verdict.duplicates, verdict.duplicates_max)


def test_a_delivery_by_an_old_owner_after_the_new_ones_first_is_a_zombie_send(story: Story) -> None:
    """It is counted and not held against the run; sent after that first, it is late."""
    identify, one, two = story.produce("identify"), story.produce("track"), story.produce("track")
    story.accept(identify)
    story.commit(1)
    story.happen("stop", member="m0.1")
    story.move("m1.1")
    sent_at = story.now
    story.accept(one, sender="m1.1")
    story.accept(one, sender="m0.1", arrived_at=sent_at)
    story.accept(two, sender="m1.1")
    story.accept(two, sender="m0.1")
    story.commit(3)
    verdict = story.verdict()

    assert [] == verdict.findings
    assert (2, 1, 2) == (verdict.zombies, verdict.zombies_late, verdict.duplicates)


def test_what_a_new_owner_had_sent_in_an_earlier_tenure_makes_nobody_a_zombie(story: Story) -> None:
    """What the owner between sent comes late, but before the new one's first: nothing interleaves."""
    identify, one, two = story.produce("identify"), story.produce("track"), story.produce("track")
    story.move("m1.1")
    story.accept(identify, sender="m1.1")
    story.move("m0.1")
    story.accept(one)
    story.commit(2)
    story.move("m1.1")
    story.accept(two)
    story.accept(two, sender="m1.1")
    story.commit(3)

    assert 0 == story.verdict().zombies


@pytest.mark.parametrize(
    ("exit_", "wrong"),
    [
        ({"code": 0, "asked": True}, {}),
        ({"code": 75, "asked": True}, {}),
        ({"code": 0, "asked": False}, {"died": 1}),
        ({"code": 1, "asked": True}, {"died": 1}),
        ({"code": -6, "asked": False}, {"died": 1}),
        ({"code": 69, "asked": False}, {"died": 1}),
    ],
    ids=str,
)
def test_a_member_may_end_only_when_asked_and_as_documented(
    story: Story, exit_: dict[str, Any], wrong: dict[str, int]
) -> None:
    """Exit codes 0 and 75 after SIGTERM; 69 only while Kafka was not to be reached at the start."""
    story.happen("term", member="m0.1")
    story.pass_time(1)
    story.happen("exit", member="m0.1", **exit_)

    assert wrong == story.wrong()


def test_a_member_that_starts_without_kafka_may_end_with_69(story: Story) -> None:
    """Somebody starts it again."""
    story.fault(Fault.BROKER_KILL, 0, 1)
    story.happen("exit", member="m0.1", code=69, asked=False)

    assert {} == story.wrong()


def test_a_member_that_ended_cleanly_and_is_still_in_the_group_is_found(story: Story) -> None:
    """Its session's time-out is waited for by everybody, with partitions of its own or without."""
    story.idle = frozenset({"m1.1"})
    story.happen("term", member="m1.1")
    story.pass_time(1)
    story.happen("exit", member="m1.1", code=0, asked=True)
    story.pass_time(6)

    assert {"left behind": 1} == story.wrong()


def test_a_member_whose_last_words_did_not_get_through_may_stay_in_the_group(story: Story) -> None:
    """Nor one that was killed: neither can say good-bye."""
    story.idle = frozenset({"m1.1"})
    story.happen("begin", fault=Fault.KAFKA_CUT.value, target=1)
    story.happen("term", member="m1.1")
    story.pass_time(1)
    story.happen("exit", member="m1.1", code=0, asked=True)
    story.pass_time(1)
    story.happen("end", fault=Fault.KAFKA_CUT.value, target=1)
    story.pass_time(5)

    assert {} == story.wrong()


def test_what_is_refused_since_its_user_fails_is_a_dead_letter_by_right(story: Story) -> None:
    """And what comes behind it overtakes nothing; without such a refusal it would be lost, and wrongly dead."""
    identify, one, two = story.produce("identify"), story.produce("track"), story.produce("track")
    story.accept(identify)
    story.fail(one, two, status=400)
    story.fail(one, status=400)
    story.dead_letter(one, "refused")
    story.accept(two)
    story.commit(3)

    assert {} == story.wrong()

    story.evidence.alone.clear()

    assert {"lost": 1, "wrong dead letter": 1, "reorder": 1, "commit ahead": 1} == story.wrong()


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_what_fails_with_its_user_for_a_while_is_no_dead_letter(story: Story, status: int) -> None:
    """It is to be sent again."""
    identify = story.produce("identify")
    story.fail(identify, status=status)
    story.dead_letter(identify, "refused")
    story.commit(1)

    assert {"lost": 1, "wrong dead letter": 1, "commit ahead": 1} == story.wrong()


def test_what_went_with_a_deleted_topic_is_nobodys_fault_and_all_of_the_new_one_must_come(story: Story) -> None:
    """What was committed of the old one must have come, too; offsets begin again."""
    first, _gone = story.produce("identify"), story.produce("track")
    story.accept(first)
    story.commit(1)
    story.make_again()
    new = story.produce("track")
    story.accept(new)
    story.commit(1)

    assert {} == story.wrong()

    story.commit(2)
    story.produce("track")

    assert {"lost": 1, "commit ahead": 1} == story.wrong()


def test_what_was_committed_and_not_delivered_of_a_deleted_topic_is_lost(story: Story) -> None:
    """As of any other."""
    story.produce("identify")
    story.commit(1)
    story.make_again()

    assert {"lost": 1, "commit ahead": 1} == story.wrong()


def test_stuck_and_hanging_are_found(story: Story) -> None:
    """What the harness itself has seen."""
    story.happen("stuck", lag=3, seconds=120.0)
    story.happen("hang", member="m0.1", seconds=60.0)

    assert {"stuck": 1, "died": 1} == story.wrong()


def test_an_acknowledged_record_that_is_not_in_the_topic_is_kafkas_fault(story: Story) -> None:
    """Then the rest of the verdict means little."""
    story.evidence.acknowledged.append(Acknowledged(1, 0, 0, 70))

    assert {"kafka": 1} == story.wrong()


def test_a_row_has_a_cell_for_each_heading(story: Story) -> None:
    """The table is Markdown with as many cells in each row."""
    heading, line, row = table([story.verdict()]).splitlines()

    assert heading.count("|") == line.count("|") == row.count("|")


def test_the_same_seed_gives_the_same_schedule_and_records() -> None:
    """Another one gives others; every fault has its end within the run."""
    everything = frozenset(Fault)
    episodes = schedule(7, 300, 3, 1, everything)
    one, again, other = (Generator(seed, 50, 6) for seed in (7, 7, 8))
    records = [one.next() for _ in range(1000)]

    assert episodes == schedule(7, 300, 3, 1, everything)
    assert episodes != schedule(8, 300, 3, 1, everything)
    assert all(0 < episode.begins < episode.ends <= 300 for episode in episodes)
    assert records == [again.next() for _ in range(1000)]
    assert records != [other.next() for _ in range(1000)]
