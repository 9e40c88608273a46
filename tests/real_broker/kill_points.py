"""Where the service is made to die: every boundary between two of its effects, as data; and how it is done.

    python -m tests.real_broker.kill_points NAME

is `customfit-consumer run` that ends with exit code 99, without another instruction, at the point of that name.
The service has no hook for this: the function is replaced before the program starts. A function that no longer exists
ends it with 98.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from typing import Any, Final, NoReturn

DIED: Final = 99
NO_SUCH_FUNCTION: Final = 98
IN_FLIGHT_MAX: Final = 4
BATCH_EVENTS_MAX: Final = 2
UNCOMMITTED_EVENTS_MAX: Final = 20
REQUEST_SECONDS: Final = 0.05
"""What the destination takes to answer."""


class When(Enum):
    """The moment, seen from the call of a function."""

    BEFORE = "before"
    AFTER = "after"
    DURING = "during"
    """When it has begun what takes longer, and half of REQUEST_SECONDS later."""


class Scene(Enum):
    """What is going on."""

    WORK = "work"
    STOP = "stop"
    """All is delivered and nothing committed; then SIGTERM."""
    REVOKE = "revoke"
    """All is delivered and nothing committed; then another member joins."""


NOTHING: Final = 0
IN_FLIGHT: Final = IN_FLIGHT_MAX * BATCH_EVENTS_MAX
FIRST_ANSWERS: Final = 2 * IN_FLIGHT
"""Others are answered and sent while the first answer is dealt with."""
UNCOMMITTED: Final = UNCOMMITTED_EVENTS_MAX + IN_FLIGHT
LETTERS: Final = 4
"""Dead letters in the scene; those that can't be read are written as soon as they are fetched."""
EVERYTHING: Final = 1_000_000
"""Nothing is committed in the scene on purpose; the test still wants it to be unrecorded."""


@dataclass(frozen=True, slots=True)
class KillPoint:
    """A boundary, and how many events may be delivered a second time because of it."""

    name: str
    function: str
    """`module:attribute.attribute`, below `consumer`."""
    when: When
    again_max: int
    scene: Scene = Scene.WORK
    call: int = 1
    """At the n-th call."""
    letters_again_max: int = LETTERS
    """How many dead letters may be there a second time."""


B, A, DURING = When
STOP, REVOKE = Scene.STOP, Scene.REVOKE

