"""What a page was shown of in a scene: /status with the members and /history, as the member answered.

tests/browser replays them into the page of an installed wheel. Like the recorded scrapes they hold nothing of the
machine that they are from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.operations.first_lines import HOST, cleaned
from tests.real_broker.running_service import Service

FOLDER: Final = Path(__file__).resolve().parents[1] / "browser" / "recorded"
PICTURES: Final = "pictures/faults"


class Seen(NamedTuple):
    """The answers of one member at one moment, and the first line of its /readyz."""

    readyz: str
    """Its first reason; empty when it is ready."""
    status: dict[str, Any]
    history: dict[str, Any]


def seen(service: Service) -> Seen:
    """Ask now; the first question for the members is answered before the broker has been."""
    reason = service.readiness().reasons.partition("\n")[0]
    status = service.json("/status?members")
    status["member"]["host"] = HOST
    return Seen(reason, status, service.json("/history"))


def read(name: str) -> Seen:
    """As it was written."""
    return Seen(**json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def write(name: str, one: Seen) -> None:
    """A line for each value but for the numbers of the history."""
    FOLDER.mkdir(exist_ok=True)
    series = one.history["series"]
    shown = {**one._asdict(), "history": {**one.history, "series": {name: [] for name in series}}}
    text = json.dumps(shown, indent=0, ensure_ascii=False)
    for name_of_series, values in series.items():
        text = text.replace(f'"{name_of_series}": []', f'"{name_of_series}": {json.dumps(values)}')
    (FOLDER / f"{name}.json").write_text(cleaned(text) + "\n", encoding="utf-8")


def picture(name: str) -> str:
    """The cell of a table."""
    return f"[![the page: {name}]({PICTURES}/{name}.png)]({PICTURES}/{name}.png)"
