"""The emulator's page in Chromium: what is sent shows by itself, and stays text; for everybody, on a phone too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import product
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio

from consumer.emulator.profile_view import EVENTS_LISTED
from consumer.emulator.server import Emulator
from tests.browser.chromium import DESKTOP, PHONE, Opened
from tests.browser.conftest import Open
from tests.emulator.emulator_calls import KEY, events, identify, introduction, track, track_event

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = "<img src=x onerror=\"document.title='owned'\"></dd><script>document.title='owned'</script>\u202e{{7*7}}"


@pytest_asyncio.fixture(loop_scope="session")
async def emulator() -> AsyncIterator[Emulator]:
    """A running emulator."""
    running = Emulator()
    await running.start()
    yield running
    await running.stop()


async def send(emulator: Emulator, *bodies: dict[str, Any]) -> None:
    """As the consumer does it."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as client:
        for body in bodies:
            assert 200 == (await client.post(emulator.url, json=body)).status_code


def traits(user: str, insert_id: str, **properties: Any) -> dict[str, Any]:
    """An identify with these."""
    body = identify(user, insert_id=insert_id)
    body["user"]["properties"] = properties
    return body


async def texts(page: Page, selector: str) -> list[str]:
    """What stands there, a text for each element, its blanks made one."""
    return [" ".join(text.split()) for text in await page.locator(selector).all_inner_texts()]


async def until(page: Page, selector: str, text: str) -> None:
    """Wait until it is there."""
    await page.locator(selector, has_text=text).first.wait_for()


def assert_well(opened: Opened, emulator: Emulator) -> None:
    """Nothing was complained about, and nobody else was asked."""
    assert [] == opened.complaints
    assert [] == [url for url in opened.requests if not url.startswith((f"{emulator.base_url}/", "data:"))]


async def test_what_is_sent_appears_without_a_reload(emulator: Emulator, open_page: Open) -> None:
    """A user, then each property, then each event; whoever looks only clicks twice."""
    opened = await open_page(f"{emulator.base_url}/")
    page = opened.page
    await until(page, "#users", "Nobody yet")
    await page.evaluate("window.first = true")

    await send(emulator, introduction("ann"))
    await page.get_by_role("link", name="ann").click()
    await until(page, "#properties", "nothing is known but the id")
    await send(emulator, traits("ann", "i1", plan="free"))
    await until(page, "#properties", "free")
    await send(emulator, traits("ann", "i2", plan="pro"))
    await until(page, "#properties", "pro")

    await page.locator("#tab-events").click()
    await until(page, "#happened", "No event has come")
    await send(emulator, track("ann", "t1", "Order Completed"))
    await until(page, "#happened", "Order Completed")
    await send(emulator, track("ann", "t2", "Logged Out"))
    await until(page, "#happened", "Logged Out")

    assert ["Logged Out", "Order Completed"] == await texts(page, "#happened .name")
    assert await page.evaluate("window.first") is True
    assert_well(opened, emulator)


async def test_a_profile_shows_each_change(emulator: Emulator, open_page: Open) -> None:
    """Every identify, the newest first: from what to what, what is new, what was said again; and what holds now."""
    await send(
        emulator,
        introduction("ann"),
        traits("ann", "i1", plan="free", seats=1),
        traits("ann", "i2", plan="pro", seats=1, vip=None),
        traits("ann", "i3", plan="pro"),
    )
    opened = await open_page(f"{emulator.base_url}/#user=ann")
    await until(opened.page, "#identifies", "i3")

    names = await texts(opened.page, "#properties dt")
    values = await texts(opened.page, "#properties dd.value")
    assert {"plan": "pro", "seats": "1", "vip": "null"} == dict(zip(names, values, strict=True))
    assert ["", "plan free→pro vip null", "plan free seats 1", ""] == await texts(opened.page, "#identifies .data")
    assert ["nothing changed", "introduced: nothing known but the id"] == await texts(opened.page, "#identifies .none")
    assert ["vip null", "plan free", "seats 1"] == await texts(opened.page, "#identifies .data div:has(.new)")
    assert 1 == await opened.page.get_by_text("1 unchanged").count()
    assert ["i3", "i2", "i1", "introduction-ann"] == await texts(opened.page, "#identifies .second .text")
    assert_well(opened, emulator)


async def test_properties_whose_long_names_begin_alike_are_shown_once(emulator: Emulator, open_page: Open) -> None:
    """Cut to 200 characters they are called the same: each answer left one more of them."""
    long = "n" * 200
    await send(emulator, traits("ann", "i1", **{f"{long}1": 1, f"{long}2": 1}))
    opened = await open_page(f"{emulator.base_url}/#user=ann")
    await until(opened.page, "#identifies", "i1")
    await send(emulator, traits("ann", "i2", seats=1))
    await until(opened.page, "#identifies", "i2")
    await send(emulator, traits("ann", "i3", plan="pro"))
    await until(opened.page, "#identifies", "i3")

    assert 4 == len(await texts(opened.page, "#properties dt"))
    assert_well(opened, emulator)


async def test_events_stand_in_their_order_however_many_there_are(emulator: Emulator, open_page: Open) -> None:
    """The newest at once, the others by a button; and what comes meanwhile goes on top."""
    await send(emulator, introduction("ann"), *(track("ann", f"t{n}") for n in range(1, 2 * EVENTS_LISTED + 4)))
    opened = await open_page(f"{emulator.base_url}/#user=ann&tab=events")
    page = opened.page
    await until(page, "#happened", "t103")
    await page.get_by_role("button", name="Show older: 53").click()
    await until(page, "#happened", "#4")
    await send(emulator, track("ann", "t104"))
    await until(page, "#happened", "#104")
    await page.get_by_role("button", name="Show older: 3").click()
    await until(page, "#happened", "t1")
    await page.get_by_role("button", name="Show older").wait_for(state="hidden")

    assert [f"t{number}" for number in range(104, 0, -1)] == await texts(page, "#happened .second .text")
    assert_well(opened, emulator)


