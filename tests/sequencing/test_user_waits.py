"""What one user's events wait for is said right, whatever it is, in each partition where they have any."""

from __future__ import annotations

import pytest

from consumer.sequencing import user_waits as user_waits_module
from consumer.sequencing.events import HandBack, Misdirected, Partition, Unavailable, User
from consumer.sequencing.stops import StopCause, Stopped
from consumer.sequencing.user_waits import UserWaits, Why, in_hand, user_waits
from tests.sequencing.given_sequencer import ERROR, OK, P0, SLOWER, U1, U2, WRONG_KEY, Bench

P1 = Partition("segment", 1)
OTHERS = [User(f"other-{number}") for number in range(3)]


def waits(bench: Bench, now: float = 0.0, user: User = U1) -> UserWaits:
    """Of a user who has events in one partition."""
    (one,) = user_waits(bench.sequencer, [user], now)
    return one


def test_a_hold_says_until_when_and_how_much_is_behind() -> None:
    """The events wait for an identify; nothing was sent."""
    bench = Bench(hold_seconds=30.0)
    bench.fetch(5, "track", "track", "page", now=10.0)
    one = waits(bench, 12.0)

    assert (Why.HOLD, 40.0, False) == (one.why, one.next_try_at, one.identified)
    assert (5, 10.0, 1, 2, 0) == (one.offset, one.since, one.request_events, one.events_behind, one.attempts)


def test_a_look_up_waits_for_the_stored_state() -> None:
    """Whether they are identified is being asked."""
    bench = Bench()
    event = bench.event(7, "track")
    bench.sequencer.accept(bench.assignment, event.record, [event], 0.0)

    assert (Why.LOOK_UP, 7, None) == (waits(bench).why, waits(bench).offset, waits(bench).identified)


def test_whether_a_user_is_identified_who_was_not_looked_up_is_not_said() -> None:
    """The identify goes without asking, so they may have been identified long ago."""
    bench = Bench()
    bench.fetch(0, "identify")
    bench.sent()

    assert (Why.IN_FLIGHT, None) == (waits(bench).why, waits(bench).identified)


def test_a_request_that_is_under_way_is_told_with_what_waits_behind_it() -> None:
    """A batch, and what came since."""
    bench = Bench()
    bench.fetch(0, "identify")
    assert ["identify 0"] == bench.sent()
    bench.fetch(1, "track", "track")
    one = waits(bench)

    assert (Why.IN_FLIGHT, "identify", 0, 1, 2) == (
        one.why,
        one.request,
        one.offset,
        one.request_events,
        one.events_behind,
    )


def test_an_introduction_carries_none_of_their_events() -> None:
    """The event that it opens the way for is behind it."""
    bench = Bench()
    bench.fetch(3, "track", "track")
    assert ["introduction 3"] == bench.sent()
    one = waits(bench)

    assert ("introduction", 0, 2) == (one.request, one.request_events, one.events_behind)


def test_a_retry_says_which_attempt_the_last_answer_and_the_next_try() -> None:
    """And since when, how long it counts as failing, and when it is given up while others succeed."""
    bench = Bench(give_up_seconds=900.0)
    bench.fetch(0, "identify")
    bench.fetch(1, "track", user=U2, known=True)
    bench.sent()
    bench.answer(ERROR, now=5.0)
    bench.answer(OK, now=5.0)
    one = waits(bench, 5.5)

    assert (Why.RETRY, 1, "500", 6.0) == (one.why, one.attempts, one.last_answer, one.next_try_at)
    assert (5.0, 905.5) == (one.first_failed_at, one.given_up_at)


def test_the_next_attempt_under_way_still_says_what_the_last_was_answered() -> None:
    """Who asks while it is in flight learns the same."""
    bench = Bench()
    bench.fetch(0, "identify")
    bench.sent()
    bench.answer(ERROR)
    bench.sent(now=2.0)
    one = waits(bench, 2.0)

    assert (Why.IN_FLIGHT, 1, "500", None) == (one.why, one.attempts, one.last_answer, one.next_try_at)


def test_a_throttled_destination_is_what_everybody_waits_for() -> None:
    """Until the moment that it has asked for; whoever failed and whoever never had a turn."""
    bench = Bench(in_flight_max=1)
    bench.fetch(0, "identify")
    bench.fetch(1, "identify", user=U2)
    bench.sent()
    bench.answer(Unavailable("429", retry_after_seconds=60.0, throttled=True), now=1.0)
    failed, queued = waits(bench, 2.0), waits(bench, 2.0, U2)

    assert [(Why.DESTINATION_THROTTLED, "it answered 429", 61.0)] * 2 == [
        (one.why, one.reason, one.next_try_at) for one in (failed, queued)
    ]
    assert ("429", "") == (failed.last_answer, queued.last_answer)


def test_with_fewer_requests_at_once_a_throttled_destination_is_what_the_queue_waits_for() -> None:
    """It asked for no pause, and has as many requests as it may have."""
    bench = Bench(in_flight_max=2)
    bench.fetch(0, "identify")
    bench.sent()
    bench.answer(SLOWER, now=0.5)
    bench.fetch(1, "identify", user=OTHERS[0])
    assert ["identify 1 of other-0"] == bench.sent(now=0.6)
    bench.fetch(2, "identify", user=U2)
    one = waits(bench, 0.7, U2)

    assert (Why.DESTINATION_THROTTLED, None) == (one.why, one.next_try_at)


