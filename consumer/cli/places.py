"""Where members may be asked over HTTP. One URL may mean many of them, by the addresses of its name."""

from __future__ import annotations

import ipaddress
import socket
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit


class Place(NamedTuple):
    """Where a member may be asked."""

    scheme: str
    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        """Host and port, as they are shown."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def place_of(url: str, port: int) -> Place:
    """`http://host:port/path`, `host:port` or `host`. Raises ValueError with a text for the user."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no URL of a member: http://HOST:PORT, HOST:PORT or HOST")
    default = 443 if parts.scheme == "https" else 80 if "://" in url else port
    try:
        return Place(parts.scheme, parts.hostname, parts.port or default, parts.path.rstrip("/"))
    except ValueError:
        raise ValueError(f"{url!r}: the port is not a number up to 65535") from None


def places_of(place: Place) -> list[Place]:
    """Each address of its name, which may be many members; the place itself if nothing can be found out."""
    if place.scheme == "https" or _is_address(place.host):  # a certificate is for the name
        return [place]
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except OSError:
        return [place]  # asking it will say why
    families = {family for family, *_ in found}
    family = socket.AF_INET if socket.AF_INET in families else socket.AF_INET6  # it would be there twice, once for each
    addresses = dict.fromkeys(str(address[0]) for one, *_, address in found if one == family)
    if all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in addresses):
        return [place]
    return [place._replace(host=address) for address in addresses]


class NobodyThere(Exception):
    """Nobody answers there. The text says why."""


def ask(place: Place, path: str, seconds_max: float, bytes_max: int) -> tuple[int, bytes]:
    """The status and the body of a member's answer, cut at `bytes_max`. Raises NobodyThere."""
    kind = HTTPSConnection if place.scheme == "https" else HTTPConnection
    connection = kind(place.host, place.port, timeout=seconds_max)
    try:
        connection.request("GET", place.path + path)
        response = connection.getresponse()
        return response.status, response.read(bytes_max)
    except TimeoutError:
        raise NobodyThere(f"no answer within {seconds_max:.0f} s") from None
    except (OSError, HTTPException) as error:
        raise NobodyThere(
            f"no answer: {getattr(error, 'strerror', None) or str(error) or type(error).__name__}"
        ) from None
    finally:
        connection.close()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
