"""GET /users/{pseudonym}: what one user's events wait for, asked of the loop. No id comes in or goes out.

Nothing is kept for it, so it costs nothing while nobody asks. Whoever asks waits: the loop copies of whom there is
anything (5 ms for 200,000 users), this thread looks for the pseudonym among them (50 ms), and the loop says of the one
who is found what is waited for. One search at a time, with rests between them, so that many who ask, or who ask without
a pause, are no load for the loop.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from consumer.ops.pseudonyms import is_pseudonym
from consumer.ops.server import TEXT, Asked, Page
from consumer.ops.snapshot import Phase, Snapshot
from consumer.ops.user_answer import Found, IdentifiedAt, user_answer
from consumer.ports.inputs import InHandAsked, Post, WaitsAsked
from consumer.sequencing.events import User

if TYPE_CHECKING:
    from consumer.settings import Settings

FOLDER: Final = "/users/"
LOOP_SECONDS: Final = 1.0
"""How long the loop has for an answer: its turns are much shorter, unless it hangs."""
STATE_SECONDS: Final = 0.25
"""The state's thread may be reading; the answer goes without it then."""
TURN_SECONDS: Final = 1.0
"""How long somebody waits for the searches of others to end."""
RESTS_TIMES: Final = 4
"""After a search, nobody searches for this many times as long as it took."""
RESTS_SECONDS_MAX: Final = 0.2

ASKING_MAX: Final = 4
"""Of the server's connections, so that probes and scrapers always have the others."""

T = TypeVar("T")


class Users:
    """The page of each user. Called on the server's threads."""

    def __init__(
        self,
        settings: Settings,
        post: Post,
        snapshot: Callable[[], Snapshot],
        identified_at: Callable[[User], Future[dict[str, dict[int, int]]]],
        mask: Callable[[object], object] = lambda value: value,
    ) -> None:
        """`identified_at` asks the stored state; `mask` blots secrets out of a JSON value."""
        self._allowed = settings.http_users
        self._names = settings.kafka_group_id, settings.destination_name
        self._post = post
        self._snapshot = snapshot
        self._identified_at = identified_at
        self._mask = mask
        self._one_at_a_time = threading.Lock()
        self._rests_until = 0.0
        self._places = threading.BoundedSemaphore(ASKING_MAX)

    def answer(self, asked: Asked) -> Page:
        """The answer for one path below `/users/`."""
        is_near = is_here(asked.client, asked.own) and not asked.is_forwarded
        return self.page(asked.path.removeprefix(FOLDER), is_near=is_near)

    def page(self, name: str, *, is_near: bool) -> Page:
        """The answer for what stands behind `/users/`. `is_near`: it is asked on this machine, as far as is known."""
        if self._allowed == "off" or not is_pseudonym(name):
            return Page(404, TEXT, b"Not found. There is: /users/ and the 12 hexadecimal digits of a pseudonym\n")
        if self._allowed == "loopback" and not is_near:
            return _json(
                403,
                {
                    "problem": "only asked from its own machine does this member tell of users: set "
                    "CUSTOMFIT_HTTP_USERS=all where others may ask"
                },
            )
        if self._snapshot().phase is Phase.STARTING:
            return _json(503, {"problem": "this member is starting"})
        if not self._places.acquire(blocking=False):
            return _json(503, {"problem": f"{ASKING_MAX} others are asking about users just now"})
        try:
            return self._answer(name)
        except _NoTurn:
            return _json(503, {"problem": f"others have asked about users for {TURN_SECONDS:.0f} s; ask again"})
        except TimeoutError:
            return _json(503, {"problem": f"the loop has not answered within {LOOP_SECONDS:.0f} s"})
        finally:
            self._places.release()

    def _answer(self, pseudonym: str) -> Page:
        if not self._one_at_a_time.acquire(timeout=TURN_SECONDS):
            raise _NoTurn
        try:
            time.sleep(max(self._rests_until - time.monotonic(), 0.0))
            cpu_seconds = time.thread_time()
            found = self._find(pseudonym)
            rests_seconds = min(RESTS_TIMES * (time.thread_time() - cpu_seconds), RESTS_SECONDS_MAX)
            self._rests_until = time.monotonic() + rests_seconds
        finally:
            self._one_at_a_time.release()
        return _json(200, self._mask(user_answer(found, self._snapshot(), time.time(), time.monotonic())))

    def _find(self, pseudonym: str) -> Found:
        pseudonyms = self._snapshot().pseudonyms
        copied = InHandAsked(Future())
        self._post(copied)
        in_hand = _wait(copied.answer, LOOP_SECONDS)
        if (user := pseudonyms.find(pseudonym, in_hand.users)) is not None:
            waits = WaitsAsked([user], Future())
            self._post(waits)
            told = _wait(waits.answer, LOOP_SECONDS)
            return Found(pseudonym, *self._names, told, identified_at=self._stored(user))
        remembered = (User(one) if isinstance(one, str) else one for one in in_hand.known)
        if (known := pseudonyms.find(pseudonym, remembered)) is not None:
            return Found(pseudonym, *self._names, is_known=True, identified_at=self._stored(known))
        return Found(pseudonym, *self._names)

    def _stored(self, user: User) -> IdentifiedAt | None:
        try:
            return _wait(self._identified_at(user), STATE_SECONDS)
        except TimeoutError:
            return None


class _NoTurn(Exception):
    """The searches of others have taken too long."""


def is_here(client: str, own: str) -> bool:
    """Whether the client is on this machine: on loopback, or at the very address that it asks."""
    address = ip_address(client.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)  # a server on `::` sees IPv4 so
    return (mapped or address).is_loopback or client == own


def _wait(answer: Future[T], seconds: float) -> T:
    try:
        return answer.result(seconds)
    except TimeoutError:
        answer.cancel()  # whoever was asked need not do it any more
        raise


def _json(code: int, value: Any) -> Page:
    return Page(code, "application/json", msgspec.json.format(msgspec.json.encode(value)) + b"\n")
