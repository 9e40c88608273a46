"""One Chromium for all tests of this folder, and windows in it that are closed after each test.

The tests are coroutines on one event loop (`pytestmark = pytest.mark.asyncio(loop_scope="session")`): Playwright's
synchronous interface would keep its own loop running, and no other test of the process could have one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

import pytest_asyncio

from tests.browser.chromium import ARGUMENTS, DESKTOP, Opened, executable, needed

if TYPE_CHECKING:
    from playwright.async_api import Browser

Open = Callable[..., Awaitable[Opened]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser; the test is left out where there is none."""
    needed()
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(chromium: Browser) -> AsyncIterator[Open]:
    """Opens URLs in windows that are closed after the test; takes what `Opened.at` takes."""
    all_opened: list[Opened] = []

    async def open_one(url: str, size: tuple[int, int] = DESKTOP, *, dark: bool = False, still: bool = False) -> Opened:
        opened = await Opened.at(chromium, url, size, dark=dark, still=still)
        all_opened.append(opened)
        return opened

    yield open_one
    for opened in all_opened:
        await opened.close()
