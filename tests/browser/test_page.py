"""The page at `/` in a real browser: what it says first, for whom, and what it never does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import pytest

from consumer.ops.advice import DO
from consumer.ops.causes import findings
from consumer.ops.health import readiness
from tests.browser.chromium import DESKTOP, PHONE, Opened
from tests.browser.conftest import Open
from tests.browser.given_states import (
    HOSTILE,
    STATES,
    USER_STUCK,
    Given,
    all_well,
    dead_letter_storm,
    grown,
    hostile,
    one_user_stuck,
    outage,
    partition_stopped,
    wrong_key,
)
from tests.browser.shown import Shown, shown

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOOKS: Final = [(size, dark) for size in (DESKTOP, PHONE) for dark in (False, True)]
FILLED: Final = "#settings > div"
"""There once the first answer is shown."""

Show = Callable[[Given], Shown]


@pytest.fixture
def show() -> Iterator[Show]:
    """Serves states; ends their servers."""
    with ExitStack() as stack:
        yield lambda given: stack.enter_context(shown(given))


async def text(page: Page, selector: str) -> str:
    """What stands there."""
    found: str = await page.locator(selector).first.inner_text()
    return found


async def filled(opened: Opened) -> Page:
    """The page once it shows an answer, and has the history: then it waits for its next turn."""
    await opened.page.wait_for_selector(FILLED, state="attached")
    await opened.page.locator("#charts .line").first.wait_for(state="attached")
    return opened.page


async def turn_until(page: Page, selector: str) -> None:
    """Let its time go on until this is there."""
    while await page.locator(selector).count() == 0:
        await page.clock.run_for(500)


# --- what it says first, and to whom


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", STATES)
async def test_the_first_line_is_the_cause_and_what_to_do(show: Show, open_page: Open, name: str) -> None:
    """The words of /readyz; on a desk and a phone, light and dark, axe finds nothing and nothing scrolls sideways."""
    server = show(STATES[name]())
    opened = await open_page(server.url)
    page = await filled(opened)
    health, found = readiness(server.given.snapshot), findings(server.given.snapshot)
    is_told = bool(health.reasons) and bool(found) and found[0].text == health.reasons[0]

    assert health.status == (await text(page, "#word")).lower()
    assert (health.reasons[0] if health.reasons else "ready: 12 partitions") in await text(page, "#cause")
    assert (DO[found[0].cause] if is_told else "") == await page.locator("#do").text_content()
    assert is_told == await page.get_by_text(f"docs/runbook.md#{found[0].cause.value if found else ''}").is_visible()
    for size, dark in LOOKS:
        await opened.look(size, dark=dark)
        assert [] == await opened.violations(), (size, dark)
        assert not await opened.scrolls_sideways(), (size, dark)
    assert [] == opened.complaints
    assert {True} == {url.startswith((server.url, "data:")) for url in opened.requests}


async def test_a_topic_that_has_grown_is_told_though_nothing_is_wrong(show: Show, open_page: Open) -> None:
    """Below the first line, which says that it is ready."""
    page = await filled(await open_page(show(grown()).url))

    assert "ready: 12 partitions" in await text(page, "#cause")
    assert "segment-events has 12 partitions, 8 before it grew 40 s ago" in await text(page, "#others")


async def test_a_process_that_is_gone_is_said_to_be_gone(show: Show, open_page: Open) -> None:
    """`no answer since …` in place of the cause, the old figures in grey; when it is back, all as before."""
    server = show(all_well())
    opened = await open_page(server.url)
    page = await filled(opened)
    delivered = await text(page, "#charts .value")
    server.stop()
    await page.wait_for_selector("html.stale")

    assert re.fullmatch(r"no answer since \d\d:\d\d:\d\d", await text(page, "#cause"))
    assert "No answer" == await text(page, "#word")
    assert delivered != "0"
    assert "no answer · customfit-consumer" == await page.title()
    for size, dark in LOOKS:
        await opened.look(size, dark=dark)
        assert [] == await opened.violations(), (size, dark)

    server.start()
    await page.wait_for_selector("html:not(.stale)")
    assert (await text(page, "#cause")).startswith("ready: 12 partitions")


async def test_an_answer_without_a_status_is_told_in_the_words_of_the_server(show: Show, open_page: Open) -> None:
    """One alone is passed over, since the server may have had no place just then."""
    opened = await open_page(show(all_well()).url, still=True)
    page = await filled(opened)
    await page.route("**/status?members", lambda route: route.fulfill(status=503, body="Too many viewers at once."))
    async with page.expect_response("**/status?members"):
        await page.clock.run_for(2100)
    assert (await text(page, "#cause")).startswith("ready")

    await turn_until(page, "html.stale")
    assert (await text(page, "#cause")).endswith(": it answered 503")
    assert "Too many viewers at once." == await text(page, "#do")


async def test_an_answer_of_another_version_is_not_called_none(show: Show, open_page: Open) -> None:
    """The process was replaced under an open page: it runs, and to reload helps."""
    opened = await open_page(show(all_well()).url, still=True)
    page = await filled(opened)
    told = '{"now": "2026-11-29T10:00:00Z", "status": "ready", "headline": "all is well"}'
    await page.route("**/status?members", lambda route: route.fulfill(status=200, body=told))
    await turn_until(page, "html.stale")

    assert "this page can't show what the process answers" == await text(page, "#cause")
    assert (await text(page, "#do")).startswith("Reload the page")


async def test_what_changes_is_followed_and_only_another_cause_is_read_out(show: Show, open_page: Open) -> None:
    """The one live region changes with the cause, and not with its seconds."""
    server = show(outage())
    opened = await open_page(server.url, still=True)
    page = await filled(opened)
    first, spoken = await text(page, "#cause"), await page.locator("#spoken").text_content()
    assert 1 == await page.locator("[aria-live]").count()
    assert first in (spoken or "")

    server.given = outage()
    object.__setattr__(server.given.snapshot, "destination_closed_seconds", 5.0)
    await turn_until(page, "h1:has-text('nothing is sent for another 5 s')")
    assert spoken == await page.locator("#spoken").text_content()

    server.given = wrong_key()
    await turn_until(page, "[data-state=stopped]")
    assert "it answered 401" in (await page.locator("#spoken").text_content() or "")


async def test_wide_letters_do_not_make_it_wider_than_a_phone(show: Show, open_page: Open) -> None:
    """Whatever letters a viewer's system has."""
    opened = await open_page(show(outage()).url, PHONE)
    page = await filled(opened)
    await page.evaluate("document.documentElement.style.setProperty('--sans', 'monospace')")

    assert "monospace" == await page.evaluate("getComputedStyle(document.body).fontFamily")
    assert not await opened.scrolls_sideways()


