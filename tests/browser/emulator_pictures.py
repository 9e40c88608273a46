"""The picture of the emulator's page for the docs: a user's profile, as somebody sees it who has typed some events."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from consumer.emulator.ledger import Ledger
from consumer.emulator.server import Emulator
from tests.browser.chromium import Opened
from tests.emulator.emulator_calls import KEY, events, identify, introduction, track_event

if TYPE_CHECKING:
    from playwright.async_api import Browser

BEGAN_AT = 1_795_943_045.0
SIZE = (1280, 800)


def _identify(user: str, insert_id: str, **properties: Any) -> dict[str, Any]:
    body = identify(user, insert_id=insert_id, event_timestamp="2026-11-29 09:04:05.123Z")
    body["user"]["properties"] = properties
    return body


async def take(browser: Browser, folder: Path) -> list[Path]:
    """Write emulator-profile-light.png and -dark.png; the same whenever they are taken."""
    clock = [BEGAN_AT]
    emulator = Emulator(ledger=Ledger(clock=lambda: clock[0]))
    await emulator.start()
    bodies = [introduction(f"user-{number}") for number in (17, 4, 29, 8, 11, 23)]
    bodies += [
        introduction("ann"),
        _identify("ann", "m-1", plan="free", email="ann@example.com", seats=1, newsletter=True),
        events("ann", track_event("m-2", "Trial Started")),
        _identify("ann", "m-3", plan="pro", email="ann@example.com", seats=12),
        events("ann", track_event("m-4")),
    ]
    try:
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as client:
            for body in bodies:
                clock[0] += 1.5
                (await client.post(emulator.url, json=body)).raise_for_status()
        return [await _one(browser, emulator, folder, dark=dark) for dark in (False, True)]
    finally:
        await emulator.stop()


async def _one(browser: Browser, emulator: Emulator, folder: Path, *, dark: bool) -> Path:
    opened = await Opened.at(browser, f"{emulator.base_url}/#user=ann", SIZE, dark=dark)
    await opened.page.locator("#identifies li").first.wait_for()
    path = folder / f"emulator-profile-{'dark' if dark else 'light'}.png"
    await opened.page.screenshot(path=path)
    await opened.close()
    return path
