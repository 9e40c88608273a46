"""What a host may be: one rule for every setting that names one. Pure.

Libraries treat invalid names in different ways (one looks the name up, one raises, one ends the process), so none of
them is given one.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

NAME_CHARACTERS_MAX: Final = 253
LABEL_CHARACTERS_MAX: Final = 63
_LABEL: Final = re.compile(r"[0-9A-Za-z_](?:[0-9A-Za-z_-]*[0-9A-Za-z_])?")
"""With `_`, which names of containers have."""


def host_problem(host: str) -> str | None:
    """What is wrong with a name or an address, without repeating it; None: nothing."""
    if not host:
        return "no host"
    address, _, zone = host.partition("%")
    if ":" in host:
        return None if _is_address(address) and zone.isascii() and zone.isprintable() else "not an IPv6 address"
    labels = host.removesuffix(".").split(".")
    if labels[-1].isdigit():
        return None if _is_address(host) else "not an IPv4 address, and a name does not end in a number"
    if len(host.removesuffix(".")) > NAME_CHARACTERS_MAX:
        return f"a name longer than {NAME_CHARACTERS_MAX} characters"
    return next((problem for problem in map(_label_problem, labels) if problem is not None), None)


def _label_problem(label: str) -> str | None:
    if not label:
        return "two dots, or one at the beginning, with nothing between"
    if len(label) > LABEL_CHARACTERS_MAX:
        return f"a part between dots that is longer than {LABEL_CHARACTERS_MAX} characters"
    if not label.isascii():
        return "a character that is no ASCII; write that part as xn--…"
    if label.lower().startswith("xn--") and not _is_punycode(label[4:].lower()):
        return "a part that begins with xn-- and stands for nothing"
    if _LABEL.fullmatch(label) is None:
        return "a part between dots that is not of letters, digits, - and _, or has a - at an end"
    return None


def _is_punycode(text: str) -> bool:
    try:
        decoded = text.encode().decode("punycode")
    except (UnicodeError, ValueError, OverflowError):
        return False
    return decoded.isprintable() and not decoded.isascii()


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
