"""Which proxy a URL goes through.

Decided once, here, because the libraries read HTTPS_PROXY and NO_PROXY differently.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, unquote, urlsplit

from consumer.customfit.engine import EngineUnavailable
from consumer.settings.hosts import host_problem


def proxy_for(url: SplitResult, environ: Mapping[str, str]) -> str | None:
    """The proxy for a URL: `https_proxy` or `http_proxy` by its scheme, else `all_proxy`; lower case wins, as in curl.

    `no_proxy` lists what goes direct: `*` (all), a host name with its subdomains, an address (both with or without a
    port), a network (10.0.0.0/8). Only http:// and https:// proxies; raises EngineUnavailable for others.
    """

    def lookup(name: str) -> tuple[str, str]:
        return next(((n, environ[n]) for n in (name, name.upper()) if environ.get(n)), (name, ""))

    name, value = lookup(f"{url.scheme}_proxy")
    if not value:
        name, value = lookup("all_proxy")
    host = url.hostname or ""
    if not value or _goes_direct(host, url.port or (443 if url.scheme == "https" else 80), lookup("no_proxy")[1]):
        return None
    return _checked_proxy(value, name)


def _goes_direct(host: str, port: int, no_proxy: str) -> bool:
    for entry in no_proxy.lower().replace(",", " ").split():
        if entry == "*":
            return True
        name = entry.removeprefix("*").removeprefix(".")
        if any(spelling == name or spelling.endswith(f".{name}") for spelling in (host, f"{host}:{port}")):
            return True
        try:
            if ip_address(host) in ip_network(name, strict=False):
                return True
        except ValueError:
            continue  # one of the two is a name
    return False


def _checked_proxy(url: str, variable: str) -> str:
    """The URL as the engines take it. It may hold a password, so no message repeats it."""
    url = url if "://" in url else f"http://{url}"
    if url.lower().startswith("socks"):
        raise EngineUnavailable(
            f"{variable}: SOCKS proxies are not supported, only http:// and https:// ones; name one, or put the host "
            "into NO_PROXY"
        )
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and host_problem(parts.hostname or "") is None and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise EngineUnavailable(
            f"{variable}: must be an http:// or https:// URL with a host, or unset; see also NO_PROXY"
        )
    return url


def user_info(proxy: str) -> str:
    """`user:password` of the proxy's URL, decoded; empty if it names none."""
    parts = urlsplit(proxy)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return f"{user}:{password}" if user or password else ""


def proxy_headers(proxy: str) -> tuple[str, ...]:
    """The header lines that are for the proxy itself."""
    encoded = base64.b64encode(user_info(proxy).encode()).decode()
    return (f"Proxy-Authorization: Basic {encoded}",) if encoded else ()
