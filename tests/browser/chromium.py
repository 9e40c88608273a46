"""Debian's Chromium, driven by Playwright: whether it is here, and what a test sees of a page that it opened.

`make browser` installs what Python needs (locks/browser.lock); Chromium itself is a package of the system. Nothing is
downloaded by Playwright.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

NAMES: Final = ("chromium", "chromium-browser")
ARGUMENTS: Final = ("--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb")

DESKTOP: Final = (1280, 800)
PHONE: Final = (390, 844)
PATIENCE_MILLISECONDS: Final = 60_000
"""For whatever is waited for in a page."""


def executable() -> str | None:
    """Chromium's path; None where it is not installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def missing() -> str | None:
    """Say in one sentence what the tests in a browser can't do without, or None when all is there."""
    if importlib.util.find_spec("playwright") is None or importlib.util.find_spec("axe_playwright_python") is None:
        return "Playwright is not installed: make browser (REQUIRE_BROWSER=1 insists on it)"
    if executable() is None:
        return "Chromium is not installed (Debian's package chromium; REQUIRE_BROWSER=1 insists on it)"
    return None


def needed() -> None:
    """Leave the test out where something is missing, or have it fail if REQUIRE_BROWSER=1 says that it may not be."""
    why = missing()
    if why is not None and os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(why)
    if why is not None:
        pytest.skip(why)


@dataclass
class Opened:
    """A page in a browser, and what went on behind it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings of the console, and exceptions: a broken Content-Security-Policy is among them."""
    requests: list[str] = field(default_factory=list)
    """The URL of each."""

    @classmethod
    async def at(
        cls, browser: Browser, url: str, size: tuple[int, int] = DESKTOP, *, dark: bool = False, still: bool = False
    ) -> Opened:
        """Open the URL in a window of its own. `still`: its time goes on only when the test says so."""
        context = await browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        opened = cls(await context.new_page())
        opened._listen()
        if still:
            await opened.page.clock.install()
            await opened.page.clock.pause_at(datetime.now(UTC) + timedelta(seconds=1))
        await opened.page.goto(url)
        return opened

    def _listen(self) -> None:
        page = self.page
        page.on("console", lambda said: self.complaints.append(said.text) if said.type != "log" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    async def violations(self) -> list[str]:
        """What axe finds wrong for people who can't see or point well: the rule, and where."""
        from axe_playwright_python.async_playwright import Axe

        axe = Axe("0") if await self.page.evaluate("'axe' in window") else Axe()  # half a second of script, once
        found = (await axe.run(self.page)).response["violations"]
        return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]

    async def look(self, size: tuple[int, int], *, dark: bool) -> None:
        """Make the window this large, and the viewer one who likes it dark."""
        await self.page.set_viewport_size({"width": size[0], "height": size[1]})
        await self.page.emulate_media(color_scheme="dark" if dark else "light")

    async def scrolls_sideways(self) -> bool:
        """Whether the page is wider than the window."""
        wider = await self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        return bool(wider)

    async def close(self) -> None:
        """Close its window."""
        await self.page.context.close()
