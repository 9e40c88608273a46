"""Which metrics and labels a PromQL expression asks for, held against a real page of metrics.

Labels are followed through the expression: what `by` keeps has to be there, and two sides that are compared have to
have the same labels, or nothing ever matches and the alert is silent for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import promql_parser
from prometheus_client.parser import text_string_to_metric_families
from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatchOp,
    MatrixSelector,
    ParenExpr,
    VectorMatchCardinality,
    VectorSelector,
)

from consumer.ops.metrics import Metrics
from consumer.ops.server import Asked
from consumer.rekey.figures import Figures
from consumer.rekey.pages import routes
from tests.deploy.rules import alerts, rules
from tests.ops.given_snapshot import snapshot

Series = Mapping[str, Sequence[Mapping[str, str]]]
"""Name of a sample → the labels of each of its series."""
Labels = frozenset[str] | None
"""Of a result; None: a number without any."""

OF_THE_SCRAPER: Final = {"job": "customfit-consumer", "instance": "consumer:9464"}
OF_REKEY: Final = {"job": "customfit-rekey", "instance": "rekey:9464"}
"""A job of its own: a group is not up because its `rekey` is."""


class WrongNameError(Exception):
    """A metric, label or value that no page has."""


def live() -> dict[str, list[dict[str, str]]]:
    """What a scrape of the program's own page gives, and of that of `rekey`, as Prometheus stores it."""
    _, text = Metrics(snapshot).page("")
    partition = ("segment-events", "0")
    figures = Figures(lags={partition: 0}, since={partition: None})
    of_rekey = routes(figures, {}, str)["/metrics"].answer(Asked()).body
    series: dict[str, list[dict[str, str]]] = {"up": [dict(OF_THE_SCRAPER), dict(OF_REKEY)]}
    for page, scraper in ((text, OF_THE_SCRAPER), (of_rekey, OF_REKEY)):
        for family in text_string_to_metric_families(page.decode()):
            for sample in family.samples:
                series.setdefault(sample.name, []).append({**sample.labels, **scraper})
    return series


def results(series: Series) -> Iterator[tuple[str, Labels]]:
    """Each rule with the labels of what it gives; one that is recorded can be asked for by the rules below it."""
    known = dict(series)
    for rule in rules():
        labels = labels_of(rule.expression, known)
        if not rule.is_alert:
            known[rule.name] = [dict.fromkeys(labels or (), "")]
        yield rule.name, labels


def stored(series: Series) -> dict[str, Sequence[Mapping[str, str]]]:
    """What Prometheus has of such a page: its series, those that the rules record, and the alerts that fire."""
    given = dict(results(series))
    of_rules = {name: dict.fromkeys(labels or (), "") for name, labels in given.items()}
    of_rules = {
        name: labels | {one: OF_THE_SCRAPER[one] for one in labels.keys() & OF_THE_SCRAPER}
        for name, labels in of_rules.items()
    }
    fired = [
        {"alertname": alert.name, "alertstate": "firing", **alert.labels, **of_rules.pop(alert.name)}
        for alert in alerts()
    ]
    return {**series, **{name: [labels] for name, labels in of_rules.items()}, "ALERTS": fired}


def labels_of(expression: str, series: Series) -> Labels:
    """Those of the result; WrongNameError where something is asked for that is not there."""
    return _labels(promql_parser.parse(expression), series)


def selectors(expression: str) -> list[VectorSelector]:
    """All that are in it."""
    found: list[VectorSelector] = []

    def visit(node: promql_parser.Expr) -> bool:
        match node:
            case VectorSelector():
                found.append(node)
            case MatrixSelector():
                found.append(node.vector_selector)
            case _:
                pass
        return True

    promql_parser.walk(promql_parser.parse(expression), pre_visit=visit)
    return found


def _labels(node: Expr, series: Series) -> Labels:
    match node:
        case VectorSelector():
            return _selected(node, series)
        case MatrixSelector():
            return _selected(node.vector_selector, series)
        case ParenExpr():
            return _labels(node.expr, series)
        case AggregateExpr():
            return _aggregated(node, series)
        case BinaryExpr():
            return _combined(node, series)
        case Call():
            return _called(node, series)
        case _:
            return None


def _selected(node: VectorSelector, series: Series) -> Labels:
    name = node.name or ""
    if name not in series:
        raise WrongNameError(f"no metric {name}")
    known = frozenset[str]().union(*series[name])
    for matcher in node.matchers.matchers:
        if matcher.name not in known:
            raise WrongNameError(f"{name} has no label {matcher.name}")
        values = {labels.get(matcher.name) for labels in series[name]}
        is_pattern = matcher.op in (MatchOp.Re, MatchOp.NotRe)
        for wanted in matcher.value.split("|") if is_pattern else [matcher.value]:
            if wanted not in values:
                raise WrongNameError(f"{name} has no {matcher.name} {wanted}")
    return known


def _aggregated(node: AggregateExpr, series: Series) -> Labels:
    below = _labels(node.expr, series) or frozenset()
    if node.modifier is None:
        return frozenset()
    named = frozenset(node.modifier.labels)
    if not named <= below:
        raise WrongNameError(f"{', '.join(sorted(named - below))} is no label of {node.expr.prettify()}")
    return named if node.modifier.type == AggModifierType.By else below - named


def _called(node: Call, series: Series) -> Labels:
    below = [_labels(argument, series) for argument in node.args]
    if node.func.name == "scalar":
        return None
    if node.func.name == "vector":
        return frozenset()
    if node.func.name == "absent":
        return frozenset({"job"})
    return next((labels for labels in below if labels is not None), None)


def _combined(node: BinaryExpr, series: Series) -> Labels:
    left, right = _labels(node.lhs, series), _labels(node.rhs, series)
    if left is None or right is None:
        return right if left is None else left
    if str(node.op) == "or":
        return left & right
    modifier = node.modifier
    if modifier is None or modifier.matching is None:
        if left != right:
            raise WrongNameError(f"{sorted(left)} and {sorted(right)} never match: {node.prettify()}")
        return left
    named = frozenset(modifier.matching.labels)
    if not named <= left & right:
        raise WrongNameError(f"{sorted(named)} are not on both sides of {node.prettify()}")
    is_set = str(node.op) in {"and", "unless"}
    return left if is_set or modifier.card == VectorMatchCardinality.ManyToOne else named
