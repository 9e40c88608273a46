"""`make dashboard-picture`: docs/pictures/dashboard.png, of two real members and a real Prometheus, drawn by a browser.

Grafana can't be run here. Perses' charts draw the same expressions with the same thresholds; they come from npm into
.npm/picture (about 430 MB). What the picture shows lasts some minutes: work, slow answers, a wrong key, then garbage.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, Final

from consumer.emulator.server import Emulator, running_emulator
from tests.deploy.real_prometheus import chosen_all, running_prometheus
from tests.deploy.tools import ROOT
from tests.real_broker.broker import Broker
from tests.real_broker.running_service import KEY
from tests.real_broker.scene import Scene, event

SOURCES: Final = Path(__file__).parent
INSTALLED: Final = ROOT / ".npm" / "picture"
PICTURE: Final = ROOT / "docs" / "pictures" / "dashboard.png"
DASHBOARD: Final = ROOT / "deploy/grafana/customfit-consumer.json"
ROWS_SHOWN: Final = 3
"""The first rows: what somebody on call looks at."""
COLUMN_PIXELS, LINE_PIXELS = 66, 38
"""As in main.jsx."""
ANONYMOUS: Final = ("nobody", b'{"type": "track", "anonymousId": "somebody", "event": "Seen"}')
"""Skipped, as by default."""
DRAWN_SECONDS: Final = 40
"""Of the browser's own time, which does not pass while it waits for answers."""


def built() -> Path:
    """The page, made by vite from the sources beside this file; npm and vite say what is wrong themselves."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "index.html", "main.jsx", "vite.config.js"):
        shutil.copy(SOURCES / name, INSTALLED)
    npm = ["npm", "install", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]
    subprocess.run(npm, cwd=INSTALLED, check=True)
    subprocess.run(["npx", "vite", "build", "--logLevel", "error"], cwd=INSTALLED, check=True)
    return INSTALLED / "dist"


def first_rows(dashboard: Any) -> Any:
    """The dashboard with these rows alone, all members and topics chosen."""
    tops = [panel["gridPos"]["y"] for panel in dashboard["panels"] if panel["type"] == "row"]
    panels = [panel for panel in dashboard["panels"] if panel["gridPos"]["y"] < tops[ROWS_SHOWN]]
    for target in (target for panel in panels for target in panel.get("targets", ())):
        target["expr"] = chosen_all(target["expr"])
    return {**dashboard, "panels": panels}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder, for a browser."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nobody wants to read what a browser asks for."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def some_minutes(scene: Scene) -> None:
    """What may happen to a member: work, slow answers, a wrong key, work again, and one partition of garbage."""
    numbers = count(1)

    def work(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            number = next(numbers)
            users = [f"user-{(number * 7 + one) % 300}" for one in range(25)]
            scene.produce(*(event(user, number) for user in users), event(f"new-{number}", 0), ANONYMOUS)
            time.sleep(0.1)

    work(60)
    scene.emulator.faults.change({"latency_seconds": 0.4})
    work(30)
    scene.emulator.faults.change({"latency_seconds": 0.02, "reject_all_keys": True})
    work(45)
    scene.emulator.faults.change({"reject_all_keys": False})
    work(45)
    scene.produce(*[("nobody", b"garbage")] * 3000, partition=1)
    work(30)


def photograph(url: str, height: int) -> None:
    """Let a browser draw it, and keep what it shows."""
    PICTURE.parent.mkdir(exist_ok=True)
    size = f"--window-size={24 * COLUMN_PIXELS},{height}"
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", size]
    waits = f"--virtual-time-budget={DRAWN_SECONDS * 1000}"
    command = ["chromium", *options, waits, f"--screenshot={PICTURE}", url]
    subprocess.run(command, check=True, capture_output=True, timeout=180)


def main() -> None:
    """Build, live, draw."""
    dist = built()
    dashboard = first_rows(json.loads(DASHBOARD.read_text(encoding="utf-8")))
    (dist / "dashboard.json").write_text(json.dumps(dashboard), encoding="utf-8")
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"]) * LINE_PIXELS
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="picture-")))
        broker = stack.enter_context(Broker())
        emulator = stack.enter_context(running_emulator(Emulator(keys=frozenset({KEY}))))
        emulator.faults.change({"latency_seconds": 0.02, "latency_jitter_seconds": 0.03})
        scene = Scene(broker, "segment-events", emulator, folder, 4)
        stack.callback(scene.outside.close)
        members = {name: stack.enter_context(scene.member(name)) for name in ("consumer-1", "consumer-2")}
        addresses = {f"{name}:9464": one.wait_ready().base_url.removeprefix("http://") for name, one in members.items()}
        prometheus = stack.enter_context(running_prometheus(folder, addresses, "--web.cors.origin=.*"))
        began = time.monotonic()
        some_minutes(scene)
        past = f"{time.monotonic() - began:.0f}s"
        page = stack.enter_context(served(dist))
        photograph(f"{page}/?prometheus={prometheus.url}&past={past}", height)
    print(PICTURE.relative_to(ROOT))


if __name__ == "__main__":
    main()
