"""Every fault of `make operations` on the page of an installed wheel: what a member really answered is replayed to it.

Nothing is fetched: the wheel is built and installed without an index, and each request goes to the page's own server.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from consumer.ops.advice import DO, DO_WHEN_STUCK
from consumer.ops.causes import Cause
from tests.browser.chromium import DESKTOP, PHONE, needed
from tests.browser.conftest import Open
from tests.browser.test_page import filled, text
from tests.operations import page as page_with_tables
from tests.operations.expected import EXPECTED
from tests.operations.first_lines import cause_of
from tests.operations.places import USERS
from tests.operations.recorded_pages import FOLDER, picture, read

pytestmark = [pytest.mark.long, pytest.mark.asyncio(loop_scope="session")]

ROOT: Final = Path(__file__).resolve().parents[2]
SERVER: Final = Path(__file__).with_name("recorded_server.py")
LOOKS: Final = [(size, dark) for size in (DESKTOP, PHONE) for dark in (False, True)]
NOBODY_ANSWERS: Final = {"all_members_killed"}
RECORDED: Final = sorted(file.stem for file in FOLDER.glob("*.json"))
BYTES_MAX: Final = 400_000


class Served(NamedTuple):
    """By a process of its own."""

    process: subprocess.Popen[str]
    urls: Mapping[str, str]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the wheel of this tree, and what it needs from where this one has it."""
    needed()
    folder = tmp_path_factory.mktemp("installed")
    run: list[str | Path] = [sys.executable, "-m"]
    subprocess.run([*run, "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    asked: list[str | Path] = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    offline: list[str | Path] = ["pip", "install", "-q", "--no-index", "--no-deps", "--target", site, wheel]
    subprocess.run([*run, *offline], check=True, capture_output=True)
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@contextmanager
def served(python: Path) -> Iterator[Served]:
    """All recordings; by the wheel and not by this tree, or it proves nothing."""
    command: list[str | Path] = [python, "-I", SERVER, FOLDER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=python.parent) as process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            assert Path(said["package"]).is_relative_to(python.parents[1]), said["package"]
            yield Served(process, said["urls"])
        finally:
            process.kill()


@pytest.fixture(scope="module")
def pages(installed: Path) -> Iterator[Mapping[str, str]]:
    """Their URLs, by the names of the scenes."""
    with served(installed) as one:
        yield one.urls


@pytest.mark.parametrize("name", RECORDED)
async def test_a_real_fault_is_the_first_line_of_the_page(pages: Mapping[str, str], open_page: Open, name: str) -> None:
    """The cause that /readyz named, and what to do; for each size and light, axe finds nothing; no user is named."""
    seen = read(name)
    opened = await open_page(pages[name])
    page = await filled(opened)
    first, cause = seen.status["first"], await text(page, "#cause")
    do = DO[Cause(first["cause"])] if first["cause"] else {"stuck": DO_WHEN_STUCK}.get(seen.status["status"], "")

    assert seen.status["status"] == (await text(page, "#word")).lower()
    assert first["text"] in cause
    assert cause_of(seen.readyz or "ready:") in cause_of(cause)
    assert do == await page.locator("#do").text_content()
    for size, dark in LOOKS:
        await opened.look(size, dark=dark)
        assert [] == await opened.violations(), (size, dark)
        assert not await opened.scrolls_sideways(), (size, dark)
    assert [] == opened.complaints
    assert {True} == {url.startswith((pages[name], "data:")) for url in opened.requests}
    assert [] == re.findall(rf"\b(?:{'|'.join([*USERS, r'new-[0-9]+'])})\b", await page.content())


async def test_a_member_that_is_frozen_or_killed_is_said_to_be_gone(installed: Path, open_page: Open) -> None:
    """By the page that was open: SIGSTOP, SIGCONT, SIGKILL."""
    with served(installed) as one:
        opened = await open_page(one.urls["one_user_unavailable"])
        page = await filled(opened)
        one.process.send_signal(signal.SIGSTOP)
        await page.wait_for_selector("html.stale")
        assert (await text(page, "#cause")).startswith("no answer since ")
        one.process.send_signal(signal.SIGCONT)
        await page.wait_for_selector("html:not(.stale)")
        assert (await text(page, "#cause")).startswith("ready: ")
        one.process.kill()
        await page.wait_for_selector("html.stale")
        assert (await text(page, "#cause")).startswith("no answer since ")
        assert [] == await opened.violations()


async def test_each_fault_that_has_a_picture_is_recorded_and_nothing_of_the_machine() -> None:
    """By `make operations`; what was recorded of a scene that is gone is taken out by hand."""
    rows = page_with_tables.ALERTS.rows(page_with_tables.PAGE.read_text(encoding="utf-8"))
    pictured = [name for name, row in rows.items() if row.picture == picture(name)]
    whole = "".join(file.read_text(encoding="utf-8") for file in FOLDER.glob("*.json"))

    assert RECORDED == sorted(set(pictured) - NOBODY_ANSWERS)
    assert set(RECORDED) <= set(EXPECTED)
    assert BYTES_MAX > len(whole)
    assert [] == re.findall(r"/home\b|/root\b|\b127\.0\.0\.1", whole)
