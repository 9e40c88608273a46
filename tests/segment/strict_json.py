"""JSON as the standard has it, read by Python's parser: the judge of what ours takes."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def strict(text: bytes) -> Any:
    """JSON as the standard says: numbers as they are written, objects as their pairs in order; raises ValueError."""
    return json.loads(
        text.decode(),
        parse_int=lambda digits: ("number", digits),
        parse_float=lambda digits: ("number", digits),
        parse_constant=_refuse,
        object_pairs_hook=lambda pairs: ("object", pairs),
    )


def _refuse(constant: str) -> NoReturn:
    """Fail on NaN and Infinity, which json.loads would take."""
    raise ValueError(constant)
