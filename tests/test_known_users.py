"""Who is remembered as identified: exactly who was added and not forgotten, and never more than may be."""

from __future__ import annotations

from consumer.events import HandBack, Partition, User
from consumer.known_users import KnownUsers
from tests.given_sequencer import Bench

USERS = [User(f"u{number}") for number in range(8)]


def test_no_more_than_the_limit_and_the_last_one_among_them() -> None:
    """One too many takes another's place, and that one is asked for again."""
    known = KnownUsers(3)
    for count, user in enumerate(USERS, start=1):
        known.add(user)

        assert min(count, 3) == len(known) == sum(one in known for one in USERS)


def test_a_lower_limit_holds_at_once() -> None:
    """When a partition comes, the others have to make room."""
    known = KnownUsers(8)
    for user in USERS:
        known.add(user)
    known.limit(2)

    assert 2 == len(known) == sum(one in known for one in USERS)


def test_with_none_nobody_is_known() -> None:
    """Whoever is added last is no exception."""
    known = KnownUsers(0)
    known.add(USERS[0])

    assert USERS[0] not in known


def test_a_user_and_the_same_text_as_an_anonymous_one_are_two() -> None:
    """Neither stands for the other, and each is forgotten alone."""
    known, anonymous = KnownUsers(8), User("u0", anonymous=True)
    known.add(anonymous)

    assert [False, True] == [user in known for user in (USERS[0], anonymous)]

    known.add(USERS[0])
    known.discard(anonymous)

    assert [True, False] == [user in known for user in (USERS[0], anonymous)]


def test_the_partitions_share_the_limit_and_that_of_replays_has_no_part() -> None:
    """So many for the process, however many partitions it has; what one leaves, the others may use."""
    bench = Bench(known_users_max=6)
    first, replays = bench.assignment, bench.assign(Partition("replays", 0))
    replays.of_replays()
    for assignment in (first, replays):
        for user in USERS:
            assignment.known.add(user)

    assert [3, 0] == [len(assignment.known) for assignment in (first, replays)]

    second = bench.assign(Partition("segment", 1))

    assert [2, 0, 0] == [len(assignment.known) for assignment in (first, replays, second)]

    bench.sequencer.drop(second.partition, HandBack.REVOKED)
    first.known.add(USERS[0])
    first.known.add(USERS[1])

    assert [3, 0] == [len(assignment.known) for assignment in (first, replays)]
