"""Security rules: predicates over a loan's fields, parsed and type-checked when saved, compiled to a vectorised expression.

The grammar is that of specification 01 section 4. Logic is two-valued: a comparison with a null field is false (also ne and
not_in), and `not` turns its result round.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import polars as pl

from shared.money import exact

MAX_DEPTH = 20
MAX_CONDITIONS = 500
MAX_LIST_LENGTH = 1000

_NUMBER = pl.Decimal(38, 12)
"""Holds every number a rule can compare with."""

Value = str | bool | Decimal | dt.date
_ORDERED = ("lt", "le", "gt", "ge")
OPERATORS = ("eq", "ne", *_ORDERED, "in", "not_in", "between", "is_null", "not_null")


class RuleError(ValueError):
    """An expression that is no rule: `path` says where inside the tree, the message what to do."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


@dataclass(frozen=True)
class Condition:
    """A comparison of one field; `values` has two elements for between, none for is_null and not_null."""

    field: str
    op: str
    values: tuple[Value, ...]

    def __str__(self) -> str:
        words = {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
        if self.op in words:
            return f"{self.field} {words[self.op]} {self.values[0]}"
        if self.op == "between":
            return f"{self.field} between {self.values[0]} and {self.values[1]}"
        if self.op in ("in", "not_in"):
            return f"{self.field} {self.op.replace('_', ' ')} ({', '.join(map(str, self.values))})"
        return f"{self.field} {'is' if self.op == 'is_null' else 'is not'} null"


@dataclass(frozen=True)
class AllOf:
    """True where every part is."""

    parts: tuple["Rule", ...]


@dataclass(frozen=True)
class AnyOf:
    """True where some part is."""

    parts: tuple["Rule", ...]


@dataclass(frozen=True)
class Negation:
    """True where its part is not."""

    part: "Rule"


Rule = Condition | AllOf | AnyOf | Negation


def parse_rule(expression: str, fields: Mapping[str, pl.DataType]) -> Rule:
    """Parse and type-check a rule's JSON against the loan fields and their types. Raises RuleError with the path."""
    try:
        tree = json.loads(expression, parse_float=Decimal, parse_constant=_refuse_constant)
    except RuleError:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise RuleError("$", f"is not JSON: {error}") from None
    return _Parser(fields).parse(tree, "$", 1)


def compile_rule(rule: Rule) -> pl.Expr:
    """The rule as a Boolean expression without nulls over a frame of loans."""
    if isinstance(rule, AllOf):
        return pl.all_horizontal([compile_rule(part) for part in rule.parts])
    if isinstance(rule, AnyOf):
        return pl.any_horizontal([compile_rule(part) for part in rule.parts])
    if isinstance(rule, Negation):
        return ~compile_rule(rule.part)
    return _compile_condition(rule).fill_null(value=False)


def conditions_of_conjunction(rule: Rule) -> list[Rule]:
    """The parts that must all hold: those of a top-level `all`, otherwise the rule itself."""
    return list(rule.parts) if isinstance(rule, AllOf) else [rule]


def describe(rule: Rule) -> str:
    """The rule on one readable line."""
    if isinstance(rule, Negation):
        return f"not ({describe(rule.part)})"
    if isinstance(rule, (AllOf, AnyOf)):
        word = " and " if isinstance(rule, AllOf) else " or "
        return word.join(f"({describe(p)})" if isinstance(p, (AllOf, AnyOf)) else describe(p) for p in rule.parts)
    return str(rule)


def _refuse_constant(name: str) -> Value:
    raise RuleError("$", f"{name} is not a number a rule can compare with")


def _compile_condition(condition: Condition) -> pl.Expr:
    column, values = pl.col(condition.field), list(condition.values)
    match condition.op:
        case "eq":
            return column == values[0]
        case "ne":
            return column != values[0]
        case "lt":
            return column < values[0]
        case "le":
            return column <= values[0]
        case "gt":
            return column > values[0]
        case "ge":
            return column >= values[0]
        case "in":
            return _is_one_of(column, values)
        case "not_in":
            return ~_is_one_of(column, values)
        case "between":
            return (column >= values[0]) & (column <= values[1])
        case "is_null":
            return column.is_null()
        case _:
            return column.is_not_null()


def _is_one_of(column: pl.Expr, values: list[Value]) -> pl.Expr:
    if isinstance(values[0], Decimal):
        return column.cast(_NUMBER).is_in(pl.Series(values, dtype=_NUMBER).implode())
    return column.is_in(values)


class _Parser:
    def __init__(self, fields: Mapping[str, pl.DataType]) -> None:
        self.fields = fields
        self.conditions = 0

    def parse(self, tree: Any, path: str, depth: int) -> Rule:
        if depth > MAX_DEPTH:
            raise RuleError(path, f"is nested deeper than {MAX_DEPTH}")
        if not isinstance(tree, dict):
            raise RuleError(path, 'must be an object: {"all":[...]}, {"any":[...]}, {"not":{...}} or a condition')
        for word in ("all", "any", "not"):
            if word in tree and len(tree) > 1:
                raise RuleError(path, f"has other keys beside {word!r}")
        if "not" in tree:
            return Negation(self.parse(tree["not"], f"{path}.not", depth + 1))
        for word, group in (("all", AllOf), ("any", AnyOf)):
            if word in tree:
                parts = tree[word]
                if not isinstance(parts, list) or not parts:
                    raise RuleError(f"{path}.{word}", "must be a list with at least one part")
                return group(tuple(self.parse(part, f"{path}.{word}[{k}]", depth + 1) for k, part in enumerate(parts)))
        return self.condition(tree, path)

    def condition(self, tree: dict[str, Any], path: str) -> Condition:
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise RuleError(path, f"is more than {MAX_CONDITIONS} conditions")
        unknown = set(tree) - {"field", "op", "value"}
        if unknown:
            raise RuleError(path, f"has unknown keys {sorted(unknown)}; a condition has field, op and value")
        field, op = tree.get("field"), tree.get("op")
        if not isinstance(field, str) or field not in self.fields:
            raise RuleError(f"{path}.field", f"{field!r} is no field of a loan; the fields are {', '.join(self.fields)}")
        if op not in OPERATORS:
            raise RuleError(f"{path}.op", f"{op!r} is no operator; the operators are {', '.join(OPERATORS)}")
        return Condition(field, op, self.values(field, op, tree.get("value"), f"{path}.value"))

    def values(self, field: str, op: str, value: Any, path: str) -> tuple[Value, ...]:
        if op in ("is_null", "not_null"):
            if value is not None:
                raise RuleError(path, f"{op} takes no value")
            return ()
        if op in ("in", "not_in", "between"):
            if not isinstance(value, list) or not value or len(value) > MAX_LIST_LENGTH:
                raise RuleError(path, f"{op} takes a list of 1 to {MAX_LIST_LENGTH} values")
            if op == "between" and len(value) != 2:
                raise RuleError(path, "between takes a list of two values, low and high")
            return tuple(self.value(field, op, item, f"{path}[{k}]") for k, item in enumerate(value))
        return (self.value(field, op, value, path),)

    def value(self, field: str, op: str, value: Any, path: str) -> Value:
        dtype = self.fields[field]
        if dtype.is_numeric():
            return _number(value, path, field)
        if dtype == pl.Date:
            try:
                return dt.date.fromisoformat(value)
            except (TypeError, ValueError):
                raise RuleError(path, f"{value!r} is no date (YYYY-MM-DD), which {field} needs") from None
        if dtype == pl.Boolean:
            if op in (*_ORDERED, "between"):
                raise RuleError(path, f"{op} does not apply to {field}, which is true or false")
            if not isinstance(value, bool):
                raise RuleError(path, f"{value!r} is not true or false, which {field} needs")
            return value
        if not isinstance(value, str):
            raise RuleError(path, f"{value!r} is no text, which {field} needs")
        return value


def _number(value: Any, path: str, field: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise RuleError(path, f"{value!r} is no number, which {field} needs")
    try:
        number = exact(Decimal(value), _NUMBER.scale)
    except InvalidOperation:
        raise RuleError(path, f"{value!r} is no number, which {field} needs") from None
    if number is None or abs(number) >= 10**15:
        raise RuleError(path, f"{str(value)[:40]!r} must be finite, under 10**15 and have at most {_NUMBER.scale} decimals")
    return number
