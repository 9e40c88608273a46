"""What was produced against what arrived: the accounting of the demo.

It knows the sample events and the emulator's ledger and asks the consumer only how many it skipped, so it is a second
opinion and not the consumer's own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from consumer.emulator.ledger import Entry


class FoundLetter(NamedTuple):
    """A record of the dead-letter topic."""

    value: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Proof:
    """Where the events went, and how far the promise was kept."""

    produced: int
    delivered: int
    skipped: Mapping[str, int]
    dead_lettered: Mapping[str, int]
    requests: int
    requests_failed: int
    users: int
    introductions: int
    tracks_before_identify: int
    users_out_of_order: int
    sent_twice: int
    lost: int

    @property
    def kept(self) -> bool:
        """Whether identifies came first, order was kept and nothing was lost."""
        return self.tracks_before_identify == self.users_out_of_order == self.lost == 0


class _Sample(msgspec.Struct):
    type: str
    messageId: str  # noqa: N815  Segment's names
    userId: str | None = None  # noqa: N815
    integrations: dict[str, Any] = {}

    @property
    def is_for_us(self) -> bool:
        """Whether CustomFit must get it: an event of a known user, not switched off for this destination."""
        switch = self.integrations.get("CustomFit.ai", self.integrations.get("All", True))
        return bool(self.userId) and self.type in ("identify", "track", "page", "screen") and switch is not False


def prove(
    produced: Sequence[tuple[bytes, bytes]],
    entries: Iterable[Entry],
    dead_letters: Sequence[FoundLetter],
    skipped: Mapping[str, int],
    summary: Mapping[str, Any],
) -> Proof:
    """Account for every event: `summary` is the ledger's own, `skipped` the consumer's counts by reason."""
    wanted, garbage = _by_user(value for _, value in produced)
    accepted = defaultdict[str, list[str]](list)
    for entry in entries:
        if not entry.anonymous and entry.identify != "introduction":
            accepted[entry.user_id] += entry.insert_ids
    firsts = {user: list(dict.fromkeys(ids)) for user, ids in accepted.items()}
    delivered = sum(len(ids) for ids in firsts.values())
    missing = sum(len(samples.keys() - set(firsts.get(user, ()))) for user, samples in wanted.items())
    others = len(produced) - sum(len(samples) for samples in wanted.values())
    unaccounted = others - len(dead_letters) - sum(skipped.values())
    return Proof(
        produced=len(produced),
        delivered=delivered,
        skipped={reason: count for reason, count in skipped.items() if count},
        dead_lettered=Counter(letter.reason for letter in dead_letters),
        requests=summary["requests"],
        requests_failed=sum(summary["refused"].values()) + sum(summary["dropped"].values()),
        users=len(firsts),
        introductions=summary["introductions"],
        tracks_before_identify=summary["identifies_first_violations"],
        users_out_of_order=sum(not _in_order(wanted[user], ids) for user, ids in firsts.items() if user in wanted),
        sent_twice=sum(len(ids) for ids in accepted.values()) - delivered,
        lost=missing + max(unaccounted, 0) + max(len(dead_letters) - garbage, 0),
    )


def _by_user(values: Iterable[bytes]) -> tuple[dict[str, dict[str, str]], int]:
    """Per user the message ids that must arrive, in order, with their types; and how many were garbage."""
    wanted = defaultdict[str, dict[str, str]](dict)
    garbage = 0
    for value in values:
        try:
            sample = msgspec.json.decode(value, type=_Sample)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            garbage += 1
            continue
        if sample.is_for_us:
            wanted[sample.userId or ""][sample.messageId] = sample.type
    return wanted, garbage


def _in_order(wanted: Mapping[str, str], arrived: Sequence[str]) -> bool:
    """The order of the topic, but that the user's first identify may have overtaken what came before it."""
    first_identify = next((id_ for id_, type_ in wanted.items() if type_ == "identify"), None)
    return [i for i in wanted if i != first_identify] == [i for i in arrived if i != first_identify]
