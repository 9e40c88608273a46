"""`customfit-consumer check`: are the settings right, and is everything there that they name? It changes nothing."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, get_args

import typer

from consumer.choices import ApiAuth, ApiDialect
from consumer.cli.event_check import what_becomes_of
from consumer.cli.exits import fail, masker, quiet_kafka_client, settings_or_exit, tell
from consumer.exit_codes import EXIT_ERROR, EXIT_SETTINGS, EXIT_UNAVAILABLE
from consumer.foreign_text import printable

if TYPE_CHECKING:
    from consumer.customfit.answers import Answer
    from consumer.settings import Settings

TEST_USER: Final = "customfit-consumer-check"
WARNING: Final = "warning"


class Checked(NamedTuple):
    """One thing that was checked, and the result."""

    ok: bool
    what: str
    detail: str

    @property
    def mark(self) -> str:
        """What the line begins with."""
        return ("warn" if self.what == WARNING else "ok") if self.ok else "BAD"


def check(
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")] = None,
    connect: Annotated[
        bool, typer.Option("--connect", help="Also ask the broker for the topics and the group, and the registry.")
    ] = False,
    send_test_event: Annotated[
        bool,
        typer.Option("--send-test-event", help=f"Post one identify of the user {TEST_USER!r}: does the key work?"),
    ] = False,
    event: Annotated[
        str | None,
        typer.Option(
            help="An event or a batch as JSON, - for standard input: say what would become of it, and don't send it."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the settings, and what they name. Exit 0 when all is well, 69 when something can't be reached."""
    settings = settings_or_exit(os.environ, config)
    quiet_kafka_client()
    findings = [Checked(True, "settings", "all in their limits")]
    findings += [Checked(True, WARNING, text) for text in settings.warnings]
    if connect:
        findings += _kafka_findings(settings)
        findings += _registry_findings(settings)
    if event is not None:
        findings += [Checked(ok, "event", text) for ok, text in what_becomes_of(event, settings)]
    if send_test_event:
        findings += asyncio.run(_destination_findings(settings))
    findings = [finding._replace(detail=masker.text(finding.detail)) for finding in findings]
    failed = [finding for finding in findings if not finding.ok]
    shown = masker.value(settings.describe())  # a secret may stand in a setting that is not one, such as a URL's path
    assert isinstance(shown, dict)
    if as_json:
        rows = [finding._asdict() for finding in findings]
        said = {"ok": not failed, "settings": shown, "findings": rows}
        print(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        print(_verdict(findings, connect=connect))
        for finding in findings:
            subject = "" if finding.what == WARNING else f"{finding.what}: "
            print(f"{finding.mark:4} {subject}{printable(finding.detail)}")
        print()
        for name, value in shown.items():
            print(f"{name:28} {'-' if value is None else value}")
    if failed:
        raise typer.Exit(EXIT_UNAVAILABLE if failed[0].what.startswith(("Kafka", "schema")) else EXIT_ERROR)


def _verdict(findings: list[Checked], *, connect: bool) -> str:
    """One line: is it fit to run, as far as this was checked."""
    failed = [finding.what for finding in findings if not finding.ok]
    if failed:
        return f"NOT READY: {len(failed)} of {len(findings)} checks failed ({', '.join(failed)})"
    warnings = sum(finding.what == WARNING for finding in findings)
    warned = f", with {warnings} warning{'s' if warnings > 1 else ''}" if warnings else ""
    if connect:
        return f"READY: the settings are right and what they name is there{warned}"
    return f"READY, as far as the settings go{warned}; --connect asks the broker, too"


def _kafka_findings(settings: Settings) -> list[Checked]:
    from consumer.kafka.client import KafkaMisconfigured, KafkaUnavailable, admin_client
    from consumer.kafka.contact import Contact
    from consumer.kafka.inspection import inspect

    contact = Contact(settings, tell)
    try:
        contact.topics(admin_client(settings, contact.note))  # it says what is in the way while it waits
        found = inspect(settings)
    except KafkaUnavailable as error:
        return [Checked(False, "Kafka", str(error))]
    except KafkaMisconfigured as error:
        fail(str(error), EXIT_SETTINGS)
    findings = [
        Checked(True, WARNING, f"no dead letters can be replayed, all else works: {one.text}")
        if one.is_optional and not one.is_well
        else Checked(one.is_well, f"Kafka {one.what}", one.text)
        for one in found
    ]
    return findings + (_key_findings(settings) if all(one.is_well or one.is_optional for one in found) else [])


def _key_findings(settings: Settings) -> list[Checked]:
    from consumer.cli.key_check import key_sample
    from consumer.kafka.client import KafkaUnavailable

    try:
        sample = key_sample(settings)
    except KafkaUnavailable as error:
        return [Checked(True, WARNING, f"whether records are keyed by their users can't be seen: {error}")]
    if not sample.text():
        return []
    return [Checked(True, WARNING if sample.spread else "Kafka keys", sample.text())]


def _registry_findings(settings: Settings) -> list[Checked]:
    from consumer.kafka.schema_registry import RegistryUnavailable, inspect_registry

    if settings.schema_registry_url is None:
        return []
    try:
        types = inspect_registry(settings)
    except RegistryUnavailable as error:
        return [Checked(False, "schema registry", f"{settings.schema_registry_url}: {error}")]
    return [Checked(True, "schema registry", f"{settings.schema_registry_url} has schemas of {types}")]


async def _destination_findings(settings: Settings) -> list[Checked]:
    """Post one identify as the settings say. If it is refused, say which other way of sending is accepted."""
    from dataclasses import replace

    from consumer.customfit.answers import Answered
    from consumer.customfit.engine import EngineUnavailable
    from consumer.sequencing.events import Delivered

    try:
        answer, outcome = await _try(settings)
    except EngineUnavailable as error:
        fail(str(error), EXIT_ERROR)
    if isinstance(outcome, Delivered):
        return [Checked(True, "destination", f"{settings.destination_name} accepted a test identify")]
    answered = f"{settings.destination_name} answered {_text(answer)}"
    if not isinstance(answer, Answered) or answer.status not in (400, 401, 403):
        return [Checked(False, "destination", answered)]
    for auth in get_args(ApiAuth):
        for dialect in get_args(ApiDialect):
            if (auth, dialect) != (settings.api_auth, settings.api_dialect):
                _, outcome = await _try(replace(settings, api_auth=auth, api_dialect=dialect))
                if isinstance(outcome, Delivered):
                    remedy = f"accepted with CUSTOMFIT_API_AUTH={auth} and CUSTOMFIT_API_DIALECT={dialect}"
                    return [Checked(False, "destination", f"{answered}; {remedy}")]
    return [Checked(False, "destination", f"{answered}, whatever CUSTOMFIT_API_AUTH and CUSTOMFIT_API_DIALECT are")]


async def _try(settings: Settings) -> tuple[Answer, object]:
    from datetime import datetime

    from consumer.customfit.answers import judge
    from consumer.customfit.engine import answer_to
    from consumer.customfit.mapping import test_identify
    from consumer.customfit.opening import open_engine

    engine = open_engine(settings)
    try:
        now = datetime.now(UTC)
        answer = await answer_to(engine, test_identify(TEST_USER, now, settings.api_dialect))
        return answer, judge(answer, now)
    finally:
        await engine.close()


def _text(answer: Answer) -> str:
    from consumer.customfit.answers import Answered

    if isinstance(answer, Answered):
        return f"{answer.status} {answer.body.decode(errors='replace')!r}"
    return f"nothing: {answer.kind}: {answer.detail}"
