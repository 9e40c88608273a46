"""Work in a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
import threading

import pytest

from consumer.ports.daemon import in_daemon_thread


async def test_its_result_and_its_error_come_to_whoever_waits() -> None:
    """In the loop."""

    def fail() -> None:
        raise OSError("no such name")

    assert 7 == await in_daemon_thread("seven", lambda: 7)
    with pytest.raises(OSError, match="no such name"):
        await in_daemon_thread("failing", fail)


def test_who_gives_up_is_not_kept() -> None:
    """Neither by the loop nor at its end; what comes later is for nobody."""
    go_on, ended = threading.Event(), threading.Event()

    def work() -> None:
        go_on.wait(10)
        ended.set()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await in_daemon_thread("slow", work)

    asyncio.run(give_up())
    assert not ended.is_set()
    go_on.set()
    assert ended.wait(10)
