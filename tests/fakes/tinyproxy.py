"""A real HTTP proxy: Debian's tinyproxy, where it is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.fakes.servers import closed_port

USER: Final = "me"
PASSWORD: Final = "p.ss_word"
START_SECONDS_MAX: Final = 60.0


def missing() -> str:
    """Why tests that need it are left out; empty where it is there, or where REQUIRE_PROXY=1 says that it has to be."""
    if shutil.which("tinyproxy") is not None or os.environ.get("REQUIRE_PROXY") == "1":
        return ""
    return "tinyproxy is not installed (Debian's package of that name; REQUIRE_PROXY=1 insists on it)"


@contextmanager
def tinyproxy(folder: Path, *lines: str) -> Iterator[str]:
    """Run one on 127.0.0.1 that asks for USER and PASSWORD; gives host:port. `lines` go into its configuration."""
    port = closed_port()
    file = folder / "tinyproxy.conf"
    given = (f"Port {port}", "Listen 127.0.0.1", "Timeout 60", "MaxClients 50", f"BasicAuth {USER} {PASSWORD}", *lines)
    file.write_text("".join(f"{line}\n" for line in given), encoding="ascii")
    with (folder / "tinyproxy.log").open("wb") as log:
        process = subprocess.Popen(["tinyproxy", "-d", "-c", file], stdout=log, stderr=log)
    try:
        _wait_until_it_listens(process, port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    ends_at = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, "tinyproxy has ended"
            assert time.monotonic() < ends_at, "tinyproxy does not listen"
            time.sleep(0.02)
        else:
            return
