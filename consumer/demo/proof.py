"""Compares what was produced with what arrived: the accounting of the demo.

It knows the sample events and the emulator's ledger, and asks the consumer only how many events it skipped. So it is a
second opinion, and not the consumer's own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from consumer.demo.letters import FoundLetter
from consumer.emulator.entry import Entry


class Produced(NamedTuple):
    """A record as it was produced, and when (unix time)."""

    value: bytes
    at: float


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
    seconds: float
    """From the first event produced to the last accepted."""
    latency_seconds: Sequence[float]
    """From produced to accepted, for the first arrival of each delivered event; the shortest first."""

    @property
    def kept(self) -> bool:
        """Whether identifies came first, order was kept and nothing was lost."""
        return self.tracks_before_identify == self.users_out_of_order == self.lost == 0

    @property
    def events_per_second(self) -> float:
        """Delivered, from the first produced to the last accepted."""
        return self.delivered / self.seconds if self.seconds > 0 else 0.0

    def latency_quantile(self, share: float) -> float:
        """How many seconds this share of the events took at most."""
        if not self.latency_seconds:
            return 0.0
        return self.latency_seconds[min(int(share * len(self.latency_seconds)), len(self.latency_seconds) - 1)]


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
    produced: Sequence[Produced],
    entries: Iterable[Entry],
    dead_letters: Sequence[FoundLetter],
    skipped: Mapping[str, int],
    summary: Mapping[str, Any],
) -> Proof:
    """Account for every event. `summary` is the ledger's, `skipped` the consumer's counts by reason."""
    wanted, garbage = _by_user(produced)
    produced_at = {id_: sample.at for samples in wanted.values() for id_, sample in samples.items()}
    accepted = defaultdict[str, list[str]](list)
    accepted_at: dict[str, float] = {}
    for entry in entries:
        if not entry.anonymous and entry.identify != "introduction":
            accepted[entry.user_id] += entry.insert_ids
            for insert_id in entry.insert_ids:
                accepted_at.setdefault(insert_id, entry.accepted_at)
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
        seconds=max(accepted_at.values(), default=0.0) - min((record.at for record in produced), default=0.0),
        latency_seconds=sorted(at - produced_at[id_] for id_, at in accepted_at.items() if id_ in produced_at),
    )


class _Wanted(NamedTuple):
    """An event that must arrive."""

    type: str
    at: float


def _by_user(produced: Iterable[Produced]) -> tuple[dict[str, dict[str, _Wanted]], int]:
    """For each user what must arrive, by message id and in order; and how many values were garbage."""
    wanted = defaultdict[str, dict[str, _Wanted]](dict)
    garbage = 0
    for record in produced:
        try:
            sample = msgspec.json.decode(record.value, type=_Sample)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            garbage += 1
            continue
        if sample.is_for_us:
            wanted[sample.userId or ""][sample.messageId] = _Wanted(sample.type, record.at)
    return wanted, garbage


def _in_order(wanted: Mapping[str, _Wanted], arrived: Sequence[str]) -> bool:
    """The order of the topic, except that the user's first identify may have overtaken what came before it."""
    first_identify = next((id_ for id_, sample in wanted.items() if sample.type == "identify"), None)
    return [i for i in wanted if i != first_identify] == [i for i in arrived if i != first_identify]
