"""The thread that asks where partitions start, when it fails."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from consumer.kafka.starts import Grant, Starts
from consumer.ports.inputs import Input, ThreadEnded
from consumer.sequencing.events import Partition
from tests.settings.given_settings import load


def test_a_thread_that_fails_is_heard_of() -> None:
    """It would be a member that starts no partition any more, and says nothing of it."""

    def list_topics(*_what: str, **_how: float) -> None:
        raise MemoryError

    posted: list[Input] = []
    starts = Starts(load(), lambda *_: None, lambda *_: None, posted.append)
    starts._consumer = cast("Any", SimpleNamespace(close=lambda: None))
    starts._admin = cast("Any", SimpleNamespace(list_topics=list_topics))
    starts.ask({Partition("segment-events", 0): Grant()})
    starts._run()
    ended = cast("ThreadEnded", posted[0])

    assert ("starts", MemoryError) == (ended.name, type(ended.error))
