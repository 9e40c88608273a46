"""The verifier's view of what was sent twice: what excuses it, and what does not."""

from __future__ import annotations

import pytest

from tests.chaos.story import Story, runs


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
