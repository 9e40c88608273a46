"""Before `rekey` joins its group: source and target are there, and are those that its offsets speak of."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from consumer.kafka.client import KafkaMisconfigured, KafkaUnavailable, MissingRight, admin_client
from consumer.kafka.contact import Contact, Tell
from consumer.kafka.group_start import start_new_group_at_end
from consumer.kafka.lag import group_lag
from consumer.kafka.offset_reset import GroupHasMembers, reset_offsets
from consumer.kafka.reader import Bounds, TopicReader
from consumer.kafka.rights import missing_on_topic, refusal
from consumer.kafka.topic_ids import TopicIds
from consumer.kafka.topics import create_rekeyed_topic
from consumer.log_codes import Code, fields
from consumer.rekey.growth import Remembered, is_known_later, is_later_by, made_again, other_counts
from consumer.sequencing.rekeyed_headers import said_life
from consumer.settings.kafka_tools import reset_to_earliest

if TYPE_CHECKING:
    from consumer.ports.inputs import TopicSeen
    from consumer.settings import Settings

TARGET: Final = "{}.by-user"
GROUP: Final = "{}.rekey"
NAME_CHARACTERS_MAX: Final = 249
ASK_SECONDS: Final = 5.0
LAST_OFFSETS: Final = 100
"""So far in front of a partition's end its last record is looked for first: behind it there may be markers."""

log = logging.getLogger("consumer.rekey")


class Grown(KafkaUnavailable):
    """The target has another number of partitions than that for which it was written."""


class Prepared(NamedTuple):
    """What the start found."""

    source_partitions: int
    remembered: Remembered
    """What each commit says from now on."""


def settings_of_rekey(settings: Settings) -> Settings:
    """The settings with the group of `rekey`, which is another one than that of `run`."""
    group = GROUP.format(settings.kafka_group_id)
    return replace(settings, kafka_group_id=group)


def target_of(settings: Settings) -> str:
    """The topic that is written. Raises KafkaMisconfigured."""
    target = TARGET.format(settings.kafka_topic)
    if len(target) > NAME_CHARACTERS_MAX:
        raise KafkaMisconfigured(f"{settings.origin('kafka_topic')}: with `.by-user` it is too long for a topic's name")
    if settings.kafka_topic.endswith(TARGET.format("")):
        raise KafkaMisconfigured(
            f"{settings.origin('kafka_topic')}: {settings.kafka_topic} is what `rekey` writes; name its source"
        )
    return target


def prepare(settings: Settings, *, accept_growth: bool, check: Callable[[], None], tell: Tell) -> Prepared:
    """Make the target where it is missing, and refuse one that has grown. `settings`: those of `run`.

    `check` is called between questions, and may raise. Raises KafkaUnavailable, KafkaMisconfigured.
    """
    ours, target = settings_of_rekey(settings), target_of(settings)
    contact = Contact(settings, tell)
    admin = admin_client(settings, contact.note)
    topics = contact.topics(admin, check)
    source = topics.get(settings.kafka_topic)
    if missing := missing_on_topic(admin, settings.kafka_topic, "Read"):
        raise MissingRight(f"{settings.kafka_topic} ({settings.origin('kafka_topic')}): {refusal(ours, *missing)}")
    if source is None or source.error is not None or not source.partitions:
        raise KafkaUnavailable(
            f"topic {settings.kafka_topic!r} ({settings.origin('kafka_topic')}) does not exist at "
            f"{settings.kafka_bootstrap_servers}, or this user may not see it"
        )
    create_rekeyed_topic(ours, topics, target)
    if missing := missing_on_topic(admin, target, "Write"):
        raise MissingRight(f"{target}: {refusal(ours, *missing)}")
    if settings.kafka_start == "latest":
        start_new_group_at_end(admin, ours, len(source.partitions))
    seen = _seen(settings, target)
    partitions = seen[target].partitions or len(source.partitions)
    now = Remembered(partitions, seen[settings.kafka_topic].topic_id or "")
    commits = _commits(ours, len(source.partitions), check, tell)
    said = {number: metadata for number, (_, metadata) in commits.items()}
    if again := made_again(said, now.source_id):
        raise KafkaUnavailable(
            f"{ours.kafka_topic} was deleted and made again: the offsets of group {ours.kafka_group_id} in partitions "
            f"{again} are of the earlier topic; have the group begin with: {reset_to_earliest(ours, ours.kafka_topic)}"
        )
    is_later = is_known_later(said.values(), now.source_id)
    if is_later is None:
        with TopicReader(ours, check, tell, group_operation="Read") as reader:
            is_later = _is_later(reader, target, now.source_id)
    now = now._replace(is_later=is_later)
    if counts := other_counts(said.values(), partitions):
        said_so = _grown(target, counts, partitions)
        with TopicReader(replace(settings, kafka_topic=target), check, tell) as reader:
            _accept(settings, reader, target, said_so, accepted=accept_growth)
        offsets = {number: offset for number, (offset, _) in commits.items()}
        try:
            reset_offsets(ours, offsets, check, str(now))
        except GroupHasMembers:
            raise Grown(
                f"stop all members of {ours.kafka_group_id} before one accepts that {target} has grown"
            ) from None
        log.info("%s is written with %d partitions", target, partitions, extra=fields(Code.REKEY_GREW))
    return Prepared(len(source.partitions), now)


