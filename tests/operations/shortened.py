"""The project's own rules with shortened times: a minute of theirs lasts a second, and a fault need not last an hour.

All durations of the rules and of Alertmanager are divided: `for`, windows, intervals. Figures that the member measures
in its own seconds are not: it names a cause after up to 15 s, whatever the rules do. So the three thresholds in seconds
keep their place behind that: late is 20 s in place of 60, in time 10 s in place of 30, stuck 20 s in place of 60. All
other thresholds stay.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tests.deploy.rules import RULE_FILES
from tests.deploy.tools import FOLDER

MINUTE_SECONDS: Final = 1.0
"""How long a minute of the rules lasts, where a scene does not need another pace."""
THRESHOLDS: Final = {
    "{ record: customfit:threshold:late_seconds, expr: vector(60) }": (
        "{ record: customfit:threshold:late_seconds, expr: vector(20) }"
    ),
    'le="30.0"': 'le="10.0"',
    "{ record: customfit:threshold:stuck_seconds, expr: vector(60) }": (
        "{ record: customfit:threshold:stuck_seconds, expr: vector(20) }"
    ),
}
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile(
    r"(?P<before>\b(?:for|interval|group_wait|group_interval|repeat_interval): |\[|\boffset )"
    r"(?P<number>\d+)(?P<unit>[smhd])\b"
)


def rules(minute_seconds: float = MINUTE_SECONDS) -> dict[str, str]:
    """Name of a file of rules → its text with shortened times."""
    texts = {name: shortened((FOLDER / name).read_text(encoding="utf-8"), minute_seconds) for name in RULE_FILES}
    for there, instead in THRESHOLDS.items():
        assert any(there in text for text in texts.values()), there
        texts = {name: text.replace(there, instead) for name, text in texts.items()}
    return texts


def alertmanager(minute_seconds: float = MINUTE_SECONDS) -> str:
    """Its configuration; a group waits for its other alerts half a second in place of half a minute."""
    return shortened((FOLDER / "alertmanager.yml").read_text(encoding="utf-8"), minute_seconds)


def shortened(text: str, minute_seconds: float) -> str:
    """All durations in a text of rules, divided so that a minute lasts so long."""

    def divided(found: re.Match[str]) -> str:
        milliseconds = int(found["number"]) * _UNITS[found["unit"]] * 1000 * minute_seconds / 60
        return f"{found['before']}{milliseconds:.0f}ms"

    return _DURATION.sub(divided, text)


def write(folder: Path, minute_seconds: float = MINUTE_SECONDS) -> None:
    """The files of rules, into a folder."""
    for name, text in rules(minute_seconds).items():
        (folder / name).write_text(text, encoding="utf-8")
