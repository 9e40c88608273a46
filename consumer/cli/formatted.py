"""`produce --format`: which formats there are, and the records in the chosen one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

from consumer.cli.exits import fail
from consumer.cli.lines import KeyedValue
from consumer.exit_codes import EXIT_SETTINGS, EXIT_UNAVAILABLE

if TYPE_CHECKING:
    from consumer.settings import Settings

Format = Literal["json", "avro", "single-object"]


class Formatted:
    """Records in the chosen format. Those that do not fit it stay as they are."""

    def __init__(self, records: Iterator[KeyedValue], encode: Callable[[bytes], bytes | None]) -> None:
        self.unfit = 0
        self._records = records
        self._encode = encode

    def __iter__(self) -> Iterator[KeyedValue]:
        """Each record once."""
        for record_key, text in self._records:
            value = self._encode(text)
            self.unfit += value is None
            yield record_key, text if value is None else value


def in_format(records: Iterator[KeyedValue], settings: Settings, format_: Format) -> Formatted:
    """The records in this format; exit codes 69 and 78 if its schema can't be had."""
    if format_ == "json":
        return Formatted(records, lambda text: text)
    from consumer.cli.produce_format import encoder
    from consumer.kafka.schema_registry import RegistryUnavailable

    if format_ == "avro" and settings.schema_registry_url is None:
        fail("--format avro needs CUSTOMFIT_SCHEMA_REGISTRY_URL; single-object needs no registry", EXIT_SETTINGS)
    try:
        return Formatted(records, encoder(settings, format_))
    except RegistryUnavailable as error:
        fail(f"CUSTOMFIT_SCHEMA_REGISTRY_URL: {error}", EXIT_UNAVAILABLE)
