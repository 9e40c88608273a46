"""The records that the harness produces, from a seed: what each is, and how it must end. Pure."""

from __future__ import annotations

import json
import random
import zlib
from typing import Any, Final, Literal, NamedTuple

What = Literal["identify", "track", "page", "screen", "refused", "delete", "skipped", "rejected"]
DELIVERED: Final = frozenset({"identify", "track", "page", "screen"})
"""Must be delivered. `refused`: the emulator refuses it, `rejected`: it is no event; both must be dead letters."""
DEAD: Final = frozenset({"refused", "rejected"})

TOPIC: Final = "segment-events"
REFUSED_NAME: Final = "Refuse Me"
HEADER: Final = "chaos"
NO_DIGEST: Final = 0

_WEIGHTS: Final[dict[What, float]] = {
    "track": 62,
    "page": 12,
    "screen": 4,
    "identify": 13,
    "skipped": 5,
    "delete": 1,
    "rejected": 2,
    "refused": 1,
}


class Made(NamedTuple):
    """One record to produce."""

    number: int
    what: What
    user: str
    message_id: str | None
    """None: the event has none, so its insert id is topic-partition-offset."""
    digest: int
    """Of the traits or properties, as the destination must get them."""
    value: bytes | None
    partition: int

    @property
    def header(self) -> bytes:
        """All but the value and the partition, for whoever reads the topic."""
        return json.dumps([self.number, self.what, self.user, self.message_id, self.digest]).encode()


def digest(text: bytes | None) -> int:
    """A checksum of the text of a JSON object; of none where there is none."""
    return NO_DIGEST if text is None else zlib.crc32(text)


class Generator:
    """An endless stream of records; the same seed gives the same stream, as long as the topic does not grow."""

    def __init__(self, seed: int, users: int, partitions: int, first: int = 0) -> None:
        """`first`: the number before that of the first record."""
        self.partitions = partitions
        """May be raised: then some of the events are those of new users, in the new partitions."""
        self._partitions_first = partitions
        self._seed = seed
        self._random = random.Random(f"records {seed} {first}" if first else f"records {seed}")
        self._users = users
        self._number = first

    def next(self) -> Made:
        """One record."""
        self._number += 1
        rng = self._random
        [what] = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        # A square: the first users have many events, the last ones few.
        user, partition = self._user(int(rng.random() ** 2 * self._users))
        message_id = f"s{self._seed}-{self._number}" if rng.random() < 0.97 else None
        match what:
            case "skipped":
                value = self._skipped(user)
                return Made(self._number, what, user, None, NO_DIGEST, value, partition)
            case "rejected":
                return Made(self._number, what, user, None, NO_DIGEST, self._rejected(user), partition)
            case "delete":
                value = _json({"type": "delete", "userId": user})
                return Made(self._number, what, user, None, NO_DIGEST, value, partition)
            case _:
                return self._event(what, user, partition, message_id)

    def _user(self, number: int) -> tuple[str, int]:
        """Whom, and in which partition: a user stays in one, whatever is added, since order is promised in one."""
        partition = number % self.partitions
        if partition < self._partitions_first:
            return f"user-{number}", number % self._partitions_first
        return f"user-{number}-of-{partition}", partition

    def _event(self, what: What, user: str, partition: int, message_id: str | None) -> Made:
        rng = self._random
        event: dict[str, Any] = {"type": "track" if what == "refused" else what, "userId": user}
        if message_id is not None:
            event["messageId"] = message_id
        content = None
        if rng.random() < 0.95:
            content = {
                "n": self._number,
                "text": "x" * rng.choice([0, 10, 100, 1000]),
                "big": 2**70,
                "ö": "é\U0001f600",
            }
            event["traits" if what == "identify" else "properties"] = content
        if what in ("track", "refused"):
            event["event"] = REFUSED_NAME if what == "refused" else f"Event {rng.randrange(20)}"
        if what in ("page", "screen") and rng.random() < 0.8:
            event["name"] = "Pricing"
        text = _json(content) if content is not None else None
        if text is None and what != "identify":
            text = b"{}"  # an event always has properties
        return Made(self._number, what, user, message_id, digest(text), _json(event), partition)

    def _skipped(self, user: str) -> bytes | None:
        return self._random.choice(
            [
                None,
                _json({"type": "group", "userId": user, "groupId": "g"}),
                _json({"type": "alias", "userId": user, "previousId": "p"}),
                _json({"type": "track", "anonymousId": "nobody", "event": "Anonymous"}),
                _json({"type": "track", "userId": user, "event": "Not For Us", "integrations": {"All": False}}),
                _json({"type": "somethingNew", "userId": user}),
            ]
        )

    def _rejected(self, user: str) -> bytes:
        return self._random.choice(
            [
                b"this is not JSON",
                b'{"type":"track","userId":"\xff"}',
                b'{"type":"track","userId":"' + user.encode(),
                b"[]",
                _json({"type": "track", "userId": user}),
                _json({"type": "track", "event": "Of Nobody"}),
                _json({"type": "identify", "userId": user, "traits": "none"}),
                b"[" * 5000,
            ]
        )


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
