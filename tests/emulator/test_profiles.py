"""What the emulator keeps of each user: its limits, and what is still true beyond them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from consumer.emulator import profile_view
from consumer.emulator.contract import read_call
from consumer.emulator.ledger import Ledger
from consumer.emulator.profiles import CONTENTS_BYTES_MAX, IDENTIFIES_MAX, Limits
from consumer.emulator.properties import NAMES_MAX, VALUE_CHARACTERS_MAX
from tests.emulator.emulator_calls import events, identify, introduction, track, track_event


def book(file: Path | None = None, **limits: int) -> Ledger:
    """A ledger whose clock stands."""
    return Ledger(clock=lambda: 1_795_925_045.5, file=file, profile_limits=Limits(**limits))


def send(ledger: Ledger, *bodies: dict[str, Any]) -> None:
    """Have these accepted."""
    for body in bodies:
        ledger.accept(read_call(json.dumps(body).encode()), answered=True)


def traits(user: str, **properties: Any) -> dict[str, Any]:
    """An identify with these."""
    body = identify(user)
    body["user"]["properties"] = properties
    return body


def listed(ledger: Ledger, prefix: str = "") -> list[str]:
    """The users as the page lists them."""
    return [user.user_id for user in profile_view.users(ledger, prefix)["listed"]]


def properties(ledger: Ledger, user: str = "ann") -> dict[str, str]:
    """Name → what is shown."""
    found = profile_view.profile(ledger, user, anonymous=False)
    return {one.name: one.value.text for one in (found or {})["properties"]}


def kept_bytes(ledger: Ledger) -> int:
    """By the profiles' own count, which must be that of what there is."""
    with ledger.profiles() as profiles:
        assert profiles.size_bytes == sum(profile.size_bytes for profile in profiles.newest())
        return profiles.size_bytes


# --- limits


def test_beyond_the_limit_who_was_silent_longest_is_forgotten() -> None:
    """Not who came first: a user who goes on stays."""
    ledger = book(users_max=3)
    send(ledger, *(introduction(user) for user in "abc"), track("a"), introduction("d"), introduction("e"))

    assert ["e", "d", "a"] == listed(ledger)
    assert {"kept": 3, "kept_max": 3, "forgotten": 2} == {
        name: profile_view.users(ledger, "")[name] for name in ("kept", "kept_max", "forgotten")
    }
    assert profile_view.profile(ledger, "b", anonymous=False) is None


def test_a_load_test_can_do_without() -> None:
    """With no user to be kept nothing is; the ledger has it all."""
    ledger = book(users_max=0)
    send(ledger, identify("ann"), track("ann"))

    assert [] == listed(ledger)
    assert 0 == kept_bytes(ledger)
    assert 2 == ledger.summary()["accepted"]


def test_of_a_user_the_newest_events_are_kept() -> None:
    """And numbered as they came, from the first on."""
    ledger = book(events_max=5)
    for number in range(4):
        send(ledger, events("ann", *(track_event(f"t{number}-{place}") for place in range(2))))
    found = profile_view.events(ledger, "ann", anonymous=False) or {}

    assert (8, 4) == (found["events"], found["events_kept"])
    assert [(8, "t3-1"), (7, "t3-0"), (6, "t2-1"), (5, "t2-0")] == [
        (one.number, one.insert_id) for one in found["listed"]
    ]


def test_a_request_larger_than_the_limit_is_shown_to_the_limit() -> None:
    """One request is never taken apart in memory, so the page does it."""
    ledger = book(events_max=5)
    send(ledger, events("ann", *(track_event(f"t{place}") for place in range(12))))
    found = profile_view.events(ledger, "ann", anonymous=False) or {}

    assert [12, 11, 10, 9, 8] == [one.number for one in found["listed"]]
    assert (5, 0) == (found["events_kept"], found["older"])


def test_properties_stay_when_the_identifies_that_set_them_are_gone() -> None:
    """Without a time; the numbers of identifies go on."""
    ledger = book()
    send(ledger, traits("ann", plan="free", first=1))
    send(ledger, *(traits("ann", plan=f"p{number}") for number in range(IDENTIFIES_MAX + 1)))
    found = profile_view.profile(ledger, "ann", anonymous=False) or {}

    assert {"plan": f"p{IDENTIFIES_MAX}", "first": "1"} == properties(ledger)
    assert [None] == [one.since for one in found["properties"] if one.name == "first"]
    assert (IDENTIFIES_MAX + 2, IDENTIFIES_MAX) == (found["identifies"], found["identifies_kept"])
    assert found["complete"]
    oldest = found["listed"][-1]
    assert (3, "p0", "p1") == (oldest.number, oldest.changes[0].before.text, oldest.changes[0].after.text)


