"""A verdict for people and for scripts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from consumer.audit.gaps import Gap, Run
from consumer.audit.judge import AuditedEnd, Judgement
from consumer.audit.verdict import Verdict
from consumer.dead_letters.text import iso

RUNS_SHOWN: Final = 50
WORDS: Final[Mapping[AuditedEnd, str]] = {
    AuditedEnd.DELIVERED: "delivered",
    AuditedEnd.COMMITTED: "committed without proof",
    AuditedEnd.SKIPPED: "skipped",
    AuditedEnd.DEAD_LETTERED: "dead-lettered",
    AuditedEnd.REPLAYED: "replayed",
    AuditedEnd.OUTSTANDING: "outstanding",
    AuditedEnd.GAP: "gaps",
}
MEANINGS: Final[Mapping[Gap, str]] = {
    Gap.NOT_DELIVERED: "committed, and not delivered",
    Gap.COMMIT_AHEAD: "the commit is ahead: these last ones below it are not delivered",
    Gap.NO_DEAD_LETTER: "committed, can only be a dead letter, and is none",
    Gap.REPLAY_NOT_DELIVERED: "replayed, and the replay is not delivered",
    Gap.BEYOND_END: "committed beyond the end of the partition",
}


def place(partition: int, offset: int, item_index: int | None = None) -> str:
    """In the form that `dlq show` takes; for a batch with the item."""
    return f"{partition}:{offset}" if item_index is None else f"{partition}:{offset}-{item_index}"


def lines(verdict: Verdict, judged_by: Mapping[str, str], topic: str) -> Iterator[str]:
    """The whole verdict."""
    window = verdict.window
    yield f"{topic} from {iso(window.from_ms)} to {iso(window.to_ms)}: {verdict.records} records"
    yield f"judged by {', '.join(f'{name}={value}' for name, value in judged_by.items())}"
    yield f"proof of delivery: {' and '.join(verdict.proofs) or 'none'}"
    for end, word in WORDS.items():
        count = verdict.count(end)
        if not count:
            continue
        reasons = {why: number for (one, why), number in sorted(verdict.counts.items()) if one is end and why}
        why = f" ({', '.join(f'{number} {reason}' for reason, number in reasons.items())})" if reasons else ""
        yield f"{count:>12} {word}{'' if end is AuditedEnd.GAP else why}"
    yield from (f"note: {note}" for note in verdict.notes)
    for run in verdict.runs[:RUNS_SHOWN]:
        yield f"gap: {_run(run)}"
    if len(verdict.runs) > RUNS_SHOWN:
        yield f"gap: and more; --json has the first {len(verdict.runs)} runs"
    gaps = f"{verdict.gaps} gap{'' if verdict.gaps == 1 else 's'}"
    yield f"{gaps}, {verdict.count(AuditedEnd.COMMITTED)} committed without proof"


def _run(run: Run) -> str:
    where = place(run.partition, run.first)
    if run.gap is Gap.BEYOND_END:
        return f"partition {run.partition} ends at {run.first} and is committed at {run.last + 1}: {MEANINGS[run.gap]}"
    if run.last > run.first:
        where += f" to {place(run.partition, run.last)}"
    return f"{where}, {run.events} event{'' if run.events == 1 else 's'}: {MEANINGS[run.gap]}"


def as_json(verdict: Verdict, judged_by: Mapping[str, str], topic: str) -> dict[str, Any]:
    """The same as a JSON value."""
    reasons: dict[str, dict[str, int]] = {}
    for (end, why), count in sorted(verdict.counts.items()):
        if why and end is not AuditedEnd.GAP:
            reasons.setdefault(end.value, {})[why] = count
    return {
        "topic": topic,
        "from": iso(verdict.window.from_ms),
        "to": iso(verdict.window.to_ms),
        "judged_by": dict(judged_by),
        "proofs": verdict.proofs,
        "records": verdict.records,
        "events": {end.value: verdict.count(end) for end in AuditedEnd if end is not AuditedEnd.GAP},
        "reasons": reasons,
        "gaps": verdict.gaps,
        "gap_runs": [
            {"partition": r.partition, "first": r.first, "last": r.last, "events": r.events, "gap": r.gap.value}
            for r in verdict.runs
        ],
        "notes": verdict.notes,
    }


def each_line(judgement: Judgement) -> str:
    """One event: where, what became of it, and why."""
    where = place(judgement.partition, judgement.offset, judgement.item_index)
    return f"{where} {judgement.end.value} {judgement.reason}".rstrip()


def each_json(judgement: Judgement) -> dict[str, Any]:
    """The same as a JSON value."""
    return {
        "partition": judgement.partition,
        "offset": judgement.offset,
        "item_index": judgement.item_index,
        "end": judgement.end.value,
        "reason": judgement.reason or None,
    }
