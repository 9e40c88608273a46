"""Which records are in hand: beside a model that is a dictionary."""

from __future__ import annotations

import random

import pytest

from consumer.sequencing.offset_log import SLACK, OffsetLog


def log_of(*offsets: int, finished: tuple[int, ...] = ()) -> OffsetLog:
    """A log with these; the time of each is ten times its offset."""
    made = OffsetLog()
    made.extend(offsets, [offset * 10 for offset in offsets])
    made.finish(finished)
    return made


def test_runs_are_of_open_and_of_finished_ones_in_turn() -> None:
    """From the first open one on; gaps, and what lies between the last one and the position, count as finished."""
    log = log_of(3, 4, 5, 8, 9, 20, 21, finished=(3, 5, 9))

    assert [1, 3, 1, 11, 2, 3] == log.runs(25)
    assert [0, 0] == log_of(3, finished=(3,)).runs(4)
    assert [0, 0] == OffsetLog().runs(0)


def test_what_is_below_is_let_go_of() -> None:
    """And what comes later is found all the same."""
    log = log_of(3, 4, 5, 8, finished=(3, 4))
    log.drop_below(5)
    log.append(9, 90)
    log.finish((8, 9))

    assert (3, 5, 50, {8: 80, 9: 90}) == (len(log), log.first_open(), log.oldest_ms(), log.finished())


@pytest.mark.parametrize("offset", [2, 6, 7, 9, 10**15, -1])
def test_what_was_not_received_is_not_finished(offset: int) -> None:
    """A fault of the program, which ends it: below, in a gap, above."""
    log = log_of(3, 4, 5, 8)

    with pytest.raises(AssertionError, match=f"offset {offset} was not received"):
        log.finish((offset,))


@pytest.mark.parametrize("gap_share", [0.0, 0.05, 0.7])
def test_it_is_what_a_dictionary_would_be(gap_share: float) -> None:
    """With few gaps and with many, whatever the order of the ends; also where one stays open while thousands pass."""
    rng = random.Random(gap_share)
    log, model, position = OffsetLog(), dict[int, bool](), 0
    stays = 0
    for step in range(3 * SLACK):
        offsets = []
        for _ in range(rng.randrange(4)):
            position += 1 + (rng.randrange(1, 5) if rng.random() < gap_share else 0)
            offsets.append(position)
        if offsets:
            stays = stays or offsets[0]
            log.extend(offsets, offsets)
            model |= dict.fromkeys(offsets, False)
        unfinished = [offset for offset, is_finished in model.items() if not is_finished and offset != stays]
        ending = rng.sample(unfinished, min(len(unfinished), rng.randrange(5)))
        log.finish(ending)
        model |= dict.fromkeys(ending, True)
        if step == 2 * SLACK:
            log.finish((stays,))
            model[stays] = True
        if step % 50 == 0:
            opens = [offset for offset, is_finished in model.items() if not is_finished]
            first = min(opens, default=None)

            assert (first, len(opens)) == (log.first_open(), log.open)
            assert opens == opened(log, position + 1)
            assert len(log) <= 2 * log.open + SLACK + 5 or first != stays


def opened(log: OffsetLog, position: int) -> list[int]:
    """The open ones, as the runs say."""
    at = log.first_open() or 0
    found: list[int] = []
    for number, length in enumerate(log.runs(position)):
        found += range(at, at + length) if number % 2 == 0 else ()
        at += length
    return found
