"""Under which names the pages for browsers are served. Pure.

A page of another site may have its name resolve to our address (DNS rebinding): then the browser lets its script read
what we answer. It says that name in the Host header, so a name that nobody has told us of is refused. An address is
resolved by nobody. Who sends no Host header is no browser.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from ipaddress import ip_address
from typing import Final

_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45}(?:%[\w.~-]{1,32})?)\]|([^\[\]:\s]{1,254}))(?::[0-9]{0,5})?")


def is_known(headers: Sequence[str], names: Collection[str]) -> bool:
    """`headers`: all that were sent; `names`: in lower case, beside localhost and any address."""
    if not headers:
        return True
    match = _HOST.fullmatch(headers[0].strip())
    if len(headers) > 1 or match is None:
        return False
    address, name = match.groups()
    name = (address or name).lower().removesuffix(".")
    return name == "localhost" or name in names or _is_address(name)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
