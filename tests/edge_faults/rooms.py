"""All faults, room by room, in the order in which tests/FAULTS.md may list them."""

from __future__ import annotations

from typing import Final

from tests.edge_faults import (
    audit,
    cli,
    copies,
    customfit,
    dead_letters,
    formats,
    kafka,
    loop,
    not_sent,
    rekey,
    sequencing,
    settings,
    state,
)

FAULTS: Final = (
    *kafka.FAULTS,
    *audit.FAULTS,
    *dead_letters.FAULTS,
    *state.FAULTS,
    *copies.FAULTS,
    *customfit.FAULTS,
    *settings.FAULTS,
    *formats.FAULTS,
    *not_sent.FAULTS,
    *rekey.FAULTS,
    *sequencing.FAULTS,
    *loop.FAULTS,
    *cli.FAULTS,
)
