"""A key that is rotated while the service runs is picked up, at no other time than it should be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumer.customfit.answers import Answer, Answered
from consumer.customfit.engine import answer_to
from consumer.customfit.key_rotation import CLOSE_SLACK_SECONDS, LOOK_SECONDS, RotatingEngine
from consumer.customfit.mapping import test_identify as identify
from consumer.emulator.server import Emulator, running_emulator
from consumer.settings import Settings, load_settings
from consumer.settings.known_secrets import masker_of

OLD, NEW = "the-old-key-0123", "the-new-key-4567"


class World:
    """A key in a file, a destination that takes both keys until it is told otherwise, and a clock."""

    def __init__(self, folder: Path, emulator: Emulator) -> None:
        self.now = 100.0
        self.emulator = emulator
        self.key_file = folder / "key"
        self.key_file.write_text(f"{OLD}\n")
        self._environ = {"CUSTOMFIT_API_KEY_FILE": str(self.key_file), "CUSTOMFIT_API_URL": emulator.url}
        self.masker = masker_of(self.settings(), {})
        self.engine = RotatingEngine(self.settings(), self.settings, {}, lambda: self.now, self.masker)

    def settings(self) -> Settings:
        return load_settings(self._environ)

    def refuse(self, *keys: str) -> None:
        self.emulator.faults.change({"reject_keys": list(keys)})

    async def post(self) -> int:
        answer: Answer = await answer_to(self.engine, identify("ann", datetime.now(UTC), "destination"))
        assert isinstance(answer, Answered)
        if answer.status == 401:
            self.engine.misdirected(answer.status)  # as the loop does
        return answer.status


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """One with the old key in use."""
    with running_emulator(Emulator(keys=frozenset({OLD, NEW}))) as emulator:
        world = World(tmp_path, emulator)
        yield world
        await world.engine.close()


async def test_a_refused_key_is_read_again(world: World) -> None:
    """The request that finds out fails; the next one carries the key that the file holds now."""
    assert 200 == await world.post()

    world.refuse(OLD)
    world.key_file.write_text(f"{NEW}\n")

    assert [401, 200] == [await world.post(), await world.post()]


async def test_a_refused_key_is_looked_for_at_most_every_few_seconds(world: World) -> None:
    """However many requests are refused meanwhile."""
    world.refuse(OLD)

    assert 401 == await world.post()  # looks, finds the same

    world.key_file.write_text(NEW)

    assert [401, 401] == [await world.post(), await world.post()]

    world.now += LOOK_SECONDS

    assert [401, 200] == [await world.post(), await world.post()]


@pytest.mark.parametrize("text", [None, "", "abc-123", "a key of words", "\N{SNOWMAN}" * 8])
async def test_a_key_that_cannot_be_used_changes_nothing(
    world: World, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is gone, or empty between two writes: the old key stays, and a warning says why, without the key."""
    world.key_file.unlink() if text is None else world.key_file.write_text(text)

    assert not world.engine.read_key()
    assert 200 == await world.post()
    assert "CUSTOMFIT_API_KEY_FILE" in caplog.text
    assert not text or text not in caplog.text


async def test_what_is_in_flight_ends_with_the_old_key(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A rotation breaks no request, and neither key is in the log."""
    caplog.set_level(logging.DEBUG)
    world.emulator.faults.change({"latency_seconds": 0.3})
    slow = asyncio.create_task(world.post())
    await asyncio.sleep(0)  # it has been sent
    world.key_file.write_text(NEW)

    assert world.engine.read_key()
    assert [200, 200] == [await slow, await world.post()]
    assert "the API key has changed" in caplog.text
    assert [] == [key for key in (OLD, NEW) if key in caplog.text]


async def test_the_masker_of_the_process_learns_a_rotated_key(world: World) -> None:
    """From then on the log and the pages are without either of them: a late answer still speaks of the old one."""
    assert f"*** {NEW}" == world.masker.text(f"{OLD} {NEW}")

    world.key_file.write_text(NEW)
    world.engine.read_key()

    assert "*** ***" == world.masker.text(f"{OLD} {NEW}")


async def test_the_old_engine_is_closed_when_its_requests_must_have_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is after the time that a request may take: nothing is cut off, and no connection with the old key stays."""
    waits: list[float] = []
    elapsed = asyncio.Event()

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        await elapsed.wait()

    monkeypatch.setattr(asyncio, "sleep", wait)
    world.key_file.write_text(NEW)
    old = world.engine._engine
    world.engine.read_key()

    assert isinstance(await answer_to(old, b"{}"), Answered)
    assert [10.0 + CLOSE_SLACK_SECONDS] == waits

    elapsed.set()
    await asyncio.gather(*world.engine._timers)

    assert not isinstance(await answer_to(old, b"{}"), Answered)


async def test_closed_is_closed(world: World) -> None:
    """Whoever asks later gets no answer, and nothing stays open."""
    await world.post()
    world.key_file.write_text(NEW)
    world.engine.read_key()
    await world.engine.close()
    answer = await answer_to(world.engine, b"{}")

    assert not isinstance(answer, Answered)