def test_bytes_have_a_limit_for_all_together() -> None:
    """Whole users are forgotten; of one who alone is too much, the oldest."""
    ledger = book(bytes_max=20_000)
    for number in range(40):
        send(ledger, traits(f"u{number}", text="x" * 500))
        assert 20_000 >= kept_bytes(ledger)
    assert "u39" == listed(ledger)[0]
    assert 5 < len(listed(ledger)) < 40

    for number in range(60):
        send(ledger, traits("ann", text="x" * 500 + str(number)))
        send(ledger, events("ann", track_event(f"t{number}", properties={"text": "x" * 500})))
        assert 20_000 >= kept_bytes(ledger)
    assert "ann" == listed(ledger)[0]
    assert properties(ledger)["text"].startswith("x")
    found = profile_view.events(ledger, "ann", anonymous=False) or {}
    assert 60 == found["events"]
    assert "t59" == found["listed"][0].insert_id


def test_too_large_traits_are_not_kept_and_said_to_be_missing() -> None:
    """The identify itself is."""
    ledger = book()
    send(ledger, traits("ann", plan="pro"), traits("ann", text="x" * CONTENTS_BYTES_MAX))
    found = profile_view.profile(ledger, "ann", anonymous=False) or {}

    assert [False, True] == [one.known for one in found["listed"]]
    assert {"plan": "pro"} == properties(ledger)
    assert not found["complete"]


def test_names_have_a_limit() -> None:
    """Of a user, however many identifies bring new ones; and of one request."""
    ledger = book()
    for start in range(0, 2 * NAMES_MAX, NAMES_MAX // 2):
        send(ledger, traits("ann", **{f"n{start + number}": 1 for number in range(NAMES_MAX // 2)}))
    send(ledger, events("ann", track_event(properties={f"n{number}": 1 for number in range(NAMES_MAX + 5)})))
    found = profile_view.profile(ledger, "ann", anonymous=False) or {}
    [event] = (profile_view.events(ledger, "ann", anonymous=False) or {})["listed"]

    assert NAMES_MAX == len(found["properties"])
    assert not found["complete"]
    assert (NAMES_MAX, 5) == (len(event.properties), event.left_out)


def test_a_list_of_users_has_a_limit_and_the_search_finds_the_others() -> None:
    """By how an id begins, whatever the case of its letters."""
    ledger = book()
    send(ledger, introduction("Straße-1"), *(introduction(f"u{number}") for number in range(profile_view.USERS_LISTED)))
    told = profile_view.users(ledger, "")

    assert (profile_view.USERS_LISTED + 1, profile_view.USERS_LISTED) == (told["found"], len(told["listed"]))
    assert ["Straße-1"] == listed(ledger, "STRASSE")
    assert [] == listed(ledger, "1")


# --- what is shown


def test_values_stay_what_was_sent() -> None:
    """Numbers to the last digit, escapes as what they stand for, long texts up to a limit that is said."""
    ledger = book()
    body = json.dumps(traits("ann", id=0)).replace(
        '"id": 0',
        r'"id": 12345678901234567890123, "total": 27.50, "escaped": "\ud83d\ude00\n\"", "list": [1, {"a": null}],'
        r' "text": "' + "é" * (VALUE_CHARACTERS_MAX + 3) + '"',
    )
    ledger.accept(read_call(body.encode()), answered=True)
    found = profile_view.profile(ledger, "ann", anonymous=False) or {}
    shown = {one.name: (one.value.type, one.value.text, one.value.cut_characters) for one in found["properties"]}

    assert ("number", "12345678901234567890123", 0) == shown["id"]
    assert ("number", "27.50", 0) == shown["total"]
    assert ("text", '\U0001f600\n"', 0) == shown["escaped"]
    assert ("list", '[1, {"a": null}]', 0) == shown["list"]
    assert ("text", "é" * VALUE_CHARACTERS_MAX, 3) == shown["text"]


def test_after_a_restart_the_file_gives_users_and_events_without_contents(tmp_path: Path) -> None:
    """What it does not have is said to be missing; an introduction had nothing."""
    first = book(tmp_path / "ledger")
    send(first, introduction("ann"), identify("ann"), track("ann"))
    first.close()
    ledger = book(tmp_path / "ledger")
    found = profile_view.profile(ledger, "ann", anonymous=False) or {}
    happened = profile_view.events(ledger, "ann", anonymous=False) or {}
    ledger.close()

    assert [(2, False), (1, True)] == [(one.number, one.known) for one in found["listed"]]
    assert not found["complete"]
    assert [("Order Completed", "t1", None, False)] == [
        (one.name, one.insert_id, one.happened_at, one.known) for one in happened["listed"]
    ]


def test_a_property_has_the_time_of_the_identify_that_changed_it() -> None:
    """Not of one that said it again."""
    times = iter((1_795_925_001.0, 1_795_925_002.0))
    ledger = Ledger(clock=lambda: next(times))
    send(ledger, traits("ann", plan="free", seats=1), traits("ann", plan="pro", seats=1))
    found = profile_view.profile(ledger, "ann", anonymous=False) or {}

    assert {"plan": "2026-11-29T04:03:22.000Z", "seats": "2026-11-29T04:03:21.000Z"} == {
        one.name: one.since for one in found["properties"]
    }
