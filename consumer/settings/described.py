"""The value of a setting as JSON shows it, without its secrets."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from consumer.settings.name_filter import Globs
from consumer.settings.property_paths import PropertyPath
from consumer.settings.rule_lists import as_json
from consumer.settings.secret import MASK, KafkaProperties, Secret, without_query


def as_described(value: object) -> object:
    """A list is shown as text in the form in which it could be given again."""
    match value:
        case Secret():
            return str(value) if value else ""
        case KafkaProperties():
            return value.masked()
        case Path():
            return str(value)
        case Globs():
            return as_json(value.texts)
        case tuple():
            paths = tuple(path.text for path in value if isinstance(path, PropertyPath))
            return as_json(paths) if paths else ",".join(value)
        case _:
            return value


def masked_query(url: str) -> str:
    """The URL; its query may hold a key."""
    return without_query(url) + (f"?{MASK}" if urlsplit(url).query else "")
