"""An HTTP engine at a URL, with a key of odd characters."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from consumer.customfit.engine import Engine
from consumer.customfit.opening import open_engine
from consumer.settings import Settings, load_settings

KEY = "server+key/with=odd&characters"
ENCODED_KEY = "server%2Bkey%2Fwith%3Dodd%26characters"
TIMEOUT_SECONDS = 0.3
BODY = b'{"user":{"user_customer_id":"u1"}}'

Open = Callable[..., Engine]


def settings_for(url: str, **fields: Any) -> Settings:
    """Settings with our key and URL, and fields that `load_settings` might find out of bounds."""
    settings = load_settings({"CUSTOMFIT_API_KEY": KEY, "CUSTOMFIT_API_URL": "http://127.0.0.1/"})
    return dataclasses.replace(settings, api_url=url, **fields)


@asynccontextmanager
async def opening(engine_name: str) -> AsyncIterator[Open]:
    """What the fixture is made of, for other loops than the fixture's."""
    engines: list[Engine] = []

    def open_one(url: str, environ: Mapping[str, str] | None = None, **fields: Any) -> Engine:
        fields = {"request_timeout_seconds": 5.0, "in_flight_max": 4, "http_engine": engine_name} | fields
        engines.append(open_engine(settings_for(url, **fields), environ or {}))
        return engines[-1]

    yield open_one
    for engine in engines:
        await engine.close()
