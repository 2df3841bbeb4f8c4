"""Reads PromQL, and finds out which series and labels a query relies on.

`Checker.labels` walks a query as Prometheus would evaluate it: each selector has to
name a series that exists, each matcher, grouping and matching a label that the
operand has there, each closed label a value that it can take.
"""

import re
from typing import Dict, FrozenSet, Iterator, Mapping, Set

import promql_parser as promql

Labels = FrozenSet[str]
TARGET = frozenset({"job", "instance"})
"""Labels that Prometheus adds to everything it scrapes."""
OPEN = frozenset({"job", "instance", "route", "code", "engine", "version", "python", "alertname"})
"""Labels whose values differ from server to server."""
SCALARS = ("scalar", "time", "vector")


def plain(query: str) -> str:
    """A panel's query with something in the place of Grafana's variables."""
    query = query.replace("$__rate_interval", "1m")
    return re.sub(r"\$(job|instance)\b", ".+", query)


def nodes(expr: promql.Expr) -> Iterator[promql.Expr]:
    """Every node of a query."""
    found = []
    promql.walk(expr, pre_visit=found.append)
    return iter(found)


def selected(query: str) -> Set[str]:
    """The names of the series that a query reads."""
    return {node.name for node in nodes(promql.parse(query)) if type(node) is promql.VectorSelector}


class Checker:
    """Holds queries against what is scraped: name to label to its values (none: any)."""

    def __init__(self, samples: Mapping[str, Mapping[str, Set[str]]]) -> None:
        target: Dict[str, Set[str]] = {label: set() for label in TARGET}
        self._samples = {name: {**labels, **target} for name, labels in samples.items()}

    def record(self, name: str, query: str) -> None:
        """Add a series that a recording rule makes."""
        self._samples[name] = {label: set() for label in self.labels(query)}

    def labels(self, query: str) -> Labels:
        """The labels of what a query gives.

        Raises:
            AssertionError: it relies on a series, label or value that does not exist.
        """
        return self._of(promql.parse(query))

    def _of(self, expr: promql.Expr) -> Labels:
        if isinstance(expr, (promql.NumberLiteral, promql.StringLiteral)):
            return frozenset()
        if isinstance(expr, promql.VectorSelector):
            return self._of_selector(expr)
        if isinstance(expr, promql.MatrixSelector):
            return self._of_selector(expr.vector_selector)
        if isinstance(expr, (promql.ParenExpr, promql.UnaryExpr, promql.SubqueryExpr)):
            return self._of(expr.expr)
        if isinstance(expr, promql.Call):
            return self._of_call(expr)
        if isinstance(expr, promql.AggregateExpr):
            return self._of_aggregation(expr)
        assert isinstance(expr, promql.BinaryExpr), expr
        return self._of_operation(expr)

    def _of_selector(self, selector: promql.VectorSelector) -> Labels:
        name = selector.name
        assert name in self._samples, f"there is no series {name}"
        has = self._samples[name]
        for matcher in selector.matchers.matchers:
            label = matcher.name
            assert label in has, f"{name} has no label {label}"
            values = has[label]
            if not values or label in OPEN or "$" in matcher.value:
                continue
            words = matcher.value.split("|") if str(matcher.op).endswith("Re") else [matcher.value]
            for word in words:
                assert word in values, f"{name} has no {label} {word!r}, only {sorted(values)}"
        return frozenset(has)

    def _of_call(self, call: promql.Call) -> Labels:
        given = [self._of(argument) for argument in call.args]
        if call.func.name in SCALARS:
            return frozenset()
        if call.func.name == "absent":
            matchers = call.args[0].matchers.matchers
            return frozenset(one.name for one in matchers if str(one.op) == "MatchOp.Equal")
        labels = frozenset().union(*given)
        if call.func.name == "histogram_quantile":
            assert "le" in labels, f"no buckets in {call}"
            return labels - {"le"}
        return labels

    def _of_aggregation(self, expr: promql.AggregateExpr) -> Labels:
        inner = self._of(expr.expr)
        if expr.modifier is None:
            return frozenset()
        named = frozenset(expr.modifier.labels)
        assert named <= inner, f"{expr} has no {sorted(named - inner)}"
        return named if str(expr.modifier.type).endswith(".By") else inner - named

    def _of_operation(self, expr: promql.BinaryExpr) -> Labels:
        left, right = self._of(expr.lhs), self._of(expr.rhs)
        if _is_scalar(expr.lhs) or _is_scalar(expr.rhs):
            return left | right
        operator = str(expr.op)
        if operator == "or":
            return left | right
        matching = expr.modifier.matching if expr.modifier else None
        if matching is None:
            assert left == right, f"the two sides of {operator} never match in {expr}"
            return left
        named = frozenset(matching.labels)
        assert str(matching.type).endswith(".Include"), "say on(…), not ignoring(…)"
        assert named <= left & right, f"not both sides have {sorted(named)} in {expr}"
        return left if operator in ("and", "unless") else named


def _is_scalar(expr: promql.Expr) -> bool:
    if isinstance(expr, promql.ParenExpr):
        return _is_scalar(expr.expr)
    if isinstance(expr, promql.BinaryExpr):
        return _is_scalar(expr.lhs) and _is_scalar(expr.rhs)
    if isinstance(expr, promql.Call):
        return expr.func.name in ("scalar", "time")
    return isinstance(expr, promql.NumberLiteral)


def legend_labels(legend: str) -> Set[str]:
    """The labels that a panel's legend names."""
    return set(re.findall(r"{{\s*(\w+)\s*}}", legend))


def annotation_labels(text: str) -> Set[str]:
    """The labels that an alert's annotation names."""
    return set(re.findall(r"\$labels\.(\w+)", text))
