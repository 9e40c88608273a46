"""What the other tests in a browser rely on: complaints, requests and axe's findings are seen."""

from __future__ import annotations

import pytest

from tests.browser import chromium as chromium_module
from tests.browser.chromium import PHONE, missing, needed
from tests.browser.conftest import Open

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_what_is_wrong_with_a_page_is_seen(open_page: Open) -> None:
    """A script that fails, a picture without words, a line that is too wide, and what is asked for."""
    html = '<img src="http://127.0.0.1:1/x.png"><p style="width: 900px">wide</p>'
    html += '<script>console.error("oh"); nothing.at_all</script>'
    opened = await open_page(f"data:text/html,{html}", PHONE)

    assert ["oh", "nothing is not defined"] == [text for text in opened.complaints if "ERR_" not in text]
    assert any(found.startswith("image-alt: <img") for found in await opened.violations())
    assert await opened.scrolls_sideways()
    assert ["http://127.0.0.1:1/x.png"] == opened.requests


async def test_without_a_browser_tests_are_left_out_or_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Left out with a word about what is missing; failing where REQUIRE_BROWSER=1 forbids that."""
    monkeypatch.setattr(chromium_module, "NAMES", ("no-such-browser",))
    assert "is not installed" in (missing() or "")

    monkeypatch.delenv("REQUIRE_BROWSER", raising=False)
    with pytest.raises(pytest.skip.Exception, match="is not installed"):
        needed()
    monkeypatch.setenv("REQUIRE_BROWSER", "1")
    with pytest.raises(pytest.fail.Exception, match="is not installed"):
        needed()
