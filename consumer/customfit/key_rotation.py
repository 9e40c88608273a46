"""An HTTP engine whose API key may change while it runs: an engine with the new key takes over from the old one.

The key is read again on SIGHUP, and when the loop says that the destination refused it. Refused requests are sent
again, as with every wrong key.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from consumer.customfit.engine import Engine, EngineUnavailable, Then
from consumer.customfit.forwarding import Forwarded
from consumer.customfit.opening import open_engine
from consumer.log_codes import Code, fields
from consumer.settings import Settings, SettingsError
from consumer.settings.known_secrets import masker_of, secrets_of
from consumer.settings.masking import Masker

LOOK_SECONDS: Final = 3.0
"""The key is read again at most this often, however many requests are refused. Two probes are further apart."""
KEY_REFUSED: Final = (401, 403)
CLOSE_SLACK_SECONDS: Final = 5.0
"""Added to the time that a request may take: it may end late on a busy machine."""

log = logging.getLogger("consumer.destination")


class RotatingEngine:
    """Several engines behind one, in turn. `reload` reads the settings again from their sources."""

    def __init__(
        self,
        settings: Settings,
        reload: Callable[[], Settings],
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
        masker: Masker | None = None,
    ) -> None:
        """Open the first engine. The process's masker learns each new key. Raises EngineUnavailable."""
        self._settings = settings
        self._reload = reload
        self._environ = environ
        self._clock = clock
        self._masker = masker_of(settings, environ) if masker is None else masker
        self._engine = open_engine(settings, environ, self._masker)
        self.name = self._engine.name
        self._replaced: set[Engine] = set()
        """Engines with an earlier key, until their requests have ended."""
        self._timers: set[asyncio.Task[None]] = set()
        self._look_at = 0.0

    def post(self, body: bytes, then: Then, headers: Forwarded | None = None) -> None:
        """Send JSON once, with the key as it is now."""
        self._engine.post(body, then, headers)

    def misdirected(self, status: int) -> None:
        """A request got this answer. If it blames the key, there may be a new one by now."""
        if status in KEY_REFUSED and self._clock() >= self._look_at:
            self._look_at = self._clock() + LOOK_SECONDS
            self.read_key()

    async def close(self) -> None:
        """Close all."""
        for timer in self._timers:
            timer.cancel()
        for engine in [self._engine, *self._replaced]:
            await engine.close()

    def read_key(self) -> bool:
        """Take the key that the settings have now. True: it is another one. If it can't be read, nothing changes."""
        origin = self._settings.origin("api_key")
        try:
            settings = replace(self._settings, api_key=self._reload().api_key)
            if settings.api_key == self._settings.api_key:
                return False
            self._masker.learn(secrets_of(settings, self._environ))
            engine = open_engine(settings, self._environ, self._masker)
        except SettingsError as error:
            told = "the API key stays as it is; it could not be read again: %s"
            log.warning(told, "; ".join(error.problems), extra=fields(Code.KEY_UNREADABLE))
            return False
        except EngineUnavailable as error:
            log.warning("the API key stays as it is: %s", error, extra=fields(Code.KEY_UNREADABLE))
            return False
        told = "the API key has changed: the new one is used from now on; it comes from %s"
        log.info(told, origin, extra=fields(Code.KEY_CHANGED))
        self._replaced.add(self._engine)
        timer = asyncio.get_running_loop().create_task(self._close_later(self._engine))
        self._timers.add(timer)
        timer.add_done_callback(self._timers.discard)
        self._settings, self._engine = settings, engine
        return True

    async def _close_later(self, engine: Engine) -> None:
        """Close it when all that it has sent is answered or has timed out."""
        await asyncio.sleep(self._settings.lease.request_timeout_seconds + CLOSE_SLACK_SECONDS)
        await engine.close()
        self._replaced.discard(engine)
