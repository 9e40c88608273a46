"""Who is remembered as identified: who was added and not forgotten, and never more than there is room for."""

from __future__ import annotations

from consumer.sequencing.events import HandBack, Partition, User
from consumer.sequencing.known_users import KnownUsers, Pool
from tests.sequencing.given_sequencer import Bench

USERS = [User(f"u{number}") for number in range(8)]


def known_of(*added: User, pool: Pool) -> KnownUsers:
    """Those of one partition."""
    known = KnownUsers(pool)
    for user in added:
        known.add(user)
    return known


def test_no_more_than_the_limit_and_the_last_one_among_them() -> None:
    """One too many takes another's place, and that one is asked for again; the same one again takes none."""
    known = KnownUsers(Pool(3))
    for count, user in enumerate(USERS, start=1):
        known.add(user)
        known.add(user)

        assert user in known
        assert min(count, 3) == len(known) == sum(one in known for one in USERS)


def test_with_none_nobody_is_known() -> None:
    """Whoever is added last is no exception."""
    assert [0, 0] == [len(known_of(USERS[0], pool=Pool(0))), len(KnownUsers())]


def test_a_long_id_is_not_kept() -> None:
    """The room is counted in users, so none of them may take much of it."""
    known = known_of(User("u" * 64), User("u" * 65), pool=Pool(8))

    assert [True, False] == [User("u" * length) in known for length in (64, 65)]


def test_a_user_and_the_same_text_as_an_anonymous_one_are_two() -> None:
    """Neither stands for the other, and each is forgotten alone."""
    anonymous = User("u0", anonymous=True)
    known = known_of(anonymous, pool=Pool(8))

    assert [False, True] == [user in known for user in (USERS[0], anonymous)]

    known.add(USERS[0])
    known.discard(anonymous)

    assert [True, False] == [user in known for user in (USERS[0], anonymous)]


def test_a_partition_has_as_much_room_as_the_others_leave_and_no_less_than_its_share() -> None:
    """One with most of the users may have most of it; for those below their share the largest makes room."""
    pool = Pool(6)
    large, small = known_of(*USERS[:6], pool=pool), KnownUsers(pool)

    assert [6, 0] == [len(large), len(small)]

    for user in USERS:
        small.add(user)

    assert [3, 3, 6] == [len(large), len(small), pool.users]

    small.discard(next(user for user in USERS if user in small))
    large.add(next(user for user in USERS if user not in large))

    assert [4, 2, 6] == [len(large), len(small), pool.users]


def test_room_is_given_back_with_the_partition_and_replays_have_none() -> None:
    """Whoever was known of it is known no longer, and the others may have more."""
    bench = Bench(known_users_max=4)
    first, replays, second = bench.assignment, bench.assign(Partition("r", 0)), bench.assign(Partition("segment", 1))
    replays.of_replays()
    for user in USERS:
        for assignment in (first, replays, second):
            assignment.known.add(user)

    assert [2, 0, 2] == [len(assignment.known) for assignment in (first, replays, second)]

    bench.sequencer.drop(second.partition, HandBack.REVOKED)
    for user in USERS:
        for assignment in (first, replays, second):
            assignment.known.add(user)

    assert [4, 0, 0] == [len(assignment.known) for assignment in (first, replays, second)]
