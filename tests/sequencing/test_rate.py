"""One rate for the group: whose permits there are, what takes one, and that members together never start more."""

from __future__ import annotations

import random

import pytest

from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition
from consumer.sequencing.rate import BURST_SECONDS, FOREVER, GROWTH_SECONDS, Count, Rate
from tests.sequencing.given_rate import REPLAYS, assigned, rate_of, source, starts
from tests.sequencing.given_sequencer import P0


@pytest.mark.parametrize(
    ("assignments", "share"),
    [
        ([], 0.0),
        (source(0), 23.75),
        (source(0, 1), 47.5),
        (source(0, 1, 2, 3), 95.0),
        ([*source(0, 1, 2, 3), assigned(REPLAYS)], 100.0),
        ([assigned(REPLAYS)], 5.0),
        ([assigned(P0, leased_at=-1e9)], 0.0),
    ],
    ids=["none", "one", "two", "all", "all and the replays", "the replays alone", "one without a lease yet"],
)
def test_a_member_has_the_share_of_its_partitions(assignments: list[Assignment], share: float) -> None:
    """Of 100 requests a second, with four source partitions and one of replays."""
    assert pytest.approx(share) == rate_of(100.0, assignments).share


def test_one_commit_proves_the_member_for_all_that_it_has_got_before() -> None:
    """An idle partition has no lease, and its share is the busy one's to use; one that came since waits."""
    busy, idle, late = (assigned(Partition("segment", n), leased_at=-1e9) for n in range(3))
    rate = rate_of(100.0, [busy, idle])
    shares = [rate.share]
    busy.leased_at = 1.0
    for now in (1.0, 2.0):
        rate.changed()
        rate.tick([busy, idle, late][: round(now) + 1], now)
        shares.append(rate.share)

    assert pytest.approx([0.0, 47.5, 47.5]) == shares


def test_shares_of_all_members_add_up_to_the_whole() -> None:
    """However the partitions lie: nobody rounds up."""
    members = [rate_of(7.0, some, partitions=3) for some in (source(0), source(1), [*source(2), assigned(REPLAYS)])]

    assert pytest.approx(7.0) == sum(member.share for member in members)


def test_nothing_starts_before_the_topic_s_partitions_are_known() -> None:
    """Without their number a share of it is anybody's guess."""
    rate = rate_of(100.0, source(0), partitions=None)

    assert 0 == starts(rate, 10.0)


def test_a_partition_s_share_ends_when_it_is_asked_for() -> None:
    """Its next owner begins only after that."""
    ours = source(0, 1)
    rate = rate_of(100.0, ours)
    ours[1].closed = True
    rate.changed()
    rate.tick(ours, 1.0)

    assert pytest.approx(23.75) == rate.share


def test_what_was_saved_up_does_not_come_along() -> None:
    """A partition that comes brings no permit, and with the last that goes all of them go."""
    ours = source(0)
    rate = rate_of(40.0, ours)
    rate.refill(9.0)
    rate.changed()
    rate.tick([], 9.0)
    rate.changed()
    rate.tick(ours := [assigned(P0, leased_at=10.0)], 10.0)

    assert [0, 0, 1] == [starts(rate, now) for now in (10.0, 10.05, 10.11)]


def test_after_a_rest_a_tenth_of_a_second_s_worth_and_one_may_start_at_once() -> None:
    """That is the burst, and behind it they come evenly."""
    rate = rate_of(100 / 0.95, source(0, 1, 2, 3))

    assert 1 + 100 * BURST_SECONDS == starts(rate, 60.0)
    assert [1] * 5 == [starts(rate, 60.0 + number / 100) for number in range(1, 6)]


def test_a_rate_below_the_number_of_partitions_works() -> None:
    """One request in eight seconds, for a member with one of four partitions."""
    rate = rate_of(0.5 / 0.95, source(0))

    assert [0, 1, 0, 1] == [starts(rate, now) for now in (7.9, 8.0, 15.9, 16.0)]


def test_new_partitions_count_later_than_they_make_the_others_smaller() -> None:
    """Members hear of them at different moments, and between these the shares must not add up to more."""
    rate = rate_of(100.0, ours := source(0, 4), partitions=4)
    shares = [rate.share]
    rate.topics_have(8, 1, 10.0)
    for now in (10.0, 10.0 + GROWTH_SECONDS - 0.1, 10.1 + GROWTH_SECONDS):
        rate.tick(ours, now)
        shares.append(rate.share)

    assert pytest.approx([23.75, 11.875, 11.875, 23.75]) == shares


