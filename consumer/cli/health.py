"""`customfit-consumer health`. A container's health check runs it every few seconds, so it loads next to nothing."""

from __future__ import annotations

import json
import os
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Annotated, Final

import typer

from consumer.cli.exits import fail, settings_or_exit
from consumer.exit_codes import EXIT_ERROR
from consumer.foreign_text import printable

TIMEOUT_SECONDS: Final = 3.0
ANSWER_BYTES_MAX: Final = 4096
REASON_CHARACTERS_MAX: Final = 300
ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  nothing is bound here


def health(
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")] = None,
    host: Annotated[str | None, typer.Option(help="Instead of CUSTOMFIT_HTTP_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Instead of CUSTOMFIT_HTTP_PORT.")] = None,
) -> None:
    """Ask whether the instance on this machine is ready. Exit 0 when it is, else 1 and say why."""
    http_port = None if port is None else str(port)
    options = {"http_host": ("--host", host), "http_port": ("--port", http_port)}
    settings = settings_or_exit(os.environ, config, api_key_required=False, **options)
    host, port = settings.http_host, settings.http_port
    if host in ANY_ADDRESS:
        host = "127.0.0.1"
    reason = why_not_ready(host, port)
    if reason is not None:
        fail(reason, EXIT_ERROR)


def why_not_ready(host: str, port: int) -> str | None:
    """Ask `/readyz`. None: it answers 200. Else one line."""
    where = f"http://{f'[{host}]' if ':' in host else host}:{port}/readyz"
    connection = HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        body = response.read(ANSWER_BYTES_MAX)
    except (OSError, HTTPException) as error:
        return f"no answer from {where}: {str(error) or type(error).__name__}"
    finally:
        connection.close()
    if response.status == 200:
        return None
    return printable(f"not ready: {where} answered {response.status}: {_reasons(body)}", REASON_CHARACTERS_MAX)


def _reasons(body: bytes) -> str:
    """`{"status": "starting", "reasons": ["…"]}` as `starting (…)`; anything else as it is, on one line."""
    text = " ".join(body.decode(errors="replace").split())
    try:
        told = json.loads(body)
        reasons = "; ".join(told["reasons"])
        return f"{told['status']} ({reasons})" if reasons else str(told["status"])
    except (ValueError, KeyError, TypeError):
        return text
