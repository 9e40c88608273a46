"""Under which names the pages for browsers are served. Pure.

A page of another site may have its own name resolve to our address (DNS rebinding). Then the browser lets that page's
script read what we answer. The browser sends that name in the Host header, so a name that nobody has told us is
refused. Addresses are fine: nothing resolves them. A client without a Host header is no browser.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from ipaddress import ip_address
from typing import Final

_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45}(?:%[\w.~-]{1,32})?)\]|([^\[\]:\s]{1,254}))(?::[0-9]{0,5})?")


def is_known(headers: Sequence[str], names: Collection[str]) -> bool:
    """`headers`: all that were sent; `names`: allowed beside localhost and any address, in lower case."""
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
