"""Which Avro schemas of others are safe to read with. Pure.

Rejected are recursive schemas, those that let a few bytes exhaust memory or CPU, and those larger than any event needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

DEPTH_MAX: Final = 64
NODES_MAX: Final = 20_000
"""Types in a schema. Each use of a named type counts in full, so nested records multiply."""
NAME_CHARACTERS_MAX: Final = 256
"""Longest name of a field or enum symbol: one byte of an enum is read as the whole symbol."""
GROWTH_MAX: Final = 64
"""Most characters of names for each byte of a repeated value. Without this limit an array of records with 50 empty
fields of long names turned 1 MB into 261 MB."""
COST_MAX: Final = 2**21
"""What reading a payload may cost, counted in values. One of 1 MiB by our own schema may cost as much.

Reading then takes some half a second, or a second with a large batch; a million UUIDs that are none took 4 s.
"""
RECORD_COST: Final = 4
CONTAINER_COST: Final = 4
MADE_COST: Final = 7
"""Added for a time, a date or a decimal, which is made from a number."""
MADE_TYPES: Final = frozenset(
    {
        *("timestamp-millis", "timestamp-micros", "local-timestamp-millis", "local-timestamp-micros"),
        *("date", "time-millis", "time-micros", "decimal"),
    }
)
RATES: Final = tuple(2.0**power for power in range(-3, 11))
"""Costs of a byte by which schemas are sorted. With nested records it is a few hundred at most."""
DECIMAL_DIGITS_MAX: Final = 1000
_PRIMITIVES: Final = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}


class UnusableSchema(Exception):
    """A schema that nothing is read with: no Avro, or not safe."""


class _Size(NamedTuple):
    """The size of a value. What stands in arrays and maps counts separately.

    Of a union one branch is taken, and the branch that takes the fewest bytes need not be the one with the longest
    names. So what a value may be is compared with what it takes branch by branch, and the largest result is kept.
    """

    nodes: int
    has_free_parts: bool
    """Whether a value has a part that takes no bytes at all, outside of a union."""
    names: int
    """Characters of the names that it is written out with, less GROWTH_MAX for each byte that it takes."""
    costs: tuple[float, ...]
    """What reading it costs, less the rate for each byte that it takes: one for each of RATES."""

    def with_bytes(self, count: int) -> _Size:
        """The same with so many bytes more."""
        costs = tuple(cost - rate * count for cost, rate in zip(self.costs, RATES, strict=True))
        return self._replace(names=self.names - GROWTH_MAX * count, costs=costs)


def _leaf(bytes_min: int, cost: float, names: int = 0) -> _Size:
    return _Size(1, bytes_min == 0, names, (cost,) * len(RATES)).with_bytes(bytes_min)


def check(documents: Sequence[object]) -> int:
    """Raise UnusableSchema unless all of these schemas are safe. Each may name those before it.

    Returns how many bytes a payload may have, so that it can't hold so many small values that reading takes long.
    """
    checker = _Checker()
    for document in documents:
        checker.size(document, "", 0)
    return int(COST_MAX / checker.rate)


class _Checker:
    def __init__(self) -> None:
        self._named: dict[str, _Size | None] = {}
        """None while it is being looked at."""
        self.rate = RATES[0]
        """What a byte in arrays and maps costs at most. Other values are few."""

    def size(self, schema: object, namespace: str, depth: int) -> _Size:
        if depth > DEPTH_MAX:
            raise UnusableSchema(f"the schema is nested deeper than {DEPTH_MAX} levels")
        size = self._size(schema, namespace, depth)
        if size.nodes > NODES_MAX:
            raise UnusableSchema(f"the schema has more than {NODES_MAX} types when each is written out")
        return size

    def _size(self, schema: object, namespace: str, depth: int) -> _Size:
        if isinstance(schema, str):
            return self._name(schema, namespace)
        if isinstance(schema, list):
            branches = [self.size(branch, namespace, depth + 1) for branch in schema]
            if not branches:
                raise UnusableSchema("not an Avro schema: a union of nothing")
            return _Size(
                1 + sum(branch.nodes for branch in branches),
                any(branch.has_free_parts and branch.nodes > 1 for branch in branches),
                max(branch.names for branch in branches),
                tuple(map(max, zip(*(branch.costs for branch in branches), strict=True))),
            ).with_bytes(1)
        if not isinstance(schema, Mapping):
            raise UnusableSchema("not an Avro schema")
        _check_decimal(schema)
        kind = schema.get("type")
        match kind:
            case "array":
                return self._many(schema.get("items"), namespace, depth)
            case "map":
                return self._many(schema.get("values"), namespace, depth, key_bytes=1)
            case "record" | "error" | "enum" | "fixed":
                return self._define(schema, namespace, depth)
            case _:
                size, made_cost = self.size(kind, namespace, depth + 1), _made_cost(schema)
                return size._replace(costs=tuple(cost + made_cost for cost in size.costs))

    def _name(self, name: str, namespace: str) -> _Size:
        if name in _PRIMITIVES:
            return _leaf(_PRIMITIVES[name], 1)
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        key = full if full in self._named else name
        if key not in self._named:
            raise UnusableSchema(f"the schema names a type that is not there: {name[:NAME_CHARACTERS_MAX]}")
        size = self._named[key]
        if size is None:
            raise UnusableSchema(f"the schema is recursive: {name[:NAME_CHARACTERS_MAX]}")
        return size

    def _many(self, item: object, namespace: str, depth: int, *, key_bytes: int = 0) -> _Size:
        size = self.size(item, namespace, depth + 1)
        if size.has_free_parts and not (key_bytes and size.nodes == 1):
            raise UnusableSchema("the schema has an array or map of values that take no bytes")
        item = size.with_bytes(key_bytes)
        if item.names > 0:
            raise UnusableSchema("the schema has an array or map of few bytes that become many long names")
        enough = (rate for rate, cost in zip(RATES, item.costs, strict=True) if cost <= 0)
        self.rate = max(self.rate, next(enough, RATES[-1]))
        return _leaf(1, CONTAINER_COST)._replace(nodes=1 + size.nodes)

    def _define(self, schema: Mapping[Any, Any], namespace: str, depth: int) -> _Size:
        name = _checked_name(schema.get("name"))
        namespace = name.rpartition(".")[0] or str(schema.get("namespace", namespace) or "")
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        self._named[full] = None
        size = self._body(schema, namespace, depth)
        self._named[full] = size
        for alias in _list(schema.get("aliases") or []):
            _checked_name(alias)
        return size

    def _body(self, schema: Mapping[Any, Any], namespace: str, depth: int) -> _Size:
        if schema["type"] == "enum":
            longest = max((len(_checked_name(symbol)) for symbol in _list(schema.get("symbols"))), default=0)
            return _leaf(1, 1 + longest // 32, names=longest)
        if schema["type"] == "fixed":
            length = schema.get("size")
            if not isinstance(length, int) or length < 0:
                raise UnusableSchema("not an Avro schema: a fixed without a size")
            return _leaf(length, 1 + _made_cost(schema))
        sizes, names = [], 0
        for field in _list(schema.get("fields")):
            if not isinstance(field, Mapping):
                raise UnusableSchema("not an Avro schema: a field that is no object")
            names += len(_checked_name(field.get("name")))
            sizes.append(self.size(field.get("type"), namespace, depth + 1))
        return _Size(
            1 + sum(size.nodes for size in sizes),
            not sizes or any(size.has_free_parts for size in sizes),
            names + sum(size.names for size in sizes),
            tuple(RECORD_COST + sum(costs) for costs in zip(*(size.costs for size in sizes), strict=True))
            or (RECORD_COST,) * len(RATES),
        )


def _made_cost(schema: Mapping[Any, Any]) -> int:
    logical_type = schema.get("logicalType")
    return MADE_COST if isinstance(logical_type, str) and logical_type in MADE_TYPES else 0


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise UnusableSchema("not an Avro schema")
    return value


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise UnusableSchema("not an Avro schema: a name is missing")
    if len(name) > NAME_CHARACTERS_MAX:
        raise UnusableSchema(f"the schema has a name longer than {NAME_CHARACTERS_MAX} characters")
    return name


def _check_decimal(schema: Mapping[Any, Any]) -> None:
    for digits in (schema.get("precision", 0), schema.get("scale", 0)):
        if not isinstance(digits, int) or not 0 <= digits <= DECIMAL_DIGITS_MAX:
            raise UnusableSchema(f"the schema has a decimal of more than {DECIMAL_DIGITS_MAX} digits")