def test_a_topic_never_has_fewer_partitions_than_were_seen() -> None:
    """A broker that is behind would make everybody's share larger."""
    count = Count()
    for partitions in (8, 4, None):
        count.seen(partitions, 0.0)

    assert 1 / 8 == count.part(0, 100.0)


def test_new_partitions_wait_their_time_also_where_more_are_added_meanwhile() -> None:
    """Who has not heard of the second lot may not have heard of the first."""
    count = Count()
    for partitions, now in ((4, 0.0), (8, 10.0), (12, 12.0)):
        count.seen(partitions, now)

    assert [1 / 12, 0.0] == [count.part(number, 12.0) for number in (0, 4)]
    assert 1 / 12 == count.part(4, 12.0 + GROWTH_SECONDS)


@pytest.mark.parametrize(
    ("is_replay", "others_wait", "per_minute"),
    [(False, False, 6000), (False, True, 5700), (True, False, 6000), (True, True, 300)],
    ids=["live events alone", "live events beside replays", "replays alone", "replays beside live events"],
)
def test_who_takes_which_permits(is_replay: bool, others_wait: bool, per_minute: int) -> None:
    """95 % are the source partitions', 5 % the replays'; each has what the other leaves."""
    rate = rate_of(100.0, [*source(0, 1, 2, 3), assigned(REPLAYS)])
    started = sum(starts(rate, n / 100, is_replay=is_replay, others_wait=others_wait) for n in range(100, 6100))

    assert pytest.approx(per_minute, rel=0.01) == started


def test_replays_leave_permits_for_the_live_event_that_comes_next() -> None:
    """Half of what can be saved up: it need not wait although replays never end."""
    rate = rate_of(100.0, [*source(0, 1, 2, 3), assigned(REPLAYS)])
    starts(rate, 60.0, is_replay=True)

    assert 5 == starts(rate, 60.0)


def test_a_member_without_any_share_waits_for_no_time() -> None:
    """What ends that wait is an input: a lease."""
    rate = rate_of(100.0, [])
    rate.wait(1.0, live=True, replays=False)

    assert FOREVER == rate.waits_until


def test_the_wait_is_said_and_added_up() -> None:
    """Until when, for how long by now, and how long in all."""
    rate = rate_of(1 / 0.95, ours := source(0, 1, 2, 3))
    rate.wait(0.0, live=True, replays=False)
    until = rate.waits_until
    for now in (0.25, 0.75):
        rate.tick(ours, now)
    waiting = rate.waiting_seconds(0.75)
    rate.refill(1.0)
    rate.tick(ours, 1.5)

    assert pytest.approx(1.0) == until
    assert (0.75, 0.0) == (waiting, rate.waiting_seconds(1.5))
    assert 0.75 == rate.waited_seconds


def test_members_together_never_start_more_than_the_rate_and_the_burst() -> None:
    """Partitions move at random among four members that always have something to send, one of them with the replays."""
    rng, limit, partitions = random.Random(1), 40.0, 6
    rates = [Rate(limit) for _ in range(4)]
    for one in rates:
        one.topics_have(partitions, 1, 0.0)
    held: list[list[Assignment]] = [[assigned(REPLAYS)], [], [], []]
    free = source(*range(partitions))
    times: list[float] = []
    for step in range(120_000):
        now = step / 200
        if rng.random() < 0.01 and any(held[1:]):
            owner = rng.choice([number for number in range(4) if held[number]])
            if (gone := held[owner].pop()).is_replay:
                held[owner].append(gone)
            else:
                free.append(gone)
            rates[owner].changed()
        if free and rng.random() < 0.02:
            owner = rng.randrange(4)
            held[owner].append(assigned(free.pop().partition, leased_at=now))
            rates[owner].changed()
        for one, ours in zip(rates, held, strict=True):
            one.tick(ours, now)
            times += [now] * (starts(one, now) if rng.random() < 0.7 else 0)
    first, most = 0, 0
    for last, now in enumerate(times):
        while times[first] <= now - 1:
            first += 1
        most = max(most, last - first + 1)

    assert most <= limit + BURST_SECONDS * limit + len(rates) + 1