# --- how it asks


async def test_it_asks_while_it_is_seen_and_not_while_it_is_hidden(show: Show, open_page: Open) -> None:
    """Every 2 s; a hidden tab costs nothing, and one that is seen again asks at once."""
    opened = await open_page(show(all_well()).url, still=True)
    page = await filled(opened)

    def asked() -> int:
        return sum(url.endswith("/status?members") for url in opened.requests)

    async with page.expect_response("**/status?members"):
        await page.clock.run_for(2100)
    await _set_hidden(page, hidden=True)
    await page.wait_for_timeout(50)  # an answer that was under way
    before = asked()
    await page.clock.run_for(120_000)
    assert before == asked() >= 2

    async with page.expect_response("**/status?members"):
        await _set_hidden(page, hidden=False)
    assert before + 1 == asked()


async def _set_hidden(page: Page, *, hidden: bool) -> None:
    is_hidden = "true" if hidden else "false"
    await page.evaluate(f"Object.defineProperty(document, 'hidden', {{ get: () => {is_hidden}, configurable: true }})")
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


async def test_whoever_opens_it_late_sees_how_it_began(show: Show, open_page: Open) -> None:
    """The lines are 15 minutes long from the first moment on, and say what was, wherever one points."""
    opened = await open_page(show(outage()).url)
    page = await filled(opened)
    label = await page.locator("#charts svg").first.get_attribute("aria-label")
    assert re.fullmatch(r"Delivered in events/s: now 0, highest in 15 minutes [45]\d\d", label or "")

    await page.locator("#charts .plot").first.hover(position={"x": 20, "y": 20})
    assert re.fullmatch(r"1[34] min ago", await text(page, "#charts .left"))
    assert 300 < int(await text(page, "#charts .value")) < 600


# --- what stands below


async def test_of_300_partitions_those_with_something_wrong_come_first(show: Show, open_page: Open) -> None:
    """The rest is folded, and a button shows it."""
    page = await filled(await open_page(show(partition_stopped()).url))
    rows = page.locator("#partitions tbody tr")

    assert ["217", "40", "0"] == [await text(page, f"#partitions tbody tr:nth-child({n}) th") for n in (1, 2, 3)]
    assert "9980 records were deleted unread" in await rows.nth(0).inner_text()
    assert "2 of 300 wait" in await text(page, "#partitions-count")
    assert 300 == await page.locator("#cells i").count()
    assert await rows.count() < 15

    await page.get_by_role("button", name=re.compile("more: nothing is wrong with them")).click()
    assert 300 == await rows.count()
    await page.get_by_role("button", name="Show fewer").click()
    assert await rows.count() < 15


