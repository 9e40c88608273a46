"""One run of `dlq replay`: survey, look again, write in batches, and report."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

from consumer.cli.exits import fail
from consumer.cli.reading import progress, survey_all
from consumer.exit_codes import EXIT_ERROR

if TYPE_CHECKING:
    from consumer.cli.interrupts import Interrupts
    from consumer.dead_letters.selection import DeadLetter, Filters
    from consumer.kafka.reader import TopicReader
    from consumer.settings import Settings

BATCH_LETTERS_MAX: Final = 500
BATCH_BYTES_MAX: Final = 4_000_000


class Replay:
    """One run of `dlq replay`."""

    def __init__(
        self, settings: Settings, reader: TopicReader, interrupts: Interrupts, *, shown: bool, identifies: bool
    ) -> None:
        self.chosen: list[DeadLetter] = []
        """What is to be replayed."""
        self.left: dict[str, int] = {}
        self._settings = settings
        self._reader = reader
        self._interrupts = interrupts
        self._shown = shown
        self._identifies = identifies
        self._written: list[DeadLetter] = []
        self._before = 0
        self._started = time.monotonic()

    def survey(self, filters: Filters, partition: int | None, letters_max: int) -> None:
        """Find what matches, and what of it has been replayed."""
        self._selection, self._read_to = survey_all(
            self._settings,
            self._reader,
            filters,
            partition,
            letters_max=letters_max,
            interrupts=self._interrupts,
            shown=self._shown,
        )
        self._choose()

    def _choose(self) -> None:
        from consumer.dead_letters.selection import replayable

        self.chosen, self.left = replayable(self._selection.pending, identifies=self._identifies)
        self.left |= {"gone": 0, "not_taken": 0}
        self._before = len(self._selection.replayed)

    def write(self) -> None:
        """Replay what is chosen, after another look at what has been replayed since."""
        from consumer.dead_letters.replayer import Overtaken, Replayer, fetch, note_replays
        from consumer.dead_letters.selection import batches
        from consumer.kafka.topics import create_replay_topic

        if not self.chosen:
            return
        settings, reader = self._settings, self._reader
        if create_replay_topic(settings):
            print(
                f"customfit-consumer: {settings.replay_topic} was not there and is now: "
                "restart the consumers that run already, so that they read it",
                file=sys.stderr,
            )
        replayer = Replayer(settings, reader.partitions(settings.replay_topic))
        replayer.open()
        note_replays(reader, settings.replay_topic, self._selection, self._check, self._read_to)
        self._choose()
        try:
            with progress("replaying", len(self.chosen), self._interrupts, shown=self._shown) as advance:
                for batch in batches(self.chosen, BATCH_LETTERS_MAX, BATCH_BYTES_MAX):
                    replays = fetch(reader, settings.dead_letter_topic, batch)
                    refused = replayer.write(replays)
                    self.left["gone"] += len(batch) - len(replays)
                    self.left["not_taken"] += len(refused)
                    self._written += [letter for letter, _ in replays if letter not in refused]
                    advance(len(batch))
        except Overtaken:
            fail(f"{self.report()}; another `dlq replay` has started, and this one ends", EXIT_ERROR)
        except KeyboardInterrupt:
            fail(f"{self.report()}; interrupted: run it again to go on", EXIT_ERROR)

    def _check(self, _count: int) -> None:
        self._interrupts.check()

    def plan(self) -> str:
        """What would be done, in one line."""
        return f"{self._counted(self.chosen)} to be replayed to {self._settings.replay_topic}{self._rest()}"

    def report(self) -> str:
        """What was done, in one line."""
        return f"{self._counted(self._written)} replayed to {self._settings.replay_topic}{self._rest()}"

    def counts(self, *, dry_run: bool) -> dict[str, Any]:
        """What was done, for scripts."""
        from consumer.dead_letters.replayer import tally

        return {
            "replay_topic": self._settings.replay_topic,
            "dry_run": dry_run,
            "to_be_replayed" if dry_run else "replayed": tally(self.chosen if dry_run else self._written),
            "replayed_before": self._before,
            "left": self.left,
            "seconds": round(time.monotonic() - self._started, 3),
        }

    @staticmethod
    def _counted(letters: list[DeadLetter]) -> str:
        from consumer.dead_letters.replayer import tally

        by_reason = ", ".join(f"{reason} {count}" for reason, count in tally(letters).items())
        return f"{len(letters)} dead letter{'' if len(letters) == 1 else 's'}{f' ({by_reason})' if by_reason else ''}"

    def _rest(self) -> str:
        why = {
            "identify": "identifies (--identifies takes them)",
            "value_omitted": "without their value, which was too large",
            "batch_omitted": "without what their batch said of them, which was too large",
            "gone": "removed by the topic's retention meanwhile",
            "not_taken": "larger than the replay topic takes (its max.message.bytes)",
        }
        left = "".join(f"; not {self.left[name]} {text}" for name, text in why.items() if self.left.get(name))
        return left + (f"; {self._before} were replayed before" if self._before else "")
