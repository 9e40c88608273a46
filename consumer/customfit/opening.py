"""Opens the HTTP engine that the settings ask for.

A command loads only the engine that it uses.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from consumer.customfit.engine import Engine
from consumer.customfit.target import target_of

if TYPE_CHECKING:
    from consumer.settings import Settings
    from consumer.settings.masking import Masker


def open_engine(settings: Settings, environ: Mapping[str, str] = os.environ, masker: Masker | None = None) -> Engine:
    """Open it; a proxy is taken from `environ`, and `masker` is that of the process. Raises EngineUnavailable."""
    target = target_of(settings, environ, masker)
    if settings.http_engine == "httpx":
        from consumer.customfit.engine_httpx import HttpxEngine

        return HttpxEngine(target)
    from consumer.customfit.engine_httptools import HttptoolsEngine

    return HttptoolsEngine(target)