KILL_POINTS: Final = (
    # start
    KillPoint("dead-letter topic made", "kafka.topics:_create_dead_letter_topic", A, NOTHING),
    KillPoint("state topic made, not joined", "state.topic:_create", A, NOTHING),
    KillPoint("joined, nothing fetched", "kafka.source:Source._on_assign", A, NOTHING),
    KillPoint("state open, loop not told", "state.restores:StateOpened", B, NOTHING),
    # one request
    KillPoint("fetched", "kafka.source:Source._hand_over", B, NOTHING),
    KillPoint("fetched, in lanes", "loop.intake:Intake.fetched", A, NOTHING),
    KillPoint("request not sent", "loop.pipeline:request_body", A, NOTHING),
    KillPoint("request not answered", "customfit.key_rotation:RotatingEngine.post", DURING, UNCOMMITTED, call=9),
    KillPoint("answered 2xx, loop not told", "customfit.target:Target.answered", B, FIRST_ANSWERS),
    KillPoint("a later answer, loop not told", "customfit.target:Target.answered", B, UNCOMMITTED, call=15),
    # the state
    KillPoint("answered 2xx, state not written", "state.writes:Writes.write", B, FIRST_ANSWERS),
    KillPoint("state produced, not acknowledged", "state.topic:StateWriter.write", A, FIRST_ANSWERS),
    KillPoint("state in the topic, not noted", "state.writes:Writes._written", B, FIRST_ANSWERS),
    KillPoint("state in the topic, loop not told", "state.thread:StateWritten", B, FIRST_ANSWERS),
    KillPoint("loop told of the state", "sequencing.sequencer:Sequencer.recorded", A, FIRST_ANSWERS),
    KillPoint("in a transaction of the store", "state.store:insert_together", A, UNCOMMITTED),
    KillPoint("a later transaction of the store", "state.store:insert_together", A, UNCOMMITTED, call=5),
    KillPoint("state stored", "state.write_behind:WriteBehind._write_some", A, UNCOMMITTED),
    # commits
    KillPoint("finished, commit not sent", "kafka.commits:Commits.ask", B, UNCOMMITTED),
    KillPoint("commit sent, not answered", "kafka.commits:Commits._confirmed", A, UNCOMMITTED),
    KillPoint("committed, loop not told", "kafka.source:Source._on_commit", B, UNCOMMITTED),
    KillPoint("a later commit, loop not told", "kafka.source:Source._on_commit", B, UNCOMMITTED, call=3),
    # dead letters
    KillPoint(
        "dead letter not produced",
        "dead_letters.writer:DeadLetters._produce",
        B,
        UNCOMMITTED,
        letters_again_max=0,
    ),
    KillPoint(
        "dead letter produced, not acknowledged",
        "dead_letters.writer:DeadLetters._produce",
        A,
        UNCOMMITTED,
        letters_again_max=1,
    ),
    KillPoint("dead letter acknowledged, loop not told", "dead_letters.writer:DeadLettered", B, UNCOMMITTED),
    KillPoint("dead letter finished, not committed", "sequencing.sequencer:Sequencer.dead_lettered", A, UNCOMMITTED),
    # a revoke, and the end
    KillPoint("revoke: not drained", "kafka.source:Source._give_up", B, EVERYTHING, REVOKE),
    KillPoint("revoke: drained, not committed", "kafka.commits:Commits.make", B, EVERYTHING, REVOKE),
    KillPoint("revoke: committed, not given back", "kafka.commits:Commits.make", A, EVERYTHING, REVOKE),
    KillPoint("stop: drained, not committed", "kafka.commits:Commits.make", B, EVERYTHING, STOP),
    KillPoint("stop: committed, not left", "kafka.source:Source._give_up", A, NOTHING, STOP, letters_again_max=0),
    KillPoint("stop: left, threads still there", "kafka.source:Source._leave", A, NOTHING, STOP),
)


def find(function: str) -> tuple[Any, str, Callable[..., Any]]:
    """Where a function lives, its name there, and itself; AttributeError or ImportError when it does not exist."""
    module, _, path = function.partition(":")
    *owners, name = path.split(".")
    owner: Any = import_module(f"consumer.{module}")
    for part in owners:
        owner = getattr(owner, part)
    return owner, name, getattr(owner, name)


def die(name: str) -> NoReturn:
    """End the process as a power cut does; no other thread logs anything behind the last word."""
    for handler in logging.getLogger().handlers:
        handler.acquire()
    os.write(2, f"died: {name}\n".encode())
    os._exit(DIED)


def install(point: KillPoint, die_soon: Callable[[str], None]) -> None:
    """Replace the function. `die_soon`: have the process end while the function, or what it began, is under way."""
    owner, name, original = find(point.function)
    calls = iter(range(1, sys.maxsize))

    @functools.wraps(original)
    def replaced(*args: Any, **named: Any) -> Any:
        if next(calls) != point.call:
            return original(*args, **named)
        match point.when:
            case When.BEFORE:
                die(point.name)
            case When.AFTER:
                original(*args, **named)
                die(point.name)
            case When.DURING:
                die_soon(point.name)
                return original(*args, **named)

    setattr(owner, name, replaced)


def run_until_it_dies(points: Sequence[KillPoint], command: str, die_soon: Callable[[str], None]) -> None:
    """Run the command, which ends at the point that the process was given the name of."""
    point = next(point for point in points if point.name == sys.argv[1])
    try:
        install(point, die_soon)
    except (AttributeError, ImportError) as error:
        print(f"{point.name}: {point.function} is no more: {error}", file=sys.stderr)
        sys.exit(NO_SUCH_FUNCTION)
    from consumer.cli import main

    sys.argv = ["customfit-consumer", command]
    main()


def _die_in_a_request(name: str) -> None:
    asyncio.get_running_loop().call_later(REQUEST_SECONDS / 2, die, name)


if __name__ == "__main__":
    run_until_it_dies(KILL_POINTS, "run", _die_in_a_request)