def _commits(
    ours: Settings, partitions: int, check: Callable[[], None], tell: Tell
) -> Mapping[int, tuple[int, str | None]]:
    """What the group has committed. While a dead process's transaction is open, the broker does not say."""
    deadline = time.monotonic() + ours.startup_timeout_seconds
    while True:
        try:
            with TopicReader(ours, check, tell, group_operation="Read") as reader:
                return reader.commits(ours.kafka_topic, partitions)
        except KafkaUnavailable:
            if time.monotonic() >= deadline:
                raise


def _is_later(reader: TopicReader, target: str, source_id: str) -> bool:
    """Whether an earlier topic had the source's name, as the target says."""
    left = {number: bounds for number, bounds in reader.bounds(target).items() if bounds.end} if source_id else {}
    if not left:
        return False
    found: dict[int, str | None] = {}
    reach = LAST_OFFSETS
    while left:
        stretches = {number: Bounds(max(low, end - reach), end) for number, (low, end) in left.items()}
        for record in reader.read(target, stretches):
            found[record.partition.number] = said_life(record.headers)
        left = {n: bounds for n, bounds in left.items() if n not in found and stretches[n].low > bounds.low}
        reach *= 10
    return is_later_by(found.values(), source_id)


def changed(remembered: Remembered, source: str, target: str, seen: Mapping[str, TopicSeen]) -> str | None:
    """Why nothing more may be written: what has changed about a topic since the start. None: nothing."""
    now = seen.get(target)
    if now is not None and now.partitions is not None and now.partitions != remembered.target_partitions:
        return _grown(target, [remembered.target_partitions], now.partitions)
    at = seen.get(source)
    if at is not None and at.topic_id and remembered.source_id and at.topic_id != remembered.source_id:
        return f"{source} was deleted and made again while it was read"
    return None


def _accept(settings: Settings, reader: TopicReader, target: str, said: str, *, accepted: bool) -> None:
    """Raises Grown unless `run` has delivered all that was written, and somebody says that it may go on."""
    behind = sum(one.lag_events for one in group_lag(settings, reader, target, time.time()))
    if behind:
        raise Grown(f"{said} Group {settings.kafka_group_id} has {behind} events of it to deliver.")
    if not accepted:
        raise Grown(f"{said} Group {settings.kafka_group_id} has delivered all of it, so that may be done now.")


def _grown(target: str, counts: list[int], partitions: int) -> str:
    before = " and ".join(str(count) for count in counts)
    return (
        f"{target} has {partitions} partitions, and was written with {before}: new events of a user could be delivered "
        "before earlier ones, which lie in another partition. Stop `rekey`, wait until `run` has delivered all of "
        "the topic, then start it once with --accept-growth."
    )


def _seen(settings: Settings, target: str) -> Mapping[str, TopicSeen]:
    """Look at source and target. One that was just made may take a moment to be seen."""
    ids = TopicIds(settings)
    ids.start()
    names = (settings.kafka_topic, target)
    deadline = time.monotonic() + settings.startup_timeout_seconds
    while True:
        known = ids.seen(names, ASK_SECONDS).known
        if all(name in known and known[name].partitions for name in names):
            return known
        if time.monotonic() >= deadline:
            missing = [name for name in names if name not in known or not known[name].partitions]
            raise KafkaUnavailable(f"{', '.join(missing)}: the cluster does not describe it (the right to Describe?)")
        time.sleep(0.1)
