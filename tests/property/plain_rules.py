"""Security rules one loan at a time (specification 01 section 4), in two-valued logic."""

import datetime as dt
from decimal import Decimal
from typing import Any

Row = dict[str, Any]


def evaluate(tree: dict[str, Any], loan: Row) -> bool:
    """A rule's tree on one loan: a comparison with null is false, `not` turns round."""
    if "all" in tree:
        return all(evaluate(part, loan) for part in tree["all"])
    if "any" in tree:
        return any(evaluate(part, loan) for part in tree["any"])
    if "not" in tree:
        return not evaluate(tree["not"], loan)
    value, op, given = loan[tree["field"]], tree["op"], tree.get("value")
    if op in ("is_null", "not_null"):
        return bool((value is None) == (op == "is_null"))
    if value is None:
        return False
    if isinstance(given, list):
        wanted = [_like(value, item) for item in given]
        inside = wanted[0] <= value <= wanted[1] if op == "between" else value in wanted
        return bool(inside != (op == "not_in"))
    other = _like(value, given)
    return bool(
        {
            "eq": value == other,
            "ne": value != other,
            "lt": value < other,
            "le": value <= other,
            "gt": value > other,
            "ge": value >= other,
        }[op]
    )


def _like(value: Any, given: Any) -> Any:
    if isinstance(value, bool):
        return given
    if isinstance(value, (int, Decimal)):
        return Decimal(str(given))
    return dt.date.fromisoformat(given) if isinstance(value, dt.date) else given
