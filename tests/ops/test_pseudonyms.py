"""A pseudonym: the same for all who have the settings, another one for each user, and no id in it."""

from __future__ import annotations

from binascii import crc32

import pytest

from consumer.ops import pseudonyms as pseudonyms_module
from consumer.ops.pseudonyms import Pseudonyms, is_pseudonym
from consumer.sequencing.events import User

PSEUDONYMS = Pseudonyms("customfit-consumer", "https://api.customfit.ai/v1/cfe")


def test_it_is_what_it_was_in_the_last_release() -> None:
    """Members of two releases, and the logs of last week, name a user alike."""
    assert "9ebb7c63b02b" == PSEUDONYMS.of(User("ann"))


def test_whoever_has_the_same_settings_calls_a_user_the_same() -> None:
    """Another member, or a command; no process has a salt of its own."""
    again = Pseudonyms("customfit-consumer", "https://api.customfit.ai/v1/cfe")

    assert PSEUDONYMS.of(User("ann")) == again.of(User("ann"))


def test_another_group_or_destination_calls_them_something_else() -> None:
    """Nor does it help to move a character from one name to the other."""
    names = [("customfit-consumer", "a"), ("customfit-consumera", ""), ("customfit", "-consumera")]

    assert len(names) == len({Pseudonyms(*name).of(User("ann")) for name in names})


def test_a_user_id_and_an_anonymous_id_of_the_same_text_are_two_users() -> None:
    """As in the lanes and in the state."""
    assert PSEUDONYMS.of(User("ann")) != PSEUDONYMS.of(User("ann", anonymous=True))


@pytest.mark.parametrize("user_id", ["ann", "", "a" * 512, "Zoë 😀", "half of a pair: \ud83d", "nul \0"])
def test_any_id_has_one(user_id: str) -> None:
    """12 hexadecimal digits, whatever stands in it."""
    assert is_pseudonym(PSEUDONYMS.of(User(user_id)))


def test_users_are_found_by_it() -> None:
    """Each of them, and nobody else: also those who lie in the same drawer."""
    users = [User(f"user-{number}", anonymous=number % 2 == 0) for number in range(2000)]

    assert users == [PSEUDONYMS.find(PSEUDONYMS.of(user), users) for user in users]
    assert PSEUDONYMS.find(PSEUDONYMS.of(User("nobody")), users) is None


def test_many_are_searched_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where an id of the part has half of a surrogate pair, which UTF-8 has no place for."""
    monkeypatch.setattr(pseudonyms_module, "SEARCHED_AT_ONCE", 3)
    users = [User(id_, anonymous) for id_ in ("ann", "bob \ud83d", "cid", "dan", "eve") for anonymous in (False, True)]

    assert users == [PSEUDONYMS.find(PSEUDONYMS.of(user), iter(users)) for user in users]
    assert PSEUDONYMS.find(PSEUDONYMS.of(User("fay")), users) is None


def test_without_the_key_it_does_not_say_in_which_drawer_an_id_lies() -> None:
    """The last two digits of users of one drawer are as different as those of any others."""
    users = [User(f"{number}") for number in range(25_600) if crc32(f"{number}".encode()) & 0xFF == 7]

    assert len(users) > 50
    assert len({PSEUDONYMS.of(user)[-2:] for user in users}) > len(users) / 2


@pytest.mark.parametrize("text", ["", "0123456789a", "0123456789abc", "0123456789aB", "0123456789ag", "0123456789ab\n"])
def test_what_has_another_form_is_none(text: str) -> None:
    """One too short or too long, capitals, other letters, a line's end."""
    assert not is_pseudonym(text)
