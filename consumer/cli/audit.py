"""`customfit-consumer audit`: what became of every record of a window."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from consumer.cli.exits import fail, settings_or_exit
from consumer.cli.reading import progress, work
from consumer.exit_codes import EXIT_ERROR, EXIT_UNAVAILABLE

if TYPE_CHECKING:
    from consumer.audit.judge import Judgement
    from consumer.audit.proof import LedgerProof
    from consumer.audit.verdict import Verdict
    from consumer.audit.window import Window
    from consumer.settings import Settings

MOMENT_HELP: Final = "ISO 8601 with its zone, epoch seconds, or -2h (s, m, h, d, w) before now"
LINE_BYTES_MAX: Final = 16 * 1024 * 1024


def audit(
    from_: Annotated[str, typer.Option("--from", metavar="T", help=f"Records of this time or later: {MOMENT_HELP}.")],
    to: Annotated[
        str, typer.Option("--to", metavar="T", help="Records before this time, written as for --from; `now`: all.")
    ],
    *,
    ledger: Annotated[
        Path | None, typer.Option(help="A ledger of the emulator (`emulator --ledger`): what the destination got.")
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="Print a line for every event, too.")] = False,
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what became of every record of a window.

    Each record is decoded again, by the settings given here. Exit 0 when nothing is found missing, 1 when a record has
    no end where it should have one, 69 when the window is older than a topic keeps. Receipts are read where
    CUSTOMFIT_RECEIPT_TOPIC is set. Changes nothing.
    """
    from consumer.audit.text import as_json as to_json
    from consumer.audit.text import each_json, each_line, lines

    settings = settings_or_exit(os.environ, config, api_key_required=False)
    window = _window(from_, to)

    def tell_each(judgement: Judgement) -> None:
        print(json.dumps(each_json(judgement)) if as_json else each_line(judgement))

    verdict = _verdict(settings, window, ledger, tell_each if each else None, shown=not (as_json or each))
    told = judged_by(settings), settings.kafka_topic
    print(json.dumps(to_json(verdict, *told)) if as_json else "\n".join(lines(verdict, *told)))
    if verdict.gaps:
        raise typer.Exit(EXIT_ERROR)


def _window(from_: str, to: str) -> Window:
    from consumer.audit.moments import FORMS, moment_ms
    from consumer.audit.window import Window

    now_ms = round(time.time() * 1000)
    moments = []
    for name, text in (("--from", from_), ("--to", to)):
        try:
            moments.append(moment_ms(text, now_ms))
        except ValueError:
            raise typer.BadParameter(f"{text!r} is no time; write {FORMS}", param_hint=name) from None
    if moments[0] >= moments[1]:
        raise typer.BadParameter("the window ends before it begins", param_hint="--to")
    return Window(moments[0], moments[1], now_ms)


def _verdict(
    settings: Settings,
    window: Window,
    ledger: Path | None,
    each: Callable[[Judgement], None] | None,
    *,
    shown: bool,
) -> Verdict:
    from consumer.audit.audit import Auditor
    from consumer.audit.letters import TooMany
    from consumer.audit.proof import NoLedger
    from consumer.audit.retention import TooOld
    from consumer.kafka.schema_registry import RegistryUnavailable

    read_ledger = None if ledger is None else _ledger_reader(ledger)
    with work(settings) as (reader, interrupts), progress("reading", None, interrupts, shown=shown) as advance:
        auditor = Auditor(settings, reader, window, advance, interrupts.check)
        try:
            return auditor.run(read_ledger, each)
        except (TooOld, RegistryUnavailable) as error:
            fail(str(error), EXIT_UNAVAILABLE)
        except (TooMany, NoLedger, OSError) as error:
            fail(f"{ledger}: {error}" if isinstance(error, NoLedger) else str(error), EXIT_ERROR)


def _ledger_reader(path: Path) -> Callable[[LedgerProof], None]:
    def read(proof: LedgerProof) -> None:
        with path.open("rb") as lines:
            proof.read(iter(lambda: lines.readline(LINE_BYTES_MAX), b""))

    return read


def judged_by(settings: Settings) -> dict[str, str]:
    """The settings that decide what a record is, by variable."""
    from consumer.segment.decoding import DecodingRules
    from consumer.settings.name_filter import ALLOW, DENY
    from consumer.settings.sources import variable

    names = [one.name for one in fields(DecodingRules) if one.name not in ("topic_life", "replay_topic", "name_filter")]
    shown = settings.describe()
    return {variable(name): str(shown[name] or "-") for name in ("kafka_group_id", "value_format", *names, ALLOW, DENY)}
