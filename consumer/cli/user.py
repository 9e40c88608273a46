"""`customfit-consumer user`: is a user identified, and forget them."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.exits import fail, settings_or_exit
from consumer.cli.reading import bounds_or_exit, progress, work
from consumer.exit_codes import EXIT_ERROR
from consumer.foreign_text import printable

if TYPE_CHECKING:
    from consumer.sequencing.events import User
    from consumer.settings import Settings
    from consumer.state.lookup import StateOfUser


def user(
    user_id: Annotated[str, typer.Argument(metavar="USER_ID", help="The userId of their events.")],
    *,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="It is an anonymousId.")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Produce a Segment `delete` event for them, and wait until it is there.")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether a user counts as identified, or forget them.

    Shows it for every destination. Exit 0 when they do at that of the settings, 1 when they don't, 69 when that can't
    be told.
    """
    from consumer.sequencing.events import User

    settings = settings_or_exit(os.environ, config, api_key_required=False)
    if not user_id:
        raise typer.BadParameter("a user id is not empty", param_hint="USER_ID")
    event = json.dumps(_delete(user_id, anonymous=anonymous))
    if (problem := _refused(event)) is not None:
        raise typer.BadParameter(f"the consumer takes no events of this id: {problem}", param_hint="USER_ID")
    if forget:
        _forget(settings, User(user_id, anonymous), event, as_json=as_json)
    else:
        _look_up(settings, User(user_id, anonymous), as_json=as_json)


def _look_up(settings: Settings, user: User, *, as_json: bool) -> None:
    from consumer.state.lookup import look_up

    with work(settings) as (reader, interrupts):
        stretches = bounds_or_exit(settings, reader, "state_topic")
        records = sum(end - low for low, end in stretches.values())
        with progress("reading", records, interrupts, shown=not as_json) as advance:
            found = look_up(reader, settings, user, stretches, advance)
    here = found[settings.destination_name]
    if as_json:
        who = {"user": user.id, "anonymous": user.anonymous, "destination": settings.destination_name}
        destinations = {destination: _known(state) for destination, state in found.items()}
        print(json.dumps({**who, **destinations[settings.destination_name], "destinations": destinations}, indent=2))
    else:
        for destination, state in found.items():
            for line in _lines(user.id, destination, state):
                print(line)
        elsewhere = [name for name, state in found.items() if state.identified and state is not here]
        if elsewhere and not here.identified:
            print(f"{settings.origin('destination_name')} is {printable(settings.destination_name)}; is that the one?")
    if not here.identified:
        raise typer.Exit(EXIT_ERROR)


def _known(state: StateOfUser) -> dict[str, object]:
    from consumer.dead_letters.text import iso

    identified = {number: iso(at) for number, at in sorted(state.identified_at_ms.items())}
    forgotten = {number: iso(at) for number, at in sorted(state.forgotten_at_ms.items())}
    return {"identified": state.identified, "identified_at": identified, "forgotten_at": forgotten}


def _lines(user_id: str, destination: str, state: StateOfUser) -> Iterator[str]:
    from consumer.dead_letters.text import iso

    yield f"{printable(user_id)} is {'' if state.identified else 'not '}identified at {printable(destination)}"
    for number, at in sorted(state.identified_at_ms.items()):
        yield f"  by an event of partition {number}, since {iso(at)}"
    for number, at in sorted(state.forgotten_at_ms.items()):
        yield f"  forgotten by a delete of partition {number} at {iso(at)}"


def _delete(user_id: str, *, anonymous: bool) -> dict[str, str]:
    return {
        "type": "delete",
        "anonymousId" if anonymous else "userId": user_id,
        "messageId": str(uuid.uuid4()),
        "timestamp": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def _refused(event: str) -> str | None:
    """Why the consumer would make a dead letter of this event, if it would: asked of the code that decides it."""
    from consumer.segment.decoding import DecodingRules, decode
    from consumer.sequencing.events import Partition, Record, Rejected

    decoded = decode(Record(Partition("", 0), 0, 0, None, event.encode(), None), DecodingRules(anonymous="forward"))
    return decoded.detail if isinstance(decoded, Rejected) else None


def _forget(settings: Settings, user: User, event: str, *, as_json: bool) -> None:
    from consumer.cli.sender import Sender

    if user.anonymous and settings.anonymous == "skip":
        fail("events with only an anonymousId are skipped (CUSTOMFIT_ANONYMOUS); there is nobody to forget", EXIT_ERROR)
    sender = Sender(settings)
    with sender.interrupts:
        sender.check_topic()
        interrupted = sender.send([(user.id.encode(), event.encode())], 0.0, lambda _done: None)
    if sender.last is None:
        reasons = "interrupted" if interrupted else "; ".join(sender.reasons)
        fail(f"the delete event was not taken: {reasons}", EXIT_ERROR)
    partition, offset = sender.last
    if as_json:
        where = {"topic": settings.kafka_topic, "partition": partition, "offset": offset}
        print(json.dumps({"event": json.loads(event), **where}))
    else:
        print(f"the delete event is in {settings.kafka_topic}, partition {partition}, offset {offset}")