async def test_users_are_found_by_how_their_id_begins(emulator: Emulator, open_page: Open) -> None:
    """While it is typed; and with the same text twice, as userId and as anonymousId, each is its own."""
    await send(emulator, *(introduction(f"user-{n}") for n in range(3)), events("ann", track_event(), anonymous=True))
    await send(emulator, traits("ann", "i1", plan="pro"))
    opened = await open_page(f"{emulator.base_url}/")
    await opened.page.get_by_label("Id begins with").fill("AN")
    await until(opened.page, "#users-count", "2,")

    assert ["ann", "ann"] == await texts(opened.page, "#users .id")
    await opened.page.get_by_role("link", name="anonymous").click()
    await until(opened.page, "#about", "anonymous")
    assert ["None: nothing is known but the id."] == await texts(opened.page, "#properties")
    assert_well(opened, emulator)


@pytest.mark.parametrize("tab", ["profile", "events"])
async def test_hostile_names_stay_text(emulator: Emulator, open_page: Open, tab: str) -> None:
    """Ids, names, values and insert_ids, and what stands behind the # of the address: no markup, no turned lines."""
    await send(
        emulator,
        traits(HOSTILE, HOSTILE, **{HOSTILE: HOSTILE, "nested": {HOSTILE: [HOSTILE]}}),
        traits(HOSTILE, "i2", **{HOSTILE: "else"}),
        events(HOSTILE, track_event(HOSTILE, HOSTILE, properties={HOSTILE: HOSTILE, "n": {HOSTILE: 1}})),
    )
    encoded = str(httpx.QueryParams({"user": HOSTILE, "tab": tab}))
    opened = await open_page(f"{emulator.base_url}/#{encoded}")
    await until(opened.page, f"#{tab} li", "script")

    assert "owned" != await opened.page.title()
    assert 0 == await opened.page.locator("body img, body script, main iframe").count()
    body = await opened.page.locator("body").inner_text()
    assert "<img src=x onerror=" in body
    assert "\u202e" not in body
    assert "\\u202e" in body
    assert_well(opened, emulator)


async def test_a_user_of_whom_nothing_is_kept_is_said_to_be_none(emulator: Emulator, open_page: Open) -> None:
    """Until something comes."""
    opened = await open_page(f"{emulator.base_url}/#user=bob&tab=events")
    await until(opened.page, "#about", "Nothing of this user is kept")
    await send(emulator, introduction("bob"), track("bob"))
    await until(opened.page, "#happened", "Order Completed")

    assert [] == [text for text in opened.complaints if "404" not in text]


async def test_faults_and_silence_are_said(emulator: Emulator, open_page: Open) -> None:
    """Why nothing arrives: it fails on purpose, or it is not there; and when that is over."""
    opened = await open_page(f"{emulator.base_url}/")
    emulator.faults.change({"fail_rate": 1.0, "reject_keys": ["a-secret-key"]})
    await until(opened.page, "#strip", "It fails on purpose: fail_rate 1, reject_keys")
    assert "a-secret-key" not in await opened.page.content()

    emulator.faults.change({"fail_rate": 0.0, "reject_keys": []})
    await opened.page.locator("#strip", has_text="on purpose").wait_for(state="detached")
    port = emulator.port
    await emulator.stop()
    await until(opened.page, "#strip", "No answer from the emulator")
    assert [] == await opened.violations()
    await emulator.start(port=port)
    await opened.page.locator("html[data-state=well]").wait_for()
    await opened.page.locator("#strip", has_text="No answer").wait_for(state="detached")


async def test_nobody_is_asked_while_nobody_looks(emulator: Emulator, open_page: Open) -> None:
    """Hidden, it stops; seen again, it asks at once. By the browser's clock, wound by hand."""
    opened = await open_page(f"{emulator.base_url}/", still=True)
    page = opened.page

    async def asked(milliseconds: int) -> int:
        """How often in that time."""
        before = len(opened.requests)
        for _ in range(milliseconds // 1_000):
            await page.clock.run_for(1_000)
            await page.wait_for_load_state("networkidle")
        return len(opened.requests) - before

    assert 3 <= await asked(5_000)
    await page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert 0 == await asked(20_000)
    async with page.expect_request("**/users*"):
        await page.evaluate("Object.defineProperty(document, 'hidden', { value: false, configurable: true })")
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@pytest.mark.parametrize(
    ("place", "shown"), [("", "#users li"), ("#user=ann", "#identifies li"), ("#user=ann&tab=events", "#happened li")]
)
async def test_everybody_can_use_it(emulator: Emulator, open_page: Open, place: str, shown: str) -> None:
    """Dark and light, on a desktop and a phone: axe finds nothing, and nothing is wider than the window."""
    long = "x" * 100
    await send(
        emulator,
        *(introduction(f"user-{number}") for number in range(30)),
        traits("ann", "i1", plan="free", none=None, long=long, nested={long: [1]}),
        traits("ann", long, plan="pro", yes=True, **{long: long}),
        events("ann", track_event("t1"), track_event(long, long, properties={long: long})),
        track("ann", "t1"),
    )
    emulator.faults.change({"fail_rate": 0.0 if place else 0.5})
    opened = await open_page(f"{emulator.base_url}/{place}")
    await opened.page.locator(shown).first.wait_for()
    for size, dark in product((DESKTOP, PHONE), (False, True)):
        await opened.look(size, dark=dark)

        assert [] == await opened.violations()
        assert not await opened.scrolls_sideways()
    assert_well(opened, emulator)
