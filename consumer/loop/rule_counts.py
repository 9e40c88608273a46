"""How often each rule of what is not sent has matched: one that never does may be mistyped.

Names of events are judged when they are read; traits and properties are cut when they are sent. Both are counted here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from consumer.customfit.redaction import Redaction
from consumer.segment.event_of import NAMED
from consumer.sequencing.events import Decoded, Event, Skipped, SkipReason
from consumer.settings.name_filter import ALLOW, DENY, NameFilter
from consumer.settings.property_paths import DROP, HASH

if TYPE_CHECKING:
    from consumer.settings import Settings


def redaction_of(settings: Settings, found: Callable[[str, str], object]) -> Redaction | None:
    """What must not leave; None: everything may."""
    drop, hashed, key = settings.properties_drop or (), settings.properties_hash or (), settings.properties_hash_key
    if not drop and not hashed:
        return None
    return Redaction(drop, hashed, "" if key is None else key.reveal(), found)


class RuleCounts:
    """Totals since the start, by setting and rule. Each is there from the start."""

    def __init__(self, settings: Settings) -> None:
        self._filter = settings.name_filter
        names = ((ALLOW, settings.events_allow), (DENY, settings.events_deny))
        paths = ((DROP, settings.properties_drop), (HASH, settings.properties_hash))
        self.matched: dict[tuple[str, str], int] = {
            **{(setting, text): 0 for setting, globs in names if globs is not None for text in globs.texts},
            **{(setting, path.text): 0 for setting, rules in paths if rules is not None for path in rules},
        }

    def judged(self, items: Iterable[Decoded]) -> None:
        """These were judged by the filter, if there is one. Each rule that fits counts, whichever decided."""
        if self._filter is None:
            return
        for item in items:
            match item:
                case Event(kind=kind, name=name) if kind in NAMED:
                    self._count(self._filter, name)
                case Skipped(reason=SkipReason.FILTERED, name=name):
                    self._count(self._filter, name)
                case _:
                    pass

    def found(self, setting: str, path: str) -> None:
        """A request has an event with this path."""
        self.matched[(setting, path)] += 1

    def _count(self, judge: NameFilter, name: str | None) -> None:
        for rule in judge.matching(name):
            self.matched[rule] += 1
