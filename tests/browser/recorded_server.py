"""Serves what a page was shown of in real faults, as a member does: `python recorded_server.py FOLDER`.

It imports nothing but the installed package, and is run by the Python that has it: page, routes and server are those of
the wheel. One port a recording; prints their URLs by name, as one line of JSON.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import consumer
from consumer.ops.server import Asked, HttpServer, Page, Reader, Route
from consumer.ops.web_files import web_files


def started(folder: Path) -> dict[str, HttpServer]:
    """By the names of the recordings."""
    servers = {}
    for file in sorted(folder.glob("*.json")):
        server = servers[file.stem] = HttpServer("127.0.0.1", 0, _routes(json.loads(file.read_text(encoding="utf-8"))))
        server.start()
    return servers


def url(server: HttpServer) -> str:
    """Of its page."""
    return f"http://127.0.0.1:{server.port}/"


def _routes(recorded: dict[str, Any]) -> dict[str, Route]:
    answers = {f"/{name}": _always(recorded[name]) for name in ("status", "history")} | web_files()
    return {path: Route(answer, Reader.VIEWER) for path, answer in answers.items()}


def _always(value: Any) -> Callable[[Asked], Page]:
    page = Page(200, "application/json", json.dumps(value).encode())
    return lambda _: page


if __name__ == "__main__":
    urls = {name: url(server) for name, server in started(Path(sys.argv[1])).items()}
    print(json.dumps({"package": consumer.__file__, "urls": urls}), flush=True)
    signal.pause()
