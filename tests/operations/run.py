"""`make operations`: puts one fault after the other beside a real member, and writes what it shows into the page.

Each cell is from a run. Beside the scenes of expected.py stands a real Prometheus with the project's rules; what it
scraped is kept in tests/deploy/recorded. A fault that does not show or does not go away, or that fires another alert
than it should, is told at the end, and its old row stays.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Final, NamedTuple

from tests.operations import of_cluster, of_destination, of_members, of_topics, page, recorded, recorded_pages
from tests.operations.alerting import AlertRow
from tests.operations.places import Places
from tests.operations.programs import missing as programs_missing
from tests.operations.recorded import Recording
from tests.operations.recorded_pages import Seen
from tests.operations.watch import NOTHING, Row
from tests.real_broker.broker import missing

FAULTS: Final[tuple[Callable[[Places], Row], ...]] = (
    of_destination.wrong_key,
    of_destination.wrong_url,
    of_destination.connection_refused,
    of_destination.unavailable,
    of_destination.told_to_wait,
    of_destination.never_answers,
    of_destination.slow_answers,
    of_destination.destination_slow,
    of_destination.throttled,
    of_destination.paused,
    of_destination.one_user_unavailable,
    of_destination.one_user_refused,
    of_topics.topic_gone,
    of_topics.topic_made_again,
    of_topics.out_of_range,
    of_topics.unreadable_batch,
    of_topics.garbage,
    of_topics.dead_letters_gone,
    of_topics.receipts_gone,
    of_topics.state_topic_gone,
    of_topics.state_not_grown,
    of_topics.open_transaction,
    of_topics.registry_away,
    of_topics.registry_not_set,
    of_topics.source_not_readable,
    of_topics.group_not_allowed,
    of_topics.state_not_writable,
    of_cluster.kafka_gone,
    of_cluster.coordinator_gone,
    of_cluster.start_unknown,
    of_cluster.end_unknown,
    of_cluster.source_leader_goes,
    of_cluster.source_leader_missing,
    of_cluster.state_leader_goes,
    of_cluster.state_not_replicated,
    of_cluster.one_restoring,
    of_cluster.all_restoring,
    of_members.member_killed,
    of_members.member_stopped,
    of_members.all_members_killed,
    of_members.loop_hangs,
    of_members.disk_hangs,
    of_members.disk_full,
    of_destination.dead_letter_storm,
    of_destination.held,
    of_members.all_well,
    of_members.backfill,
)

KNOWN: Final = {fault.__name__: fault for fault in FAULTS}


class Outcome(NamedTuple):
    """Of one scene; without a row when it was not as it should be."""

    name: str
    row: Row | None
    alerts: AlertRow | None
    recorded: Recording | None
    story: str
    seen: Seen | None = None


def main() -> int:
    """Exit code 1 when a fault did not show or did not go away, or fired another alert than it should."""
    parser = argparse.ArgumentParser(prog="make operations")
    parser.add_argument("faults", nargs="*", help="the names of those to run; all without any")
    parser.add_argument("--jobs", type=int, default=2, help="so many at the same time, each with brokers of its own")
    options = parser.parse_args()
    if (problem := missing() or programs_missing()) is not None:
        print(problem, file=sys.stderr)
        return 1
    names = options.faults or list(KNOWN)
    started, failed = time.monotonic(), []
    for outcome in outcomes(names, options.jobs):
        if outcome.row is None:
            failed.append(outcome.name)
        print(outcome.story, flush=True)
        write(outcome)
    print(f"{len(names)} faults in {time.monotonic() - started:.0f} s", flush=True)
    if failed:
        print(f"not as it should be: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def outcomes(names: Sequence[str], jobs: int) -> Iterator[Outcome]:
    """As they come; most of the time a scene waits, so that two go on at once."""
    context = multiprocessing.get_context("spawn")
    todo, done = context.SimpleQueue(), context.SimpleQueue()
    for name in [*names, *[""] * jobs]:
        todo.put(name)
    workers = [context.Process(target=_work, args=(todo, done)) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    for _ in names:
        yield done.get()
    for worker in workers:
        worker.join()


def _work(todo: SimpleQueue[str], done: SimpleQueue[Outcome]) -> None:
    with tempfile.TemporaryDirectory(prefix="operations-") as folder, Places(Path(folder)) as places:
        while name := todo.get():
            done.put(one(places, name))


def one(places: Places, name: str) -> Outcome:
    """Run one scene; whatever goes wrong is in its story, and the others are worth having."""
    started, row, alerts = time.monotonic(), None, None
    try:
        with places.alerting(name) as alerts:
            row = KNOWN[name](places)
            recorded = None if alerts is None else alerts.recorded()
    except Exception:  # noqa: BLE001  see above
        return Outcome(name, None, None, None, f"{name}: {time.monotonic() - started:.0f} s\n{traceback.format_exc()}")
    gaps = [field for field, cell in zip(Row._fields, row, strict=True) if cell == NOTHING]
    lines = [f"{name}: {time.monotonic() - started:.0f} s{f', without {gaps}' if gaps else ''}", *row]
    lines += [] if alerts is None else alerts.row
    watched = places.watched
    assert watched is not None
    lines += [watched.log_differs] if watched.log_differs else []
    told = None if alerts is None else alerts.row._replace(picture=recorded_pages.picture(name))
    return Outcome(name, row, told, recorded, "\n    ".join(lines), None if alerts is None else watched.seen)


def write(outcome: Outcome) -> None:
    """At once: a run takes long."""
    order, text = list(KNOWN), page.PAGE.read_text(encoding="utf-8")
    if outcome.row is not None:
        text = page.FAULTS.with_rows(text, order, {outcome.name: outcome.row})
    if outcome.alerts is not None:
        text = page.ALERTS.with_rows(text, order, {outcome.name: outcome.alerts})
    page.PAGE.write_text(text, encoding="utf-8")
    if outcome.recorded is not None:
        recorded.write(outcome.name, outcome.recorded)
    if outcome.seen is not None:
        recorded_pages.write(outcome.name, outcome.seen)


if __name__ == "__main__":
    sys.exit(main())
