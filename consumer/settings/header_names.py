"""Which headers of a record may be sent on as HTTP headers, by name, and why others may not.

Producers write a record's headers, so none of them may decide how a request is read, who it comes from, or whether it
counts. CGI writes what is no letter or digit as `_`, so that `Content.Length` reads like `Content-Length`:
a name is judged with `-` for any of them. Nobody can list all that some server believes: the names here are those that
common servers, gateways and clouds give a meaning to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from consumer.settings.values import Wrong, names_of, shown

NAMES_MAX: Final = 16
NAME_CHARACTERS_MAX: Final = 100
LIMITS: Final = f"at most {NAMES_MAX} names, separated by commas"
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_LETTER_OR_DIGIT: Final = re.compile("[^0-9a-z]")

_FRAMING: Final = "says where a request ends or what its connection does"
_BODY: Final = "says what the body is, which the consumer makes"
_IDENTITY: Final = "says who sends the request"
_WAY: Final = "says which way the request came, which only proxies may say"
_ANSWER: Final = "says what may be answered, or whether at all"
_ROUTE: Final = "makes another request of it for some servers"

REFUSED: Final[Mapping[str, str]] = {
    "connection": _FRAMING,
    "keep-alive": _FRAMING,
    "te": _FRAMING,
    "trailer": _FRAMING,
    "transfer-encoding": _FRAMING,
    "upgrade": _FRAMING,
    "upgrade-insecure-requests": _FRAMING,
    "http2-settings": _FRAMING,
    "close": _FRAMING,
    "alt-used": _FRAMING,
    "host": _ROUTE,
    "max-forwards": _WAY,
    "via": _WAY,
    "forwarded": _WAY,
    "x-forwarded": _WAY,
    "x-real-ip": _WAY,
    "x-client-ip": _WAY,
    "x-cluster-client-ip": _WAY,
    "client-ip": _WAY,
    "true-client-ip": _WAY,
    "cf-connecting-ip": _WAY,
    "cf-connecting-ipv6": _WAY,
    "fastly-client-ip": _WAY,
    "x-rewrite-url": _ROUTE,
    "x-host": _ROUTE,
    "x-http-method": _ROUTE,
    "x-http-method-override": _ROUTE,
    "x-method-override": _ROUTE,
    "mime-version": _BODY,
    "digest": _BODY,
    "authorization": _IDENTITY,
    "www-authenticate": _IDENTITY,
    "authentication-info": _IDENTITY,
    "cookie": _IDENTITY,
    "cookie2": _IDENTITY,
    "set-cookie": _IDENTITY,
    "set-cookie2": _IDENTITY,
    "user-agent": _IDENTITY,
    "from": _IDENTITY,
    "origin": _IDENTITY,
    "referer": _IDENTITY,
    "api-key": _IDENTITY,
    "x-api-key": _IDENTITY,
    "x-authorization": _IDENTITY,
    "remote-user": _IDENTITY,
    "signature": _IDENTITY,
    "signature-input": _IDENTITY,
    "accept": _ANSWER,
    "expect": _ANSWER,
    "range": _ANSWER,
    "prefer": _ANSWER,
    "cache-control": _ANSWER,
    "pragma": _ANSWER,
    "date": _ANSWER,
    "early-data": _ANSWER,
    "retry-after": _ANSWER,
    "idempotency-key": "has a request answered like an earlier one: events of one record are sent in several requests",
}
"""In lower case. An event may count as delivered only if its request was read as it was meant."""
REFUSED_BEGINNINGS: Final[Mapping[str, str]] = {
    "content-": _BODY,
    "proxy-": _IDENTITY,
    "x-forwarded-": _WAY,
    "x-envoy-": _ROUTE,
    "x-original-": _ROUTE,
    "x-middleware-": _ROUTE,
    "x-auth-": _IDENTITY,
    "x-authenticated-": _IDENTITY,
    "x-remote-": _IDENTITY,
    "x-client-cert": _IDENTITY,
    "x-ssl-": _IDENTITY,
    "ssl-": _IDENTITY,
    "x-amzn-oidc-": _IDENTITY,
    "x-ms-client-principal": _IDENTITY,
    "x-goog-": _IDENTITY,
    "cf-access-": _IDENTITY,
    "accept-": _ANSWER,
    "if-": _ANSWER,
    "sec-": _IDENTITY,
    "access-control-": _IDENTITY,
}


def header_names(given: object) -> tuple[str, ...]:
    """Check names of headers: separated by commas, a JSON array, or an array of TOML."""
    names = names_of(given)
    if not names:
        raise Wrong("names no header; name some, or remove it")
    if len(names) > NAMES_MAX:
        raise Wrong(f"{len(names)} names are more than {NAMES_MAX}; keep those that are needed")
    problems = []
    seen: set[str] = set()
    for name in names:
        if (problem := _problem(name)) is not None:
            problems.append(problem)
        elif name.lower() in seen:
            problems.append(f"{shown(name)} is there twice, and HTTP knows no case; keep one")
        seen.add(name.lower())
    if problems:
        raise Wrong(*problems)
    return tuple(names)


def _problem(name: str) -> str | None:
    if _TOKEN.fullmatch(name) is None:
        return f"{shown(name)} can't be the name of an HTTP header; use letters, digits and -"
    if len(name) > NAME_CHARACTERS_MAX:
        return f"{shown(name)} has {len(name)} characters; use at most {NAME_CHARACTERS_MAX}"
    if (why := _why_refused(_NO_LETTER_OR_DIGIT.sub("-", name.lower()))) is not None:
        return f"{shown(name)} {why}; leave it out, or have producers use another name"
    return None


def _why_refused(name: str) -> str | None:
    beginnings = (why for beginning, why in REFUSED_BEGINNINGS.items() if name.startswith(beginning))
    return REFUSED.get(name) or next(beginnings, None)
