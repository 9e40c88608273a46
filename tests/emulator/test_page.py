"""The emulator's page over HTTP: its files, its headers, and what it is told of users."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import httpx
import pytest

from consumer.emulator.profile_view import EVENTS_LISTED
from consumer.emulator.server import Emulator
from tests.emulator.emulator_calls import TIMESTAMP, events, identify, introduction, track, track_event

FILES = ("/", "/page.css", "/page.js", "/show.js", "/texts.js")
TOLD = ("/users", "/users/profile?user=ann", "/users/events?user=ann")


async def told(client: httpx.AsyncClient, path: str, **query: str) -> dict[str, Any]:
    """What this path answers."""
    answer = await client.get(path, params=query)
    assert 200 == answer.status_code, answer.text
    return dict(answer.json())


# --- the page itself


@pytest.mark.parametrize("path", FILES + TOLD)
async def test_every_answer_forbids_what_the_page_does_not_need(client: httpx.AsyncClient, path: str) -> None:
    """No outside script, no frame around it, no copy in a cache, no guessed type; and nothing but GET."""
    await client.post("/v1/cfe", json=identify("ann"))
    answer = await client.get(path)

    assert 200 == answer.status_code
    assert (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ) == answer.headers["content-security-policy"]
    assert ("no-store", "nosniff", "no-referrer") == tuple(
        answer.headers[name] for name in ("cache-control", "x-content-type-options", "referrer-policy")
    )
    for method in ("HEAD", "POST", "PUT", "DELETE"):
        assert 405 == (await client.request(method, path)).status_code
    assert "GET" == (await client.post(path)).headers["allow"]


async def test_files_have_their_types(client: httpx.AsyncClient) -> None:
    """With `nosniff` a script of another type would not run."""
    types = [(await client.get(path)).headers["content-type"].partition(";")[0] for path in FILES]

    assert ["text/html", "text/css", *["text/javascript"] * 3] == types


def test_the_page_asks_nobody_else() -> None:
    """No address, no style or script in the markup, nothing that takes text for markup."""
    names = [file.name for file in files("consumer.emulator").joinpath("web").iterdir()]
    texts = {name: (files("consumer.emulator") / "web" / name).read_text() for name in names}
    forbidden = re.compile(
        r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|style=|\bon\w+=|<script>"
    )

    assert sorted(path.removeprefix("/") or "index.html" for path in FILES) == sorted(names)
    assert [] == [(name, found) for name, text in texts.items() for found in forbidden.findall(text)]


# --- users


async def test_users_are_listed_newest_first_with_what_is_known(client: httpx.AsyncClient) -> None:
    """The same text as a userId and as an anonymousId is two users."""
    for body in (identify("ann"), introduction("bob"), track("ann"), events("ann", track_event(), anonymous=True)):
        await client.post("/v1/cfe", json=body)
    answer = await told(client, "/users")

    names = ("user_id", "anonymous", "identified", "last", "events", "identifies")
    assert [
        ("ann", True, False, "Order Completed", 1, 0),
        ("ann", False, True, "Order Completed", 1, 1),
        ("bob", False, True, "identify", 0, 1),
    ] == [tuple(one[name] for name in names) for one in answer["listed"]]
    assert "2026-11-29T04:04:05.500Z" == answer["now"] == answer["listed"][0]["last_at"]
    assert (3, 10_000, 0, 3) == tuple(answer[name] for name in ("kept", "kept_max", "forgotten", "found"))


async def test_users_are_found_by_how_their_id_begins(client: httpx.AsyncClient) -> None:
    """Any text, percent-encoded; text that is none is said to be none."""
    for user in ("ann", "Anna", "joann", "a&b=c", "ünal"):
        await client.post("/v1/cfe", json=introduction(user))

    async def found(prefix: str) -> list[str]:
        return [one["user_id"] for one in (await told(client, "/users", prefix=prefix))["listed"]]

    assert ["Anna", "ann"] == await found("an")
    assert ["a&b=c"] == await found("a&b=")
    assert ["ünal"] == await found("ü")
    assert [] == await found("x")
    assert 400 == (await client.get("/users?prefix=%ff")).status_code
    assert 400 == (await client.get("/users?pre=a")).status_code


async def test_faults_are_named_and_keys_are_not(client: httpx.AsyncClient) -> None:
    """Whoever looks sees that it fails on purpose; of lists no entry is shown, since it may be a key."""
    await client.post("/control", json={"fail_rate": 0.5, "hang": False, "reject_keys": ["a-secret-key"]})
    await client.post("/v1/cfe", headers={"Authorization": "Bearer a-secret-key"}, json=identify("ann"))
    answer = await told(client, "/users")

    assert ["fail_rate 0.5", "reject_keys"] == answer["faults"]
    assert {"401": 1} == answer["refused"]


async def test_no_key_is_in_any_answer(client: httpx.AsyncClient) -> None:
    """Neither that of a header nor that of a query."""
    await client.post("/v1/cfe", json=identify("ann"))
    await client.post("/v1/cfe?cfenc=another-key-of-the-tests", headers={"Authorization": ""}, json=track("ann"))
    texts = [(await client.get(path)).text for path in TOLD]

    assert [] == [text for text in texts if "key-of-the-tests" in text]


# --- one user


async def test_a_profile_shows_each_identify_with_what_it_changed(client: httpx.AsyncClient) -> None:
    """Set, changed, said again; the newest first, and what holds now on top."""
    for number, traits in enumerate([{"plan": "free", "seats": 1}, {"plan": "pro"}, {"plan": "pro", "seats": 1}]):
        body = identify("ann", insert_id=f"i{number}")
        body["user"]["properties"] = traits
        await client.post("/v1/cfe", json=body)
    answer = await told(client, "/users/profile", user="ann")

    def texts(change: dict[str, Any]) -> tuple[str, str | None, str]:
        return change["name"], change["before"] and change["before"]["text"], change["after"]["text"]

    assert [("plan", "pro"), ("seats", "1")] == [(one["name"], one["value"]["text"]) for one in answer["properties"]]
    assert [
        (3, "i2", [], 2),
        (2, "i1", [("plan", "free", "pro")], 0),
        (1, "i0", [("plan", None, "free"), ("seats", None, "1")], 0),
    ] == [
        (one["number"], one["insert_id"], list(map(texts, one["changes"])), one["unchanged"])
        for one in answer["listed"]
    ]
    assert (TIMESTAMP, "2026-11-29T04:04:05.500Z") == (
        answer["listed"][0]["happened_at"],
        answer["listed"][0]["arrived_at"],
    )
    assert answer["complete"]


async def test_an_introduction_is_said_to_be_one(client: httpx.AsyncClient) -> None:
    """It sets nothing; nor does an identify of the sdk dialect without properties, which has no insert_id either."""
    await client.post("/v1/cfe", json=introduction("ann"))
    await client.post("/v1/cfe", json={"user": {"user_customer_id": "ann", "anonymous": False}, "events": []})
    answer = await told(client, "/users/profile", user="ann")

    assert [(True, [], None, None), (True, [], "introduction-ann", TIMESTAMP)] == [
        (one["introduction"], one["changes"], one["insert_id"], one["happened_at"]) for one in answer["listed"]
    ]
    assert [] == answer["properties"]


async def test_events_are_shown_with_name_data_time_and_insert_id(client: httpx.AsyncClient) -> None:
    """Tracks, pages and screens as they came, and nothing of another user."""
    page = {"event_type": "pageview", "insert_id": "p1", "event_timestamp": TIMESTAMP, "name": "Home"}
    screen = {"event_type": "screenview", "insert_id": "s1", "event_timestamp": TIMESTAMP, "properties": {"a": None}}
    for body in (identify("ann"), events("ann", track_event(), page, screen), track("bob")):
        await client.post("/v1/cfe", json=body)
    answer = await told(client, "/users/events", user="ann")

    assert [
        (3, "screenview", None, "s1", [("a", "null", "null")]),
        (2, "pageview", "Home", "p1", []),
        (1, "track", "Order Completed", "t1", [("total", "number", "27.5")]),
    ] == [
        (
            one["number"],
            one["kind"],
            one["name"],
            one["insert_id"],
            [(named["name"], named["value"]["type"], named["value"]["text"]) for named in one["properties"]],
        )
        for one in answer["listed"]
    ]
    assert {(TIMESTAMP, "2026-11-29T04:04:05.500Z", True)} == {
        (one["happened_at"], one["arrived_at"], one["known"]) for one in answer["listed"]
    }


async def test_older_events_are_asked_for_by_number(client: httpx.AsyncClient) -> None:
    """Without a gap, and without one twice."""
    for number in range(1, 2 * EVENTS_LISTED + 11):
        await client.post("/v1/cfe", json=track("ann", f"t{number}"))
    newest = await told(client, "/users/events", user="ann")
    older = await told(client, "/users/events", user="ann", before=str(newest["listed"][-1]["number"]))
    oldest = await told(client, "/users/events", user="ann", before=str(older["listed"][-1]["number"]))

    numbers = [one["number"] for answer in (newest, older, oldest) for one in answer["listed"]]
    assert list(range(2 * EVENTS_LISTED + 10, 0, -1)) == numbers
    assert [EVENTS_LISTED + 10, 10, 0] == [answer["older"] for answer in (newest, older, oldest)]
    for beyond in ("1", "0"):
        assert [] == (await told(client, "/users/events", user="ann", before=beyond))["listed"]
    of_all = await told(client, "/users/events", user="ann", before="9" * 40)
    assert newest == of_all


async def test_what_came_twice_and_whose_answer_was_lost_is_marked(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    """A lost answer is why the consumer sends it again."""
    await client.post("/v1/cfe", json=introduction("ann"))
    emulator.faults.reset_rate = 1.0
    with pytest.raises(httpx.TransportError):
        await client.post("/v1/cfe", json=track("ann"))
    emulator.faults.reset_rate = 0.0
    await client.post("/v1/cfe", json=track("ann"))
    answer = await told(client, "/users/events", user="ann")

    assert [(2, True, True), (1, False, False)] == [
        (one["number"], one["again"], one["answered"]) for one in answer["listed"]
    ]


@pytest.mark.parametrize("path", ["/users/profile", "/users/events"])
async def test_nobody_is_404_and_a_question_that_is_none_400(client: httpx.AsyncClient, path: str) -> None:
    """An anonymous user of the name is another one."""
    await client.post("/v1/cfe", json=identify("ann"))

    for query in ("user=bob", "user=ann&anonymous=1", "user="):
        assert 404 == (await client.get(f"{path}?{query}")).status_code
    for query in ("", "usr=ann", "user=%ff", "user=ann&limit=3"):
        assert 400 == (await client.get(f"{path}?{query}")).status_code
    assert 400 == (await client.get(f"/users/events?user=ann&before={path}")).status_code


async def test_a_reset_forgets_users_too(client: httpx.AsyncClient) -> None:
    """As it does the ledger."""
    await client.post("/v1/cfe", json=identify("ann"))
    await client.post("/reset")

    assert [] == (await told(client, "/users"))["listed"]
    assert 404 == (await client.get("/users/profile?user=ann")).status_code


async def test_what_last_and_the_ledger_say_is_as_it_was(client: httpx.AsyncClient) -> None:
    """The page has answers of its own; the entry of a request has the same fields."""
    await client.post("/v1/cfe", json=track("ann"))
    listed = (await told(client, "/ledger", entries="1"))["listed"]

    assert [
        {
            "sequence": 1,
            "accepted_at": 1_795_925_045.5,
            "user_id": "ann",
            "anonymous": False,
            "dialect": "destination",
            "kinds": ["track"],
            "names": ["Order Completed"],
            "insert_ids": ["t1"],
            "identify": None,
            "answered": True,
        }
    ] == listed
