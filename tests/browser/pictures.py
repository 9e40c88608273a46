"""`make pictures`: docs/pictures, of a member in trouble and of one that is well, of `top`, and of the emulator's page.

The pages are real, the figures made up (given_states.py). With Debian's fonts-inter and fonts-jetbrains-mono they look
as the style sheet wishes; without, the system's own letters are used.
"""

from __future__ import annotations

import asyncio
import io
import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from consumer.cli.places import place_of
from consumer.cli.status_reader import StatusReader
from consumer.cli.top_frame import frame
from tests.browser import emulator_pictures
from tests.browser.chromium import ARGUMENTS, PHONE, Opened, executable, missing
from tests.browser.given_states import Given, all_well, one_user_stuck, outage
from tests.browser.recorded_server import started, url
from tests.browser.shown import Shown, shown
from tests.operations.recorded_pages import FOLDER as RECORDED

if TYPE_CHECKING:
    from playwright.async_api import Browser

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "pictures"
DESK: Final = (1280, 880)
FAULT: Final = (1000, 400)
TOP_COLUMNS: Final = 100
BYTES_MAX: Final = 200_000
PAGES: Final = {"trouble": outage, "well": all_well}
LOOKS: Final = {"light": (DESK, False), "dark": (DESK, True), "phone": (PHONE, False)}
FONT_FACES: Final = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)
"""They name another host."""


async def main() -> None:
    """Make all of them."""
    from playwright.async_api import async_playwright

    if (why := missing()) is not None:
        raise SystemExit(why)
    (FOLDER / "faults").mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
        with ExitStack() as stack:
            for name, server in started(RECORDED).items():
                stack.callback(server.close)
                await _fault(browser, url(server), FOLDER / "faults" / f"{name}.png")
            with shown(all_well()) as server_that_ends:
                await _gone(browser, server_that_ends, FOLDER / "faults" / "all_members_killed.png")
        for name, state in PAGES.items():
            for look, (size, dark) in LOOKS.items():
                await _page(browser, state(), FOLDER / f"page-{name}-{look}.png", size, dark=dark)
        await _top(browser, FOLDER / "top.png")
        for file in await emulator_pictures.take(browser, FOLDER):
            _keep(file, file.read_bytes())
        await browser.close()


async def _page(browser: Browser, given: Given, file: Path, size: tuple[int, int], *, dark: bool) -> None:
    with shown(given) as server:
        opened = await Opened.at(browser, server.url, size, dark=dark)
        await opened.page.wait_for_selector("#settings > div", state="attached")
        await opened.page.locator("#charts .line").nth(8).wait_for(state="attached")
        _keep(file, await opened.page.screenshot())
        await opened.close()


async def _fault(browser: Browser, page_url: str, file: Path) -> None:
    """What is seen first: the cause, what to do, and how it began."""
    opened = await Opened.at(browser, page_url, FAULT)
    await opened.page.wait_for_selector("#settings > div", state="attached")
    await opened.page.locator("#charts .line").first.wait_for(state="attached")
    _keep(file, await opened.page.screenshot())
    await opened.close()


async def _gone(browser: Browser, server: Shown, file: Path) -> None:
    """The page that was open when its member was killed."""
    opened = await Opened.at(browser, server.url, FAULT)
    await opened.page.wait_for_selector("#settings > div", state="attached")
    server.stop()
    await opened.page.wait_for_selector("html.stale")
    _keep(file, await opened.page.screenshot())
    await opened.close()


async def _top(browser: Browser, file: Path) -> None:
    with ExitStack() as stack:
        states = (one_user_stuck, outage)
        urls = [stack.enter_context(shown(made(), f"consumer-{n}")).url for n, made in enumerate(states)]
        answers = StatusReader([place_of(url, 0) for url in [*urls, "127.0.0.1:1"]]).ask()
    console = Console(record=True, width=TOP_COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(frame(answers, console, lines_max=36))
    svg = console.export_svg(title="customfit-consumer top", code_format=FONT_FACES.sub("", CONSOLE_SVG_FORMAT))
    page = await browser.new_page(viewport={"width": 900, "height": 900})
    await page.set_content(f'<body style="margin: 0"><div id="top">{svg}</div></body>')
    _keep(file, await page.locator("#top svg").screenshot())
    await page.close()


def _keep(file: Path, picture: bytes) -> None:
    assert len(picture) <= BYTES_MAX, f"{file.name} has {len(picture)} bytes"
    file.write_bytes(picture)
    print(file.name, len(picture))


if __name__ == "__main__":
    asyncio.run(main())
