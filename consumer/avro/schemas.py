"""The Avro schemas that come with the package: schemas/ in the source tree, consumer/schemas/ in an installed copy."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form


def schema_folder() -> Path:
    """Where they are."""
    package = Path(__file__).resolve().parents[1]
    return package / "schemas" if (package / "schemas").is_dir() else package.parent / "schemas"


@cache
def avro_schema(name: str) -> Any:
    """The parsed schema in `name`.avsc."""
    return parse_schema(json.loads(schema_text(name)))


def schema_text(name: str) -> str:
    """What stands in `name`.avsc."""
    return (schema_folder() / f"{name}.avsc").read_text(encoding="utf-8")


def single_object_header(schema: Any) -> bytes:
    """What Avro's single-object encoding puts before the datum: two magic bytes and the schema's fingerprint."""
    return b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
