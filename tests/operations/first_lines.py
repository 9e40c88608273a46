"""Whether /readyz, the log, the page and `top` say the same first: whoever is woken looks at one of them."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from consumer.log_codes import Code
from tests.operations.programs import TOPIC
from tests.real_broker.running_service import Service

OF_ONE: Final = {
    code.value
    for code in (
        Code.NOT_ACCEPTED,
        Code.MISDIRECTED_USER,
        Code.USER_WAITS,
        Code.KAFKA_CLIENT,
        Code.COMMIT_FAILED,
        Code.DEAD_LETTER,
        Code.SUPPRESSED,
    )
}
"""Lines about one request, commit, user or record, and what a client reports while it tries again."""
TOP_COLUMNS: Final = "4000"
HOST: Final = "customfit-consumer-0"
"""In place of this machine's name."""
ALL_ADDRESSES: Final = "0.0.0.0"  # noqa: S104  nobody listens there: it is what a member shows of its setting
"""In place of the address that members of the tests listen at: the setting's default."""
_LINE: Final = re.compile(r"^\S+Z (?P<level>[A-Z]+) +(?P<text>.*)$")
_PARTITION: Final = re.compile(r"^(partition )?\S+-\d+( is stopped)?: ")


def causes_told(log: str) -> list[str]:
    """The lines of a log that say that something is wrong, and not with one request or user alone; without the time."""
    lines = (_LINE.match(line) for line in log.splitlines())
    told = [re.sub(" {2,}", " ", line["text"]) for line in lines if line and line["level"] in ("WARNING", "ERROR")]
    return [text for text in told if text.rpartition("code=")[2].strip() not in OF_ONE]


def cause_of(text: str) -> str:
    """What a text says is wrong: not of which partition, not for how long, not what to do about it."""
    return re.sub(r"\d+", "#", _first_clause(text))


def _first_clause(text: str) -> str:
    return _PARTITION.sub("", text).partition(";")[0].strip()


def first_on_page(status: Mapping[str, Any]) -> str:
    """`first.text` of /status, which is the first line of the page (tests/browser/test_recorded_faults.py)."""
    return str(status["first"]["text"])


def first_in_top(service: Service) -> str:
    """The line below the member's name, as a terminal shows it that is wide enough."""
    shown = service.ask("top", "--once", COLUMNS=TOP_COLUMNS)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout.splitlines()[1].strip()


def cleaned(text: str) -> str:
    """With the default name of the topic, and no name, port or folder of this machine."""
    text = text.replace(f"@{socket.gethostname()}", f"@{HOST}")
    text = re.sub(rf"{TOPIC}-[a-z0-9]+x\b", TOPIC, text)
    text = re.sub(r"http://127\.0\.0\.1:\d+", "http://customfit", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "broker:9092", text)
    text = text.replace("127.0.0.1", ALL_ADDRESSES)
    return re.sub(r"(/tmp|/var)/[^\s'\"]*/", "", text)


class Compared(NamedTuple):
    """Of one scene: what was compared, and where the first line is about something else than that of /readyz."""

    what: str
    wrong: list[str]
    log_differs: str = ""
    """What the log said first where it is about something else; only some scenes insist on the log."""
    page: str = ""
    top: str = ""


def compare(service: Service, log: str) -> Compared:
    """`log`: what was said since it went wrong."""
    readiness, status = service.readiness(), service.json("/status")
    reason = readiness.reasons.partition("\n")[0]
    is_well = not reason
    wanted = cause_of(reason or f"{readiness.status}:")
    shown = {"page": first_on_page(status), "top": first_in_top(service)}
    same = {name: cause_of(text).startswith(wanted) for name, text in shown.items()}
    wrong = [f"{name} says {shown[name]!r}, /readyz {reason!r}" for name in shown if not same[name]]
    first = next(iter(causes_told(log)), "")
    log_differs = "" if is_well or wanted in cause_of(first) else f"the log says {first!r}, /readyz {reason!r}"
    what = f"{readiness.status}: no cause" if is_well else cleaned(_first_clause(reason))
    names = ["/readyz", *([] if is_well or log_differs else ["log"]), *(name for name in shown if same[name])]
    cells = {name: "the same" if same[name] and reason else cleaned(text) for name, text in shown.items()}
    return Compared(f"{', '.join(names)}: {what}", wrong, log_differs, **cells)
