"""Every secret that a process is given, in each form in which a server may repeat it: what the masker knows.

A form is a text of its own: the password; `user:password` in base64, as a header has it. How a text is spelled is the
masker's business.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from consumer.settings.masking import Masker, basic
from consumer.settings.secret import hides, is_url

if TYPE_CHECKING:
    from consumer.settings import Settings

ANY_CHARACTERS_MIN: Final = 8
CHARACTERS_MIN: Final = 4
"""Three characters are guessed in a second, and stand in every line.

From four to seven a secret that is only letters or only digits is a word or a number of ordinary lines (`kafka`,
`admin`, `9092`): blotted out everywhere it would spoil what is said, and whoever reads `***:9092` knows what it is.
"""
PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")
_JAAS_OPTION: Final = re.compile(r"""(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;"']+))""")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


def masker_of(settings: Settings, environ: Mapping[str, str] = os.environ) -> Masker:
    """The masker of a process with these settings and this environment."""
    return Masker(secrets_of(settings, environ))


def secrets_of(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[str]:
    """All that must not be shown."""
    return [secret for secret in _all(settings, environ) if is_hidden(secret)]


def is_hidden(secret: str) -> bool:
    """Whether it is masked. A word that ordinary lines contain is not."""
    if len(secret) < ANY_CHARACTERS_MIN:
        return len(secret) >= CHARACTERS_MIN and not secret.isalpha() and not secret.isdigit()
    return True


def _all(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    if key := settings.api_key.reveal():
        yield key
        yield from _encoded(f"{key}:")  # the key as the user of `Basic …`, without a password
        yield from _encoded(f":{key}")
        yield from _encoded(key)
    yield from _of_url(settings.api_url)
    if settings.properties_hash_key is not None:
        yield settings.properties_hash_key.reveal()
    if settings.schema_registry_user_info is not None:
        yield from basic(settings.schema_registry_user_info.reveal())
    yield from _of_kafka(settings.kafka_properties)
    for name in PROXIES:
        for variable in (name, name.upper()):
            yield from _of_proxy(environ.get(variable, ""))


def _encoded(credentials: str) -> tuple[str, ...]:
    return basic(credentials)[:-1]


def _of_kafka(properties: Mapping[str, str]) -> Iterator[str]:
    for name, value in properties.items():
        if hides(name):
            yield value
        elif is_url(name):
            yield from _of_url(value)
    for user, password in (
        ("sasl.username", "sasl.password"),
        ("sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret"),
        ("sasl.oauthbearer.client.credentials.client.id", "sasl.oauthbearer.client.credentials.client.secret"),
    ):
        if password in properties:
            yield from basic(f"{properties.get(user, '')}:{properties[password]}")
    for name, value in properties.items():
        if name.endswith("jaas.config"):
            yield from _of_jaas(value)


def _of_jaas(config: str) -> Iterator[str]:
    """Java's way: `org.apache.….PlainLoginModule required username="me" password="…";`."""
    options = {
        name.lower(): _ESCAPED.sub(r"\1", double or single or bare)
        for name, double, single, bare in _JAAS_OPTION.findall(config)
    }
    for name, value in options.items():
        if "password" in name or "secret" in name:
            yield from basic(f"{options.get('username', options.get('clientid', ''))}:{value}")


def _of_url(url: str) -> Iterator[str]:
    """The query, each of its values (a page shows them one by one), and user and password if the URL may have them."""
    try:
        query = urlsplit(url).query
    except ValueError:
        return
    yield query
    yield from (value for _, value in parse_qsl(query))
    yield from _of_proxy(url)


def _of_proxy(url: str) -> Iterator[str]:
    """The password as the URL has it, decoded, and as the header has it (customfit/proxies.py)."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        user, password = parts.username or "", parts.password or ""
    except ValueError:
        return
    if user or password:
        yield password or user
        yield from basic(f"{unquote(user)}:{unquote(password)}")
