"""Made-up Segment events, as SDKs send them; the same for the same seed, on any Python.

A small web shop: most users are identified when they first show up, some only after a few events, some never. Among
them comes what Segment sends besides: audiences of Engage, anonymous visitors, events that opted out, and calls that
this destination does not take (group, alias). Users are skewed: a few cause most of the events.

Only `random()` and `getrandbits()` are drawn from: what the other methods of `random` make of a seed may change
between versions of Python.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

START_SECONDS: Final = 1_795_428_000.0
"""2026-11-23 10:00 UTC, as unix time."""
SKEW: Final = 2.0

SampleEvent = dict[str, Any]


def sample_events(
    users: int,
    events: int,
    seed: int,
    *,
    start_seconds: float = START_SECONDS,
    skew: float = SKEW,
    late_share: float = 0.1,
    never_share: float = 0.05,
    others: bool = True,
) -> Iterator[SampleEvent]:
    """`events` events of at most `users` users, 500 to 600 bytes each as JSON, 20 ms apart in the mean.

    `skew`: 1 is even; at 2 a tenth of the users causes a third of the events. `late_share`, `never_share`: users
    whose identify is only their fourth event, or who have none. `others`: with audiences, anonymous visitors,
    opted-out events, groups and aliases. The events share nested parts: they are to be read, not changed.
    """
    assert users > 0
    assert 0 <= late_share + never_share <= 1
    shop = _Shop(users, seed, start_seconds=start_seconds, skew=skew, late_share=late_share, never_share=never_share)
    for index in range(events):
        yield _other(shop, index) if others else shop.event()


def encoded_samples(
    users: int, events: int, seed: int, *, garbage_every: int = 0, **options: Any
) -> Iterator[tuple[bytes, bytes]]:
    """The same as Kafka keys (userId, else anonymousId) and JSON values. `options` are those of sample_events.

    `garbage_every`: make every Nth value one of GARBAGE; 0: none.
    """
    encode = msgspec.json.Encoder().encode
    for index, event in enumerate(sample_events(users, events, seed, **options)):
        key = (event["userId"] or event["anonymousId"]).encode()
        if garbage_every and index % garbage_every == garbage_every - 1:
            yield key, GARBAGE[index // garbage_every % len(GARBAGE)]
        else:
            yield key, encode(event)


GARBAGE: Final = (
    b"not JSON",
    b'{"type":"track","userId":"u1","event":"cut of',
    b'{"type":"track","userId":"\xff\xfe","event":"not UTF-8"}',
    b"[]",
    b"null",
    b"",
    b'"a string"',
    b'{"type":"track","userId":"u1"}',
    b'{"type":"track","event":"nobody"}',
    b'{"type":"track","userId":{"id":"u1"},"event":"an object as id"}',
    b'{"type":"identify","userId":"u1","traits":[1,2,3]}',
    b'{"type":"teleport","userId":"u1"}',
    b'{"type":["track"],"userId":"u1"}',
    b'{"type":"track","userId":"u1","event":"deep","properties":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
    b'{"type":"track","userId":"' + b"u" * 600 + b'","event":"an id above 512 bytes"}',
    b"\x00\x00\x00\x00\x01\x02Avro of a schema that nobody has",
)
"""Not JSON, not UTF-8, not an object; an object but no event; nested too deep; an id that is too long."""


class _Source(NamedTuple):
    """Where an event was made."""

    channel: str
    context: SampleEvent


class _Shop:
    """The users, what each has done so far, and the time."""

    def __init__(
        self, users: int, seed: int, *, start_seconds: float, skew: float, late_share: float, never_share: float
    ) -> None:
        self._random = random.Random(seed)
        self._users = users
        self._skew = skew
        self._now_ms = round(start_seconds * 1000)
        self._clock = _Clock()
        self._seen = bytearray(users)  # events of each user so far, up to 255
        self._identified = bytearray(users)
        self._late = round(late_share * 1000)
        self._never = self._late + round(never_share * 1000)

    def event(self) -> SampleEvent:
        """The next event of some user."""
        user = self._user()
        seen = self._seen[user]
        self._seen[user] = min(seen + 1, 255)
        draw = self._random.random()
        if self._identified[user]:
            identifies = draw < 0.04
        else:
            # Stepped through by a multiplication, so the first users, who are the busy ones, are of every kind.
            kind = (user * 619 + 300) % 1000
            identifies = seen >= 3 if kind < self._late else kind >= self._never
        if identifies:
            self._identified[user] = 1
            return self._identify(user)
        if draw < 0.65:
            return self.track(user)
        return self._page(user) if draw < 0.88 else self._screen(user)

    def track(self, user: int) -> SampleEvent:
        """Something a user did."""
        event = self._envelope("track", user, _pick(_BROWSERS, user))
        event["event"], properties = _pick(_ACTIONS, self._random.getrandbits(16))
        event["properties"] = properties(self._random.getrandbits(16))
        return event

    def audience(self) -> SampleEvent:
        """A user entered or left an audience: Engage says so with an identify, to chosen destinations only."""
        user = self._user()
        if not self._identified[user]:
            return self.event()
        key = _pick(_AUDIENCES, user)
        context = {**_ENGAGE.context, "personas": {**_PERSONAS, "computation_key": key}}
        event = self._envelope("identify", user, _Source(_ENGAGE.channel, context))
        event["traits"] = {key: self._random.random() < 0.8}
        event["integrations"] = {"All": False, "CustomFit.ai": True}
        return event

    def visitor(self) -> SampleEvent:
        """A page seen by somebody who has only an anonymousId."""
        event = self._page(self._user())
        event["userId"] = None
        return event

    def opted_out(self) -> SampleEvent:
        """Something a user did that is not meant for this destination."""
        event = self.track(self._user())
        event["integrations"] = {"All": True, "CustomFit.ai": False}
        return event

    def group(self) -> SampleEvent:
        """A user's company; this destination does not take it."""
        user = self._user()
        event = self._envelope("group", user, _SERVER)
        event["groupId"] = f"company-{user % 50}"
        event["traits"] = {"name": "Initech", "industry": "Technology", "employees": 329, "plan": "enterprise"}
        return event

    def alias(self) -> SampleEvent:
        """Two ids of one user; this destination does not take it."""
        user = self._user()
        event = self._envelope("alias", user, _SERVER)
        event["previousId"] = event["anonymousId"]
        return event

    def _identify(self, user: int) -> SampleEvent:
        draw = self._random.getrandbits(16)
        first, last = _pick(_FIRST_NAMES, user), _pick(_LAST_NAMES, user // len(_FIRST_NAMES))
        event = self._envelope("identify", user, _SERVER if draw % 4 == 0 else _pick(_BROWSERS, user))
        event["traits"] = {
            "email": f"{first}.{last}.{user}@example.com".lower(),
            "name": f"{first} {last}",
            "plan": _pick(_PLANS, draw >> 2),
            "createdAt": f"2025-{user % 12 + 1:02d}-{user % 28 + 1:02d}T08:30:00.000Z",
            "logins": draw % 300,
        }
        return event

    def _page(self, user: int) -> SampleEvent:
        # The plain `analytics.page()` of a browser has no name.
        event = self._envelope("page", user, _pick(_BROWSERS, user))
        name = _pick(_PAGES, self._random.getrandbits(16))
        if name:
            event["name"] = name
        path = f"/{name.lower()}"
        event["properties"] = {
            "path": path,
            "url": f"https://shop.example.com{path}",
            "title": f"{name or 'Home'} - Example Shop",
        }
        return event

    def _screen(self, user: int) -> SampleEvent:
        draw = self._random.getrandbits(16)
        event = self._envelope("screen", user, _pick(_PHONES, user))
        event["name"] = _pick(_SCREENS, draw)
        event["properties"] = {"tab": draw % 5, "items": draw >> 12, "dark": user % 2 == 0}
        return event

    def _user(self) -> int:
        return int(self._users * self._random.random() ** self._skew)

    def _envelope(self, kind: str, user: int, source: _Source) -> SampleEvent:
        message_id = self._random.getrandbits(128)
        self._now_ms += 5 + message_id % 31
        now = self._clock.text(self._now_ms)
        event: SampleEvent = {
            "anonymousId": _uuid((user + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835),
            "channel": source.channel,
            "context": source.context,
            "messageId": _uuid(message_id),
            "originalTimestamp": now,
            "receivedAt": self._clock.text(self._now_ms + 41),
            "sentAt": now,
            "timestamp": now,
            "type": kind,
            "userId": f"user-{user:06d}",
            "version": 2,
        }
        if message_id % 8 == 0:
            event["integrations"] = _pick(_INTEGRATIONS, message_id >> 3)
        return event


class _Clock:
    """Unix milliseconds as Segment writes them; the seconds, which seldom change, are kept."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def text(self, unix_ms: int) -> str:
        second, ms = divmod(unix_ms, 1000)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{ms:03d}Z"


def _other(shop: _Shop, index: int) -> SampleEvent:
    # One of each after every so many events, so that a short run shows them, too.
    if index % 29 == 17:
        return shop.audience()
    if index % 53 == 31:
        return shop.visitor()
    if index % 83 == 47:
        return shop.opted_out()
    if index % 97 == 41:
        return shop.group()
    if index % 101 == 67:
        return shop.alias()
    return shop.event()


def _pick(choices: tuple[Any, ...], number: int) -> Any:
    return choices[number % len(choices)]


def _uuid(number: int) -> str:
    digits = f"{number & (1 << 128) - 1:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


_FIRST_NAMES: Final = ("Ada", "Brian", "Chioma", "Dilip", "Elena", "Farid", "Grete", "Hiro", "Inés", "João")
_LAST_NAMES: Final = ("Okafor", "Meyer", "Tanaka", "Silva", "Novák", "Singh", "Laurent", "Costa", "Haddad", "Berg")
_PLANS: Final = ("free", "pro", "team", "enterprise")
_PAGES: Final = ("Pricing", "Docs", "Cart", "", "Checkout", "Support")
_SCREENS: Final = ("Home", "Search", "Orders", "Profile", "Settings")
_AUDIENCES: Final = ("first_time_shopper", "high_value_customer", "about_to_churn")
_INTEGRATIONS: Final[tuple[SampleEvent, ...]] = (
    {},
    {"All": True},
    {"All": True, "Mixpanel": False, "Salesforce": False},
)
_PRODUCTS: Final = ("Monopoly: 3rd Edition", "UNO Card Game", "Café Press", "Wool Socks", "Travel Mug")

_ACTIONS: Final[tuple[tuple[str, Callable[[int], SampleEvent]], ...]] = (
    (
        "Product Viewed",
        lambda draw: {
            "product_id": f"p-{draw % 997}",
            "name": _pick(_PRODUCTS, draw),
            "price": draw % 9_000 / 100,
            "currency": "USD",
        },
    ),
    (
        "Order Completed",
        lambda draw: {
            "order_id": f"o-{draw}",
            "total": draw % 30_000 / 100,
            "currency": "USD",
            "products": [{"product_id": f"p-{draw % 997}", "name": _pick(_PRODUCTS, draw), "quantity": 1 + draw % 3}],
        },
    ),
    ("Product Added", lambda draw: {"product_id": f"p-{draw % 997}", "quantity": 1 + draw % 3, "cart_id": f"c-{draw}"}),
    ("Search Performed", lambda draw: {"query": _pick(_PRODUCTS, draw).lower(), "results": draw % 40}),
    ("Signed In", lambda draw: {"method": _pick(("password", "google", "saml"), draw)}),
)

_BROWSERS: Final = tuple(
    _Source(
        "browser",
        {
            "ip": "203.0.113.7",
            "library": {"name": "analytics.js", "version": "next-1.70.0"},
            "locale": locale,
            "userAgent": agent,
        },
    )
    for locale, agent in (("en-US", "Mozilla/5.0 (X11; Linux x86_64)"), ("de-DE", "Mozilla/5.0 (Macintosh)"))
)
_PHONES: Final = tuple(
    _Source(
        "mobile",
        {
            "app": {"name": "Example Shop", "version": "4.12.0"},
            "device": {"manufacturer": maker, "model": model},
            "library": {"name": library, "version": "4.15.2"},
            "os": {"name": system, "version": "18.1"},
        },
    )
    for maker, model, library, system in (
        ("Apple", "iPhone17,3", "analytics-swift", "iOS"),
        ("Google", "Pixel 9", "analytics-kotlin", "Android"),
    )
)
_SERVER: Final = _Source("server", {"library": {"name": "analytics-python", "version": "2.3.2"}, "ip": "198.51.100.4"})
_ENGAGE: Final = _Source("server", {"library": {"name": "unknown", "version": "unknown"}})
_PERSONAS: Final = {
    "computation_class": "audience",
    "computation_id": "aud_2Xq9bT1mZfVnQx",
    "namespace": "spa_8gPzq1rY5sKd",
    "space_id": "spa_8gPzq1rY5sKd",
}
