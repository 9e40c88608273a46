"""GET /users/{pseudonym}, with a loop that a test answers for: who may ask, what is asked, and what never goes out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from consumer.ops import users as users_module
from consumer.ops.pseudonyms import Pseudonyms
from consumer.ops.server import Asked, HttpServer, Page, Reader, Route
from consumer.ops.snapshot import Phase
from consumer.ops.users import ASKING_MAX, FOLDER, Users, is_here
from consumer.ports.inputs import InHandAsked, Input, WaitsAsked
from consumer.sequencing.events import Partition, User
from consumer.sequencing.user_waits import InHand, UserWaits, Why
from tests.ops.given_server import ask
from tests.ops.given_snapshot import snapshot
from tests.settings.given_settings import load

PSEUDONYMS = Pseudonyms("customfit-consumer", "here")
ANN, BOB, CID = User("ann-the-raw-id"), User("bob"), User("cid", anonymous=True)


class Member:
    """A loop that has ann's events and knows bob and cid; and its page."""

    def __init__(self, allowed: str = "loopback") -> None:
        self.asked: list[Input] = []
        self.snapshot = replace(snapshot(), pseudonyms=PSEUDONYMS)
        self.hangs = False
        settings = load(http_users=allowed)
        self._users = Users(settings, self._post, lambda: self.snapshot, self._identified_at)

    def get(self, name: str, client: str = "127.0.0.1", own: str = "127.0.0.1") -> Page:
        """Ask."""
        return self._users.answer(Asked(FOLDER + name, client=client, own=own))

    def told(self, user: User) -> Any:
        """What is said of a user."""
        page = self.get(PSEUDONYMS.of(user))
        assert page.status == 200
        return msgspec.json.decode(page.body)

    @property
    def answer(self) -> Callable[[Asked], Page]:
        """For a server."""
        return self._users.answer

    def _post(self, item: Input) -> None:
        self.asked.append(item)
        if self.hangs:
            return
        match item:
            case InHandAsked(answer):
                answer.set_result(InHand([ANN], [BOB.id, CID]))
            case WaitsAsked(users, answer):
                of_lane = UserWaits(Partition("segment-events", 1), ANN, Why.QUEUED, False, True)
                answer.set_result([of_lane for user in users if user == ANN])
            case _:
                raise AssertionError(item)

    @staticmethod
    def _identified_at(user: User) -> Future[dict[str, dict[int, int]]]:
        answer: Future[dict[str, dict[int, int]]] = Future()
        answer.set_result({"elsewhere": {0: 1_795_428_000_456}} if user == BOB else {})
        return answer


def test_whoever_has_events_in_hand_is_found() -> None:
    """By the pseudonym alone: the loop is asked of whom there is anything, and then of the one."""
    member = Member()
    said = member.told(ANN)

    assert ("queued", 1) == (said["waits"][0]["why"], said["waits"][0]["partition"])
    assert [InHandAsked, WaitsAsked] == [type(item) for item in member.asked]
    assert (PSEUDONYMS.of(ANN), True) == (said["user"], said["here"])


def test_whoever_is_only_remembered_is_said_to_be_identified() -> None:
    """With what the stored state says of them; nothing of theirs is here."""
    member = Member()

    for user, identified_at in ((BOB, {"elsewhere": {"0": "2026-11-23T10:00:00.456+00:00"}}), (CID, {})):
        said = member.told(user)
        assert (False, True, identified_at) == (said["here"], said["identified"], said["identified_at"]), user


def test_of_a_stranger_nothing_is_known() -> None:
    """The stored state can't be asked: nobody here has the id."""
    said = Member().told(User("ann"))

    assert (False, None, None) == (said["here"], said["identified"], said["identified_at"])


@pytest.mark.parametrize(
    "name", ["", "ann-the-raw-id", "0123456789a", "0123456789abc", "0123456789AB", "%30123456789a"]
)
def test_what_is_no_pseudonym_is_not_found(name: str) -> None:
    """And is neither repeated nor looked for: somebody may have put an id there."""
    member = Member()
    page = member.get(name)

    assert (404, []) == (page.status, member.asked)
    assert not name or name.encode() not in page.body


@pytest.mark.parametrize(
    ("allowed", "client", "own", "status"),
    [
        ("loopback", "127.0.0.1", "127.0.0.1", 200),
        ("loopback", "127.8.9.1", "127.0.0.1", 200),
        ("loopback", "::1", "::1", 200),
        ("loopback", "::ffff:127.0.0.1", "::ffff:127.0.0.2", 200),
        ("loopback", "10.0.0.7", "10.0.0.7", 200),
        ("loopback", "fe80::1%eth0", "fe80::1%eth0", 200),
        ("loopback", "10.0.0.8", "10.0.0.7", 403),
        ("loopback", "::ffff:10.0.0.8", "::ffff:10.0.0.7", 403),
        ("loopback", "fe80::2%eth0", "fe80::1%eth0", 403),
        ("all", "10.0.0.8", "10.0.0.7", 200),
        ("off", "127.0.0.1", "127.0.0.1", 404),
    ],
)
def test_who_may_ask_is_a_setting(allowed: str, client: str, own: str, status: int) -> None:
    """By default its own machine: on loopback, or at an address of its own. Whoever may not learns which setting."""
    member = Member(allowed)
    page = member.get(PSEUDONYMS.of(ANN), client, own)

    assert status == page.status
    assert (status == 200) is bool(member.asked)
    assert (status == 403) is (b"CUSTOMFIT_HTTP_USERS=all" in page.body)


