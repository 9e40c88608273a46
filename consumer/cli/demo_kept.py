"""`demo --keep`: what to type in another terminal, and what becomes of the events that come from there."""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from consumer.cli.ctrl_c import typed_ctrl_c
from consumer.cli.emulator import lines
from consumer.foreign_text import printable, printable_bytes

if TYPE_CHECKING:
    from consumer.demo.demo import Demo
    from consumer.demo.letters import FoundLetter
    from consumer.emulator.contract import Call

TURN_SECONDS: Final = 0.2
LINES_A_SECOND_MAX: Final = 20
VALUE_CHARACTERS_MAX: Final = 60
REASON_CHARACTERS_MAX: Final = 120


def program() -> str:
    """How to call this program from any folder and any terminal, quoted for a shell."""
    script = Path(sys.executable).with_name("customfit-consumer")
    return shlex.quote(str(script)) if script.exists() else f"{shlex.quote(sys.executable)} -m consumer"


def to_look_at(demo: Demo) -> str:
    """Addresses for a browser."""
    return f"  {demo.emulator.base_url}/  what CustomFit would show: users, their properties and events, as they come"


def to_paste(demo: Demo) -> str:
    """Commands for another terminal: to send events, and to ask what became of them."""
    us = program()
    return f"""\
export CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS={demo.bootstrap_servers} CUSTOMFIT_API_URL={demo.emulator.url}
{us} produce --file - <<'END'
{{"type":"identify","userId":"ann","traits":{{"plan":"pro"}}}}
{{"type":"track","userId":"ann","event":"Order Completed","properties":{{"total":27.5}}}}
{{"type":"track","userId":"bob","event":"Signed Up"}}
this is garbage
END
{us} user ann
{us} dlq list
{us} lag
{us} emulator last --user bob --url {demo.emulator.base_url}
curl -s {demo.consumer_url}/metrics | grep '^customfit_events_finished.* [1-9]'"""


def to_break(demo: Demo) -> str:
    """Commands that make CustomFit fail, send events, show what the consumer says then, and end the failure."""
    us = program()
    control = f"{us} emulator control --url {demo.emulator.base_url}"
    return f"""\
{control} --fail-rate 1
{us} produce --events 20 && sleep 2
curl -s {demo.consumer_url}/readyz
{control} --calm"""


class Live:
    """Shows what becomes of each event, a line each: told by the emulator, the dead-letter topic and the consumer."""

    def __init__(self, show: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.on = False
        """Whether anything is shown: before that nobody is interested."""
        self._show = show
        self._clock = clock
        self._seen = SimpleQueue[tuple[str, str]]()
        self._second_began = float("-inf")
        self._lines = 0
        self._left_out: Counter[str] = Counter()

    def accepted(self, call: Call, *, out_of_order: bool) -> None:
        """The emulator accepted it. `out_of_order`: too early."""
        if self.on:
            for line in lines(call):
                self.note("delivered", f"{line}{' BEFORE AN IDENTIFY' if out_of_order else ''}")

    def refused(self, status: int, reason: str, path: str) -> None:
        """The emulator refused a request."""
        del path
        if self.on:
            self.note("refused", printable(f"with {status}: {reason}", REASON_CHARACTERS_MAX))

    def dead_lettered(self, letter: FoundLetter) -> None:
        """It is in the dead-letter topic."""
        value = printable_bytes(letter.value)
        value = value if len(value) <= VALUE_CHARACTERS_MAX else f"{value[: VALUE_CHARACTERS_MAX - 1]}…"
        why = printable(f"{letter.reason}: {letter.message}", REASON_CHARACTERS_MAX)
        self.note("dead-lettered", f"{value}  ({why}; dlq show {letter.partition}:{letter.offset})")

    def note(self, end: str, text: str) -> None:
        """Keep a line until the next turn. From any thread."""
        self._seen.put((end, text))

    def turn(self) -> None:
        """Show what has come, but no more than somebody can read."""
        if self._clock() - self._second_began >= 1.0:
            for end, count in self._left_out.items():
                self._show(f"  {end:14} {count:,} more")
            self._left_out.clear()
            self._second_began, self._lines = self._clock(), 0
        while True:
            try:
                end, text = self._seen.get_nowait()
            except Empty:
                return
            if self._lines < LINES_A_SECOND_MAX:
                self._lines += 1
                self._show(f"  {end:14} {text}")
            else:
                self._left_out[end] += 1


def keep(demo: Demo, live: Live, check: Callable[[], None]) -> None:
    """Show what comes, until Ctrl-C is typed or `check` raises KeyboardInterrupt."""
    live.on = True
    skipped = Counter(demo.finished()["skipped"])
    try:
        with typed_ctrl_c() as wait:
            while not wait(TURN_SECONDS):
                check()
                while (letter := demo.letters.next(0.0)) is not None:
                    live.dead_lettered(letter)
                now_skipped = Counter(demo.finished()["skipped"])
                for reason, count in (now_skipped - skipped).items():
                    live.note("skipped", f"{count:,} ({reason})")
                skipped = now_skipped
                live.turn()
    except KeyboardInterrupt:
        return
