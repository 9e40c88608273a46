"""An HTTP engine whose API key may change while it runs: a new engine with the new key takes over from the old one.

The key is read anew on SIGHUP, and when the destination refuses it. Nobody else notices: what was refused is sent again
by the rules that hold for every wrong key.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from consumer.answers import Answer, Answered
from consumer.destination import Engine, EngineUnavailable, open_engine
from consumer.settings import Settings, SettingsError

LOOK_SECONDS: Final = 3.0
"""The key is looked for at most this often, however many requests are refused; less than two probes are apart."""
KEY_REFUSED: Final = (401, 403)

log = logging.getLogger("consumer.destination")


class RotatingEngine:
    """Engines in turn behind one. `reload` gives the settings as their sources are now."""

    def __init__(
        self,
        settings: Settings,
        reload: Callable[[], Settings],
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the first one. Raises EngineUnavailable."""
        self._settings = settings
        self._reload = reload
        self._environ = environ
        self._clock = clock
        self._engine = open_engine(settings, environ)
        self.name = self._engine.name
        self._busy: Counter[Engine] = Counter()
        """Requests in flight, by engine; one with another key is closed when it has none."""
        self._closing: set[asyncio.Future[None]] = set()
        self._look_at = 0.0

    def post(self, body: bytes) -> asyncio.Future[Answer]:
        """Send JSON once, with the key as it is now."""
        engine = self._engine
        self._busy[engine] += 1
        future = asyncio.ensure_future(engine.post(body))
        future.add_done_callback(partial(self._answered, engine))
        return future

    async def close(self) -> None:
        """Close all."""
        await asyncio.gather(*self._closing)
        for engine in {self._engine, *self._busy}:
            await engine.close()

    def read_key(self) -> bool:
        """Take the key that the settings have now; whether it is another one. What can't be read changes nothing."""
        origin = self._settings.origin("api_key")
        try:
            settings = replace(self._settings, api_key=self._reload().api_key)
            if settings.api_key == self._settings.api_key:
                return False
            engine = open_engine(settings, self._environ)
        except SettingsError as error:
            log.warning("the API key stays as it is; it could not be read anew: %s", "; ".join(error.problems))
            return False
        except EngineUnavailable as error:
            log.warning("the API key stays as it is: %s", error)
            return False
        log.info("the API key has changed: the new one is used from now on; it comes from %s", origin)
        self._busy.setdefault(self._engine, 0)
        self._settings, self._engine = settings, engine
        return True

    def _answered(self, engine: Engine, future: asyncio.Future[Answer]) -> None:
        self._busy[engine] -= 1
        if len(self._busy) > 1:
            self._close_idle()
        if future.cancelled() or future.exception() is not None:
            return
        answer = future.result()
        if isinstance(answer, Answered) and answer.status in KEY_REFUSED and engine is self._engine:
            self._look_again()

    def _close_idle(self) -> None:
        for engine in [one for one, busy in self._busy.items() if not busy and one is not self._engine]:
            del self._busy[engine]
            closing = asyncio.ensure_future(engine.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _look_again(self) -> None:
        if self._clock() >= self._look_at:
            self._look_at = self._clock() + LOOK_SECONDS
            self.read_key()