def test_a_loop_that_hangs_is_said_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """503 after a second; what it was asked is taken back."""
    monkeypatch.setattr(users_module, "LOOP_SECONDS", 0.02)
    member = Member()
    member.hangs = True
    page = member.get(PSEUDONYMS.of(ANN))

    assert (503, True) == (page.status, b"the loop has not answered" in page.body)
    (asked,) = member.asked
    assert isinstance(asked, InHandAsked)
    assert asked.answer.cancelled()


def test_who_waits_for_the_searches_of_others_is_not_told_that_the_loop_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """That would be a reason to restart."""
    monkeypatch.setattr(users_module, "TURN_SECONDS", 0.02)
    monkeypatch.setattr(users_module, "LOOP_SECONDS", 10.0)
    member = Member()
    member.hangs = True
    first = threading.Thread(target=lambda: member.get("0" * 12))
    first.start()
    while not member.asked:
        time.sleep(0.001)
    page = member.get("1" * 12)
    _answer(member.asked[0]).set_result(InHand([], []))
    first.join(timeout=60)

    assert (503, True) == (page.status, b"others have asked about users" in page.body)


def test_searches_rest_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a search of 200,000 users that takes 50 ms: who asks without a pause waits."""
    slept: list[float] = []
    cpu = count(0.0, 0.05)
    clock = SimpleNamespace(monotonic=lambda: 100.0, time=time.time, thread_time=lambda: next(cpu), sleep=slept.append)
    monkeypatch.setattr(users_module, "time", clock)
    member = Member()
    member.told(ANN)
    member.told(ANN)

    assert [0.0, 0.2] == [round(seconds, 6) for seconds in slept]


def test_a_member_that_starts_has_no_loop_yet() -> None:
    """It says so at once."""
    member = Member()
    member.snapshot = replace(member.snapshot, phase=Phase.STARTING)

    assert (503, []) == (member.get(PSEUDONYMS.of(ANN)).status, member.asked)


def test_many_who_ask_at_once_take_few_of_the_server_s_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fifth is sent away at once, so that a probe never waits; one search at a time."""
    monkeypatch.setattr(users_module, "LOOP_SECONDS", 5.0)
    monkeypatch.setattr(users_module, "TURN_SECONDS", 5.0)
    member = Member()
    member.hangs = True
    pages: list[Page] = []
    threads = [threading.Thread(target=lambda: pages.append(member.get("0" * 12))) for _ in range(ASKING_MAX + 1)]
    for thread in threads:
        thread.start()
    while not pages or not member.asked:
        time.sleep(0.001)

    assert [(503, True)] == [(page.status, b"4 others are asking" in page.body) for page in pages]
    assert 1 == len(member.asked)
    while any(thread.is_alive() for thread in threads):
        for item in member.asked:
            if not (answer := _answer(item)).done():
                answer.set_result(InHand([], []))
        time.sleep(0.001)
    assert [503, *[200] * ASKING_MAX] == [page.status for page in pages]


def _answer(item: Input) -> Future[Any]:
    assert isinstance(item, InHandAsked | WaitsAsked)
    return item.answer


@pytest.fixture
def server() -> Iterator[HttpServer]:
    """One that has the page, and none other."""
    member = Member()
    server = HttpServer("127.0.0.1", 0, {FOLDER: Route(member.answer, Reader.VIEWER)})
    server.start()
    yield server
    server.close()


def test_the_server_serves_it_below_its_folder(server: HttpServer) -> None:
    """The pseudonym is the last part of the path; a query is none of it."""
    path = f"{FOLDER}{PSEUDONYMS.of(ANN)}"

    assert [200, 200] == [ask(server, asked)[0].status for asked in (path, f"{path}?x=1")]
    assert [404] * 4 == [ask(server, asked)[0].status for asked in (FOLDER, "/users", f"{path}/more", f"/more{path}")]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "forwarded", "Via"])
def test_whom_a_proxy_on_this_machine_asks_for_is_not_here(server: HttpServer, header: str) -> None:
    """The proxy connects from loopback, and its client may be anybody."""
    response, body = ask(server, f"{FOLDER}{PSEUDONYMS.of(ANN)}", **{header: "10.0.0.8"})

    assert (403, True) == (response.status, b"CUSTOMFIT_HTTP_USERS=all" in body)


def test_no_id_is_in_what_is_answered(server: HttpServer) -> None:
    """Whoever has the pseudonym learns no more of who it is."""
    response, body = ask(server, f"{FOLDER}{PSEUDONYMS.of(ANN)}")

    assert b"ann-the-raw-id" not in body + str(response.getheaders()).encode()


def test_an_address_is_here_or_is_not() -> None:
    """Loopback in any spelling; or the very address that is asked, which only this machine can have."""
    assert [True, True, False] == [
        is_here("::1", "10.0.0.7"),
        is_here("10.0.0.7", "10.0.0.7"),
        is_here("10.0.0.70", "10.0.0.7"),
    ]
