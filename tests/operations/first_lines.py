"""Whether /readyz, the log and the page say the same first: whoever is woken looks at one of them."""

from __future__ import annotations

import re
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


def first_on_page(service: Service) -> str | None:
    """`first.text` of /status, which is the first line of the page and of `top`; None as long as it has none."""
    first: dict[str, Any] | None = service.json("/status").get("first")
    return None if first is None else str(first["text"])


def cleaned(text: str) -> str:
    """With the default name of the topic, and no port or folder of this machine."""
    text = re.sub(rf"{TOPIC}-[a-z0-9]+x\b", TOPIC, text)
    text = re.sub(r"http://127\.0\.0\.1:\d+", "http://customfit", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "broker:9092", text)
    return re.sub(r"(/tmp|/var)/[^\s'\"]*/", "", text)


class Compared(NamedTuple):
    """Of one scene: what was compared, and where the first line is about something else than that of /readyz."""

    what: str
    wrong: list[str]


def compare(service: Service, log: str) -> Compared:
    """`log`: what was said since it went wrong."""
    readiness = service.readiness()
    reason = readiness.reasons.partition("\n")[0]
    if not reason:
        return Compared(f"{readiness.status}: no cause", [])
    wrong = []
    page, first = first_on_page(service), next(iter(causes_told(log)), "")
    if page is not None and cause_of(page) != cause_of(reason):
        wrong.append(f"the page says {page!r}, /readyz {reason!r}")
    if cause_of(reason) not in cause_of(first):
        wrong.append(f"the log says {first!r}, /readyz {reason!r}")
    names = ["/readyz", "log", *(["page"] if page is not None else [])]
    return Compared(f"{', '.join(names)}: {cleaned(_first_clause(reason))}", wrong)
