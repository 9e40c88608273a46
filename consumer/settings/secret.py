"""Values that are never shown: the API key, Kafka passwords, the query of a URL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NoReturn
from urllib.parse import urlsplit

MASK: Final = "***"

_SECRET_WORDS: Final = (
    "password",
    "passphrase",
    "passwd",
    "secret",
    "token",
    "credential",
    "private",
    "key.pem",
    "jaas",
)
# Only these of sasl.* and ssl.* are shown, so a mistyped `sasl.pasword` is hidden, too.
_HARMLESS_ENDS: Final = (
    ".algorithm",
    ".client.id",
    ".location",
    ".mechanism",
    ".mechanisms",
    ".method",
    ".scope",
    ".service.name",
    ".token.endpoint.url",
    ".username",
)


class Secret:
    """Text that shows as `***` wherever it is printed, formatted or copied; `reveal()` gives it."""

    __slots__ = ("_text",)
    _text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def reveal(self) -> str:
        """The text itself, only for the request that needs it."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret does not change")

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: that would write it down")


class KafkaProperties(Mapping[str, str]):
    """librdkafka properties: an immutable mapping whose `repr` masks what may be secret."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, str]) -> None:
        self._items = dict(items)

    def __getitem__(self, name: str) -> str:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self.masked())

    def masked(self) -> dict[str, str]:
        """All names, and the values that may be shown."""
        return {name: _shown(name, value) for name, value in self._items.items()}


def hides(property_name: str) -> bool:
    """Whether the value of this librdkafka property may be secret."""
    if property_name.startswith(("sasl.", "ssl.")):
        return not property_name.endswith(_HARMLESS_ENDS)
    return any(word in property_name for word in _SECRET_WORDS)


def is_url(property_name: str) -> bool:
    """Whether its value is a URL, in which a password or a key may stand."""
    return property_name.endswith(".url")


def _shown(name: str, value: str) -> str:
    if hides(name):
        return MASK
    if not is_url(name):
        return value
    try:
        parts = urlsplit(value)
    except ValueError:
        return MASK
    user_info, at, place = parts.netloc.rpartition("@")
    shown = parts._replace(netloc=f"{MASK}{at}{place}" if user_info else parts.netloc, query="", fragment="").geturl()
    return f"{shown}?{MASK}" if parts.query else shown


def without_query(url: str) -> str:
    """The URL up to its query, which may hold a key."""
    return urlsplit(url)._replace(query="", fragment="").geturl()
