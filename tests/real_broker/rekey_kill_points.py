"""Where `rekey` is made to die: every boundary between two of its effects, as data.

    python -m tests.real_broker.rekey_kill_points NAME

is `customfit-consumer rekey` that ends at the point of that name, as kill_points.py does it for `run`.
"""

from __future__ import annotations

import threading
from typing import Final

from tests.real_broker.kill_points import KillPoint, Scene, When, die, run_until_it_dies

B, A, DURING = When
MOMENT_SECONDS: Final = 0.002
"""What is under way dies so long after it has begun."""

REKEY_KILL_POINTS: Final = (
    KillPoint("target made", "kafka.topics:create_rekeyed_topic", A, 0),
    KillPoint("producer open, not joined", "rekey.writer:Writer.open", A, 0),
    KillPoint("joined, start not known", "rekey.member:Member._on_assign", A, 0),
    KillPoint("assigned, nothing fetched", "rekey.merge:Merge.assigned", A, 0),
    KillPoint("fetched, not merged", "rekey.merge:Merge.add", B, 0, call=3),
    KillPoint("next, not rewritten", "rekey.rekeyer:rewritten", B, 0),
    KillPoint("gathered, not begun", "rekey.writer:Writer.write", B, 0),
    KillPoint("produced, offsets not sent", "rekey.writer:Writer._produce", A, 0),
    KillPoint("producing", "rekey.writer:Writer._produce", DURING, 0),
    KillPoint("offsets sent, not committed", "rekey.writer:Writer._settle", A, 0),
    KillPoint("being committed", "rekey.writer:Writer._settle", DURING, 0, call=2),
    KillPoint("committed, not noted", "rekey.writer:Writer._settle", A, 0, call=2),
    KillPoint("noted", "rekey.rekeyer:Rekeyer._committed", A, 0),
    KillPoint("a later one, produced", "rekey.writer:Writer._produce", A, 0, call=3),
    KillPoint("a later one, being committed", "rekey.writer:Writer._settle", DURING, 0, call=6),
    KillPoint("a later one, committed", "rekey.writer:Writer._settle", A, 0, call=6),
    KillPoint("stop: not left", "rekey.member:Member.leave", B, 0, Scene.STOP),
    KillPoint("stop: left", "rekey.member:Member.leave", A, 0, Scene.STOP),
)


def _die_in_a_moment(name: str) -> None:
    threading.Timer(MOMENT_SECONDS, die, [name]).start()


if __name__ == "__main__":
    run_until_it_dies(REKEY_KILL_POINTS, "rekey", _die_in_a_moment)
