"""The Avro schemas that come with the package: schemas/ in the source tree, consumer/schemas/ in an installed copy."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

_HERE = Path(__file__).parent


@cache
def avro_schema(name: str) -> Any:
    """The parsed schema in `name`.avsc."""
    path = next(
        p for p in (_HERE / "schemas" / f"{name}.avsc", _HERE.parent / "schemas" / f"{name}.avsc") if p.exists()
    )
    return parse_schema(json.loads(path.read_text(encoding="utf-8")))


def single_object_header(schema: Any) -> bytes:
    """What Avro's single-object encoding puts before the datum: two magic bytes and the schema's fingerprint."""
    return b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
