"""`make demo ARGS=--keep` as somebody new does it: two terminals, and all that is pasted is what was printed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Final

import pytest
from rich.console import Console

from consumer.cli.demo import play
from consumer.cli.demo_kept import LINES_A_SECOND_MAX, Live, program
from consumer.demo.demo import Point, Script
from tests.fakes.terminals import CTRL_C, Terminal
from tests.real_broker.running_service import wait_until

ROOT: Final = Path(__file__).resolve().parents[2]
SMALL: Final = "--keep --calm --events 300 --users 20"
LISTENS: Final = "What becomes of events shows here:"
# As it is anywhere else: no .venv is active, nothing is set.
ELSEWHERE: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/")}


@pytest.fixture
def demo() -> Iterator[Terminal]:
    """Kept running by make, in a terminal."""
    # The .venv of these tests, whatever it is called; -o: nothing is to be installed.
    command = ["make", "-o", ".venv/.runtime", "demo", f"BIN={Path(sys.executable).parent}", f"ARGS={SMALL}"]
    with Terminal(command, ROOT, {**ELSEWHERE, "TERM": "xterm"}) as terminal:
        terminal.wait_for(LISTENS)
        yield terminal


def pasted(commands: str, folder: Path) -> str:
    """What another terminal prints when this is pasted into it."""
    done = subprocess.run(
        ["bash", "-e"], input=commands, cwd=folder, check=False, capture_output=True, text=True, env=ELSEWHERE
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(not Path("/usr/bin/curl").exists(), reason="no curl")
def test_what_it_prints_can_be_pasted_and_shows_what_became_of_it(demo: Terminal, tmp_path: Path) -> None:
    """Own events appear while they come, garbage too; each question that is printed has its answer; Ctrl-C is 0."""
    [page] = re.findall(r"In a browser:\n\n  (http://\S+:\d+/)  what CustomFit would show", demo.printed)
    blocks = demo.printed.partition("another terminal:\n\n")[2].partition(f"\n\n{LISTENS}")[0]
    block, _, breaking = (part.strip() for part in re.split(r"\n\n(.*:)\n\n", blocks))
    produce, _, questions = block.partition("\nEND\n")
    setting = block.partition("\n")[0]

    assert "sent 4 events" in pasted(f"{produce}\nEND\n", tmp_path)
    demo.wait_for('delivered      identify ann {"plan":"pro"}\n')
    demo.wait_for('delivered      track ann "Order Completed"\n')
    demo.wait_for("delivered      identify bob (introduced: nothing known but the id)\n")
    demo.wait_for('delivered      track bob "Signed Up"\n')
    demo.wait_for("dead-lettered  this is garbage  (undecodable: ")
    [place] = re.findall(r"this is garbage .*; (dlq show \d+:\d+)\)", demo.printed)

    caught_up = "group customfit-consumer: 0 behind"
    asked = f"{setting}\n{questions}\n{program()} {place}\n"
    wait_until(lambda: caught_up in pasted(asked, tmp_path), "what was sent is committed")
    answers = pasted(asked, tmp_path)
    assert "ann is identified" in answers
    assert caught_up in answers
    assert 'track bob "Signed Up"' in answers
    assert 'customfit_events_finished_total{outcome="delivered",reason="ok"} ' in answers
    assert 50 > len(answers.splitlines()), "the first answer has left the screen"
    assert "<title>CustomFit emulator</title>" in pasted(f"curl -sf {page}", tmp_path)
    assert '"name":"plan"' in pasted(f"curl -sf '{page}users/profile?user=ann'", tmp_path)
    assert re.search(r"value +15 bytes\nthis is garbage", answers)

    assert "sent 3 events" in pasted(
        f"{setting}\n{program()} produce --file - <<'END'\n"
        '{"type":"page","anonymousId":"a"}\n{"type":"group","userId":"ann"}\n{"type":"screen","anonymousId":"a"}\nEND\n',
        tmp_path,
    )
    demo.wait_for("skipped        1 (unsupported)")
    demo.wait_for("(anonymous)")

    told = pasted(f"{setting}\n{breaking}\n", tmp_path)
    assert told.startswith("faults: --fail-rate 1.0\nsent 20 events")
    assert "the destination is unavailable: 503" in told
    assert told.endswith("no faults: every valid request is accepted at once\n")

    demo.type(CTRL_C)
    assert 0 == demo.exit_code(), demo.printed
    assert "make: ***" not in demo.printed


@pytest.mark.parametrize("width", [80, 200])
def test_the_progress_is_whole_in_a_terminal_of_80_columns_or_more(width: int) -> None:
    """The bars give way, and not the counts."""

    class Outage:
        script = Script(users=500, events=30_000)

        def play(self, show: Callable[[Point], None]) -> None:
            """Where it says most."""
            show(Point(30_000, 14_679, 15_321, "unavailable"))

    screen = StringIO()
    play(Console(width=width, force_terminal=True, color_system=None, file=screen), Outage())
    printed = screen.getvalue()

    assert "14679/30000 0:00:00 15,321 waiting, unavailable" in " ".join(printed.split())
    assert "…" not in printed


def children_of(process: int) -> list[str]:
    """The consumer that a demo has started."""
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("number", "shown", "code", "said"),
    [
        (signal.SIGTERM, LISTENS, 0, "Stopping"),
        (signal.SIGHUP, LISTENS, 0, "Stopping"),
        (signal.SIGINT, "Everything runs on this machine", 1, "interrupted before"),
    ],
    ids=["SIGTERM", "SIGHUP", "SIGINT in the middle"],  # Ctrl-C at the end is typed above
)
def test_a_signal_ends_the_demo_and_its_consumer(number: signal.Signals, shown: str, code: int, said: str) -> None:
    """0 once it has proved what it was to prove; the consumer is not left behind."""
    command = [sys.executable, "-u", "-m", "consumer", "demo", *SMALL.split()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT, text=True) as demo:
        assert demo.stdout is not None
        printed = ""
        while shown not in printed:
            line = demo.stdout.readline()
            assert line, printed
            printed += line
        consumers = children_of(demo.pid)
        demo.send_signal(number)
        printed += demo.stdout.read()

    assert code == demo.returncode, printed
    assert said in printed
    assert "Traceback" not in printed
    assert consumers
    assert [] == [process for process in consumers if Path(f"/proc/{process}").exists()]


def test_no_more_is_shown_than_somebody_can_read() -> None:
    """Of a flood so many lines a second, then how many more there were, by what became of them."""
    now, shown = [0.0], list[str]()
    live = Live(shown.append, lambda: now[0])
    for number in range(LINES_A_SECOND_MAX + 1000):
        live.note("delivered", f"track u{number}")
    live.turn()
    assert LINES_A_SECOND_MAX == len(shown)

    now[0] = 1.0
    live.note("skipped", "1 (anonymous)")
    live.turn()
    assert ["  delivered      1,000 more", "  skipped        1 (anonymous)"] == shown[LINES_A_SECOND_MAX:]


def test_before_it_listens_nothing_is_kept() -> None:
    """The demo's own ten thousand events are not to be shown one by one."""
    shown = list[str]()
    live = Live(shown.append, time.monotonic)
    live.refused(503, "unavailable", "/v1/cfe")
    live.turn()

    assert [] == shown