def test_a_stopped_destination_is_what_everybody_waits_for() -> None:
    """A wrong key: with the reason, and when the next request finds out."""
    bench = Bench()
    bench.fetch(0, "identify")
    for number, user in enumerate(OTHERS):
        bench.fetch(1 + number, "identify", user=user)
    bench.sent()
    for _ in range(4):
        bench.answer(WRONG_KEY, now=1.0)
    bench.fetch(9, "identify", user=U2)

    for user in (U1, U2, *OTHERS):
        one = waits(bench, 1.5, user)
        assert (Why.DESTINATION_STOPPED, 2.0) == (one.why, one.next_try_at), user
        assert one.reason.startswith("it answered 401")


def test_an_outage_is_what_everybody_waits_for() -> None:
    """Nobody succeeds, so no lane's own next try is what counts."""
    bench = Bench()
    for number, user in enumerate((U1, U2, *OTHERS)):
        bench.fetch(number, "identify", user=user)
    bench.sent()
    for _ in range(5):
        bench.answer(Unavailable("503"), now=1.0)

    assert {(Why.DESTINATION_UNAVAILABLE, "503")} == {
        (waits(bench, 1.5, user).why, waits(bench, 1.5, user).reason) for user in (U1, U2, *OTHERS)
    }


def test_one_user_whose_answer_blames_the_key_waits_alone() -> None:
    """While others succeed, it is not the destination."""
    bench = Bench()
    bench.fetch(0, "identify")
    bench.fetch(1, "identify", user=U2)
    bench.sent()
    bench.answer(Misdirected(403), now=1.0)
    bench.answer(OK, now=1.0)

    assert (Why.RETRY, "403") == (waits(bench, 1.5).why, waits(bench, 1.5).last_answer)


def test_behind_others_it_is_not_their_turn() -> None:
    """As many requests as may be are in flight."""
    bench = Bench(in_flight_max=1)
    bench.fetch(0, "identify", user=U2)
    bench.fetch(1, "identify", "track")
    assert ["identify 0 of u2"] == bench.sent()
    one = waits(bench)

    assert (Why.QUEUED, "identify", 1, 1) == (one.why, one.request, one.offset, one.events_behind)


def test_without_a_word_of_the_group_they_wait_for_it() -> None:
    """Another member may own the partition: nothing of it is sent."""
    bench = Bench(lease_seconds=34.0)
    bench.assignment.leased_at = 0.0
    bench.fetch(0, "identify", now=40.0)

    assert [] == bench.sent(now=40.0)
    assert Why.GROUP_SILENT is waits(bench, 40.0).why


def test_with_too_much_uncommitted_they_wait_for_a_commit() -> None:
    """A crash would send all of it again."""
    bench = Bench(uncommitted_events_max=2)
    bench.fetch(0, "track", "track", user=U2, known=True)
    bench.fetch(2, "identify", user=OTHERS[0])
    bench.sent()
    bench.answer(OK)
    bench.answer(OK)
    bench.fetch(3, "identify")
    assert [] == bench.sent(now=1.0)

    assert Why.COMMITS is waits(bench, 1.0).why


def test_in_a_stopped_partition_the_reason_says_what_to_do() -> None:
    """Whether what waited was let go already or not."""
    bench = Bench()
    bench.fetch(0, "identify")
    bench.assignment.stopped = Stopped(StopCause.DEAD_LETTER_RATIO, "too many; raise the limit")
    before = waits(bench)
    bench.sequencer.empty(bench.assignment)

    assert [(Why.PARTITION_STOPPED, "too many; raise the limit")] * 2 == [
        (one.why, one.reason) for one in (before, waits(bench))
    ]


def test_of_a_partition_that_is_given_back_the_next_owner_has_them() -> None:
    """It is closed and not yet gone."""
    bench = Bench(hold_seconds=30.0)
    bench.fetch(0, "track")
    bench.sequencer.close(P0)

    assert Why.GIVEN_BACK is waits(bench).why


def test_a_request_of_an_earlier_time_is_waited_for() -> None:
    """The partition went and came back while it was under way."""
    bench = Bench()
    bench.fetch(0, "identify", "track")
    bench.sent()
    bench.drop(HandBack.LOST)
    bench.assign()
    bench.fetch(0, "identify", "track")

    assert Why.EARLIER_REQUEST is waits(bench).why


def test_delivered_and_not_recorded_is_said() -> None:
    """A crash now would send it again."""
    bench = Bench()
    bench.fetch(0, "identify")
    bench.sent()
    bench.answer(OK)
    one = waits(bench)

    assert (Why.RECORD, True, False, 1, "") == (
        one.why,
        one.identified,
        one.is_recorded,
        one.unrecorded_events,
        one.request,
    )


def test_all_partitions_are_looked_at() -> None:
    """A user's events may lie in several, and each waits for something of its own."""
    bench = Bench(hold_seconds=30.0)
    bench.fetch(0, "track")
    bench.assign(P1)
    bench.fetch(0, "identify")
    bench.sent()

    assert [(P0, Why.HOLD), (P1, Why.IN_FLIGHT)] == [
        (one.partition, one.why) for one in user_waits(bench.sequencer, [U1], 0.0)
    ]
    assert [] == user_waits(bench.sequencer, [User("u1", anonymous=True)], 0.0)


def test_who_is_here_are_those_with_events_and_those_remembered() -> None:
    """Remembered as identified, with nothing in hand."""
    bench = Bench()
    bench.fetch(0, "identify")
    bench.sent()
    bench.answer(OK)
    bench.write_done()
    bench.fetch(1, "identify", user=U2)

    assert ([U2], ["u1"]) == in_hand(bench.sequencer)


def test_those_remembered_are_left_out_where_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """To look for one among a million would take longer than anybody waits."""
    bench = Bench()
    for offset, user in enumerate((U1, U2)):
        bench.assignment.known.add(user)
        bench.fetch(offset, "identify", user=user)
    monkeypatch.setattr(user_waits_module, "KNOWN_SEARCHED_MAX", 1)

    assert ([U1, U2], []) == in_hand(bench.sequencer)
