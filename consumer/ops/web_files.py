"""The files of the page at `/`, read once. They are in the package, and nothing of the page comes from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import PurePath
from typing import Final

from consumer.ops.server import Asked, Page

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Whatever a name or an error text holds, no browser runs it or fetches anything because of it."""
TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
INDEX: Final = "index.html"
"""Served at `/`. Each other file is served under its name."""


def web_files() -> dict[str, Callable[[Asked], Page]]:
    """The routes of these files, by path."""
    found = {file.name: file.read_bytes() for file in (files("consumer.ops") / "web").iterdir()}
    pages = {name: _page(name, body) for name, body in sorted(found.items()) if PurePath(name).suffix in TYPES}
    return {"/" if name == INDEX else f"/{name}": _always(page) for name, page in pages.items()}


def _page(name: str, body: bytes) -> Page:
    content_type = TYPES[PurePath(name).suffix]
    return Page(200, content_type, body, {"Content-Security-Policy": POLICY} if "html" in content_type else {})


def _always(page: Page) -> Callable[[Asked], Page]:
    return lambda _: page
