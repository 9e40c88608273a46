"""Where `rekey` is made to die: every boundary between two of its effects, as data.

    python -m tests.real_broker.rekey_kill_points NAME

is `customfit-consumer rekey` that ends at the point of that name, as kill_points.py does it for `run`.
"""

from __future__ import annotations

import functools
import itertools
import sys
import threading
from typing import Any, Final

from tests.real_broker.kill_points import NO_SUCH_FUNCTION, KillPoint, Scene, When, die, find

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


def install(point: KillPoint) -> None:
    """Replace the function."""
    owner, name, original = find(point.function)
    calls = itertools.count(1)

    @functools.wraps(original)
    def replaced(*args: Any, **named: Any) -> Any:
        if next(calls) != point.call:
            return original(*args, **named)
        if point.when is When.BEFORE:
            die(point.name)
        if point.when is When.DURING:
            threading.Timer(MOMENT_SECONDS, die, [point.name]).start()
        given = original(*args, **named)
        if point.when is When.AFTER:
            die(point.name)
        return given

    setattr(owner, name, replaced)


def main() -> None:
    """Run the one that dies."""
    point = next(point for point in REKEY_KILL_POINTS if point.name == sys.argv[1])
    try:
        install(point)
    except (AttributeError, ImportError) as error:
        print(f"{point.name}: {point.function} is no more: {error}", file=sys.stderr)
        sys.exit(NO_SUCH_FUNCTION)
    from consumer.cli import main as command

    sys.argv = ["customfit-consumer", "rekey"]
    command()


if __name__ == "__main__":
    main()
