"""`make operations`: puts one fault after the other beside a real member, and writes what it shows into the page.

Each cell is from a run. A fault that does not show, or does not go away, is told at the end, and its old row stays.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.operations import of_cluster, of_destination, of_topics
from tests.operations.page import PAGE, with_rows
from tests.operations.places import Places
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
    of_destination.throttled,
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
    of_cluster.member_killed,
)


def main() -> int:
    """Exit code 1 when a fault did not show or did not go away."""
    parser = argparse.ArgumentParser(prog="make operations")
    parser.add_argument("faults", nargs="*", help="the names of those to run; all without any")
    wanted = parser.parse_args().faults
    if (problem := missing()) is not None:
        print(problem, file=sys.stderr)
        return 1
    known = {fault.__name__: fault for fault in FAULTS}
    failed = []
    with tempfile.TemporaryDirectory(prefix="operations-") as folder, Places(Path(folder)) as places:
        for name in wanted or known:
            started = time.monotonic()
            try:
                row = known[name](places)
            except Exception:  # noqa: BLE001  the others are worth having
                traceback.print_exc()
                failed.append(name)
                continue
            _write(name, row)
            gaps = [field for field, cell in zip(Row._fields, row, strict=True) if cell == NOTHING]
            print(f"{name}: {time.monotonic() - started:.0f} s{f', without {gaps}' if gaps else ''}", flush=True)
            print("\n".join(f"    {cell}" for cell in row), flush=True)
    if failed:
        print(f"not shown, or not over: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _write(name: str, row: Row) -> None:
    """At once: a run takes long."""
    text = with_rows(PAGE.read_text(encoding="utf-8"), [fault.__name__ for fault in FAULTS], {name: row})
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
