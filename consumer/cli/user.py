"""`customfit-consumer user`: is a user identified, what do their events wait for; and forget them."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.exits import fail, masker, quiet_kafka_client, settings_or_exit, tell
from consumer.cli.reading import bounds_or_exit, progress, work
from consumer.exit_codes import EXIT_ERROR, EXIT_UNAVAILABLE
from consumer.foreign_text import printable

if TYPE_CHECKING:
    from consumer.cli.user_members import Members
    from consumer.kafka.lag import PartitionLag
    from consumer.sequencing.events import User
    from consumer.settings import Settings
    from consumer.state.lookup import StateOfUser


def user(
    user_id: Annotated[str, typer.Argument(metavar="USER_ID", help="The userId of their events.")],
    *,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="It is an anonymousId.")] = False,
    url: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="A member to ask what waits: http://HOST:PORT, HOST:PORT or HOST; all addresses of a name. "
            "Repeatable. [default: all members of the group, at CUSTOMFIT_HTTP_PORT]",
        ),
    ] = None,
    pseudonym: Annotated[
        bool, typer.Option("--pseudonym", help="USER_ID is a pseudonym from a page or the log; only members are asked.")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Produce a Segment `delete` event for them, and wait until it is there.")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say if a user is identified and why they wait, or forget them.

    The state topic says who is identified, for every destination; members say what waits, asked by a pseudonym and
    never by the id. Exit 0 when they are identified at the destination of the settings, 1 when not, 69 when that can't
    be told.
    """
    from consumer.sequencing.events import User

    settings = settings_or_exit(os.environ, config, api_key_required=False)
    if not user_id:
        raise typer.BadParameter("a user id is not empty", param_hint="USER_ID")
    if pseudonym:
        if forget or anonymous:
            raise typer.BadParameter("a pseudonym is of one user alone, and says no id", param_hint="--pseudonym")
        _ask_for_pseudonym(settings, user_id, url or [], as_json=as_json)
        return
    event = json.dumps(_delete(user_id, anonymous=anonymous))
    if (problem := _refused(event)) is not None:
        raise typer.BadParameter(f"the consumer takes no events of this id: {problem}", param_hint="USER_ID")
    if forget:
        _forget(settings, User(user_id, anonymous), event, as_json=as_json)
    else:
        _look_up(settings, User(user_id, anonymous), url or [], as_json=as_json)


def _look_up(settings: Settings, user: User, urls: Sequence[str], *, as_json: bool) -> None:
    from consumer.cli.user_texts import json_of_members, lines_of_members, lines_of_topics
    from consumer.ops.pseudonyms import Pseudonyms, is_pseudonym

    pseudonym = Pseudonyms(settings.kafka_group_id, settings.destination_name).of(user)
    members = _members(settings, urls, pseudonym)
    try:
        found, topics = _read_topics(settings, user, is_lag_asked=not members.have_answered, shown=not as_json)
    except typer.Exit:  # the reason is shown, and what members have said keeps its worth
        for line in lines_of_members(members) if members.have_answered and not as_json else ():
            print(masker.text(line))
        raise
    here = found[settings.destination_name]
    if as_json:
        who = {"user": user.id, "anonymous": user.anonymous, "pseudonym": pseudonym}
        destinations = {destination: _known(state) for destination, state in found.items()}
        where = {"destination": settings.destination_name, **destinations[settings.destination_name]}
        told = {**who, **where, "destinations": destinations, **json_of_members(members, topics)}
        print(json.dumps(masker.value(told), indent=2))
    else:
        for destination, state in found.items():
            for line in _lines(user.id, destination, state):
                print(line)
        elsewhere = [name for name, state in found.items() if state.identified and state is not here]
        if elsewhere and not here.identified:
            print(f"{settings.origin('destination_name')} is {printable(settings.destination_name)}; is that the one?")
        print(f"on pages and in the log they are called {pseudonym}")
        if is_pseudonym(user.id):
            print(
                f"{user.id} looks like a pseudonym itself; if it is one: customfit-consumer user --pseudonym {user.id}"
            )
        for line in (*lines_of_members(members), *(() if topics is None else lines_of_topics(topics))):
            print(masker.text(line))
    if not here.identified:
        raise typer.Exit(EXIT_ERROR)


def _members(settings: Settings, urls: Sequence[str], pseudonym: str) -> Members:
    from consumer.cli.user_members import ask_members

    quiet_kafka_client()
    try:
        return ask_members(settings, urls, pseudonym)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from None


def _read_topics(
    settings: Settings, user: User, *, is_lag_asked: bool, shown: bool
) -> tuple[dict[str, StateOfUser], list[PartitionLag] | None]:
    """What the state topic says of the user; and, if no member has answered, how far the group is behind."""
    from consumer.kafka.client import KafkaUnavailable
    from consumer.kafka.lag import group_lag
    from consumer.state.lookup import look_up

    with work(settings) as (reader, interrupts):
        stretches = bounds_or_exit(settings, reader, "state_topic")
        records = sum(end - low for low, end in stretches.values())
        with progress("reading", records, interrupts, shown=shown) as advance:
            found = look_up(reader, settings, user, stretches, advance)
        if not is_lag_asked:
            return found, None
        try:
            topics = settings.kafka_topic, settings.replay_topic
            return found, [one for topic in topics for one in group_lag(settings, reader, topic, time.time())]
        except KafkaUnavailable as error:  # who is identified is known nevertheless
            tell(str(error))
            return found, []


def _ask_for_pseudonym(settings: Settings, pseudonym: str, urls: Sequence[str], *, as_json: bool) -> None:
    from consumer.cli.user_texts import json_of_members, lines_of_members
    from consumer.ops.pseudonyms import DIGITS, is_pseudonym

    if not is_pseudonym(pseudonym):
        raise typer.BadParameter(f"a pseudonym has {DIGITS} hexadecimal digits", param_hint="USER_ID")
    members = _members(settings, urls, pseudonym)
    if as_json:
        who = {"pseudonym": pseudonym, "destination": settings.destination_name, "identified": members.identified}
        print(json.dumps(masker.value({**who, **json_of_members(members, None)}), indent=2))
    else:
        for line in lines_of_members(members):
            print(masker.text(line))
    if not members.have_answered:
        fail("no member has answered, and only members know a pseudonym", EXIT_UNAVAILABLE)
    if members.identified is None:
        fail("whether they are identified none of the members can say; ask by the id", EXIT_UNAVAILABLE)
    if not members.identified:
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
    """Why the consumer would make a dead letter of this event, if so. Asked of the code that decides it."""
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
        reasons, code = ("interrupted", EXIT_ERROR) if interrupted else sender.why()
        fail(f"the delete event was not taken: {reasons}", code)
    partition, offset = sender.last
    if as_json:
        where = {"topic": settings.kafka_topic, "partition": partition, "offset": offset}
        print(json.dumps({"event": json.loads(event), **where}))
    else:
        print(f"the delete event is in {settings.kafka_topic}, partition {partition}, offset {offset}")