async def test_a_user_who_waits_is_a_pseudonym_with_a_countdown(show: Show, open_page: Open) -> None:
    """Why, which attempt, the last answer and the seconds to the next try; the id stands nowhere."""
    opened = await open_page(show(one_user_stuck()).url, still=True)
    page = await filled(opened)
    row = page.locator("#waiting tbody tr")
    shown_row = await row.inner_text()
    assert re.match(r"[0-9a-f]{12,16}\t", shown_row)
    assert ["8", "503"] == [await row.locator("td").nth(n).inner_text() for n in (2, 3)]

    left = await text(page, "#waiting .next")
    await page.clock.run_for(1000)
    assert re.fullmatch(r"in \d+ s", left)
    assert int(left.split()[1]) - 1 == int((await text(page, "#waiting .next")).split()[1])
    assert USER_STUCK not in await page.content()


async def test_dead_letters_come_with_the_command_that_shows_them(show: Show, open_page: Open) -> None:
    """By reason, each with its count; problems are grouped with theirs."""
    page = await filled(await open_page(show(dead_letter_storm()).url))
    command = page.get_by_text("customfit-consumer dlq list --reason invalid_event", exact=True)

    assert await command.is_visible()
    assert "4,211" in await page.locator("#letters li").first.inner_text()
    assert ["decode: invalid_event", "decode: undecodable", "deliver: 4xx"] == await page.locator(
        "#problems strong"
    ).all_inner_texts()


async def test_members_and_settings_are_shown_without_secrets(show: Show, open_page: Open) -> None:
    """Which partitions each has, and which one this is; the key is masked."""
    page = await filled(await open_page(show(all_well()).url))

    assert "customfit-consumer (this one)\t10.1.4.17\tsegment-events 0–11" == await text(page, "#members tbody tr")  # noqa: RUF001
    assert "customfit-replay 0" == await text(page, "#partitions tbody tr:nth-child(13) th")
    await page.get_by_text("Settings").click()
    assert "CUSTOMFIT_KAFKA_TOPIC" in await text(page, "#settings")
    assert "made-up-key" not in await page.content()
    assert "3 h 12 min" in await text(page, "#identity")


async def test_rows_of_one_name_do_not_grow_in_number(show: Show, open_page: Open) -> None:
    """Two members of one machine without partitions: each answer left one more row of them."""
    page = await filled(await open_page(show(all_well()).url))
    rows = await page.evaluate(
        """async () => {
          const { fillRows, make, setText } = await import("/texts.js");
          const place = make("ul");
          for (let turn = 0; turn < 3; turn += 1) {
            fillRows(place, [1, 2, 3], (one) => (one < 3 ? "same" : "other"), () => make("li"), (row, one) => setText(row, `${one}`));
          }
          return [...place.children].map((row) => row.textContent);
        }"""  # noqa: E501
    )

    assert ["1", "2", "3"] == rows


# --- what it never does


async def test_whatever_others_name_stays_text(show: Show, open_page: Open) -> None:
    """Markup in topics, answers, errors and client ids is shown as it is: no script runs, no picture is asked for."""
    server = show(hostile())
    opened = await open_page(server.url)
    page = await filled(opened)

    assert "<script>" in await text(page, "#cause")
    assert "degraded · customfit-consumer" == await page.title()
    assert 0 == await page.locator("body script, img, body [onerror]").count()
    assert 4 <= (await page.content()).count("&lt;script&gt;")
    assert [] == opened.complaints
    assert {True} == {url.startswith((server.url, "data:")) for url in opened.requests}
    assert not await opened.scrolls_sideways()
    await opened.look(PHONE, dark=False)
    assert not await opened.scrolls_sideways()
    assert HOSTILE not in await page.content()


async def test_what_is_put_in_as_markup_would_not_run_either(show: Show, open_page: Open) -> None:
    """The policy is in force: an inline script and a picture from elsewhere are refused, and the console says so."""
    opened = await open_page(show(all_well()).url)
    page = await filled(opened)
    markup = '<img src="http://192.0.2.1/x" onerror="document.title=1">'
    async with page.expect_console_message(lambda said: "Content Security Policy" in said.text):
        await page.evaluate(f"document.body.insertAdjacentHTML('beforeend', '{markup}')")

    assert "ready · customfit-consumer" == await page.title()
