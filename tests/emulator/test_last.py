"""The emulator answers what arrived last, and what arrived of a user: over HTTP, with the contents."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from consumer.emulator.contents import ENTRY_BYTES, Contents
from consumer.emulator.contract import read_call
from consumer.emulator.server import Emulator
from tests.emulator.emulator_calls import events, identify, introduction, track, track_event


async def last(client: httpx.AsyncClient, **query: str) -> dict[str, Any]:
    """What `GET /last` says."""
    answer = await client.get("/last", params=query)
    assert 200 == answer.status_code, answer.text
    return dict(answer.json())


async def test_what_arrived_last_is_shown_with_its_contents(client: httpx.AsyncClient) -> None:
    """Oldest first, as a log has it: when, of whom, each event with its name, traits or properties."""
    for body in (identify("ann"), events("ann", track_event("t1"), track_event("t2", "Logged Out", properties={}))):
        await client.post("/v1/cfe", json=body)
    answer = await last(client)

    assert {"requests": 2, "accepted": 2, "refused": {}, "dropped": {}} == {
        name: value for name, value in answer.items() if name != "last"
    }
    assert {
        "sequence": 2,
        "arrived_at": "2026-11-29T04:04:05.500Z",
        "user_id": "ann",
        "anonymous": False,
        "dialect": "destination",
        "identify": None,
        "answered": True,
        "contents_kept": True,
        "events": [
            {"kind": "track", "name": "Order Completed", "insert_id": "t1", "properties": {"total": 27.5}},
            {"kind": "track", "name": "Logged Out", "insert_id": "t2", "properties": {}},
        ],
    } == answer["last"][1]
    assert [{"kind": "identify", "name": None, "insert_id": "identify-ann", "properties": {"plan": "pro"}}] == (
        answer["last"][0]["events"]
    )


async def test_what_arrived_of_a_user_is_theirs_alone(client: httpx.AsyncClient) -> None:
    """Also where another's id or event name holds this one's, in quotes; and it says whether they are identified."""
    strange = 'x","user_id":"ann",'
    for body in (identify("ann"), identify(strange), track(strange, name='"user_id":"ann",'), track("ann")):
        await client.post("/v1/cfe", json=body)
    await client.post("/v1/cfe", json=events("bob", track_event("t9"), anonymous=True))

    assert [1, 4] == [one["sequence"] for one in (await last(client, user="ann"))["last"]]
    assert [2, 3] == [one["sequence"] for one in (await last(client, user=strange))["last"]]
    assert [True] == [one["anonymous"] for one in (await last(client, user="bob"))["last"]]
    assert [True, False, False] == [
        (await last(client, user=user))["identified"] for user in ("ann", "bob", "nobody here")
    ]
    assert [] == (await last(client, user="nobody here"))["last"]


async def test_only_as_many_as_are_asked_for(client: httpx.AsyncClient) -> None:
    """Ten, or `limit`: the newest ones."""
    for number in range(12):
        await client.post("/v1/cfe", json=introduction(f"u{number}"))

    assert 10 == len((await last(client))["last"])
    assert ["u10", "u11"] == [one["user_id"] for one in (await last(client, limit="2"))["last"]]


@pytest.mark.parametrize("query", ["limit=x", "limit=0", "user=%ff", "usr=ann"])
async def test_a_question_that_is_none_is_said_to_be_none(client: httpx.AsyncClient, query: str) -> None:
    """400 and what there is to ask."""
    answer = await client.get(f"/last?{query}")

    assert 400 == answer.status_code
    assert "`user`" in answer.json()["reason"]


async def test_refusals_are_counted_beside_it(client: httpx.AsyncClient) -> None:
    """Whoever misses an event sees that it was not accepted."""
    await client.post("/v1/cfe", json={})

    assert {"400": 1} == (await last(client))["refused"]


async def test_a_reset_forgets_the_contents_too(emulator: Emulator, client: httpx.AsyncClient) -> None:
    """What is counted from 1 again has its own contents, not those of before."""
    await client.post("/v1/cfe", json=identify("ann"))
    await client.post("/reset")
    await client.post("/v1/cfe", json=introduction("bob"))
    [only] = (await last(client))["last"]

    assert (1, "bob", True) == (only["sequence"], only["user_id"], only["contents_kept"])
    assert "properties" not in only["events"][0]
    assert [(None,)] == [contents for _, contents in emulator.ledger.last(10)]


def test_contents_have_a_limit_in_bytes() -> None:
    """The oldest fall out; the ledger still knows that those requests came."""
    call = read_call(httpx.Request("POST", "http://x", json=identify("ann")).content)
    size_bytes = ENTRY_BYTES + len(bytes(call.properties[0] or b""))
    contents = Contents(bytes_max=3 * size_bytes)
    for sequence in range(1, 6):
        contents.keep(sequence, call.properties)

    assert [False, False, True, True, True] == [contents.of(sequence) is not None for sequence in range(1, 6)]
    assert contents.of(6) is None
    assert contents.of(0) is None


def test_a_request_larger_than_the_limit_is_not_kept() -> None:
    """Nor anything before it; the next one is."""
    call = read_call(httpx.Request("POST", "http://x", json=identify("ann")).content)
    contents = Contents(bytes_max=ENTRY_BYTES)
    contents.keep(1, (None,))
    contents.keep(2, call.properties)
    contents.keep(3, (None,))

    assert [None, None, (None,)] == [contents.of(sequence) for sequence in (1, 2, 3)]


def test_what_a_ledger_file_held_has_no_contents() -> None:
    """The first entry after it has: sequences go on where the file ended."""
    contents = Contents()
    contents.keep(41, (None,))

    assert [None, (None,)] == [contents.of(40), contents.of(41)]


async def test_who_listens_everywhere_is_reached_at_localhost() -> None:
    """0.0.0.0 is nobody's name: browsers and Windows don't connect to it."""
    emulator = Emulator()
    await emulator.start("0.0.0.0")  # noqa: S104  for a moment, in a test
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{emulator.base_url}/healthz")
    await emulator.stop()

    assert f"http://localhost:{emulator.port}" == emulator.base_url
    assert 200 == answer.status_code
