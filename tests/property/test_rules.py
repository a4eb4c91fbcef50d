"""Compiled rules against a plain evaluation of the same tree, loan by loan, in two-valued logic."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.run_service.domain.rules import RuleError, compile_rule, parse_rule
from services.run_service.engine.frames import LOAN_FIELDS
from tests.property.plain_rules import evaluate

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "loan_amount": st.decimals("0", "3", places=2),
    "note_rate": st.decimals("0", "2", places=6) | st.sampled_from([Decimal("1.000000"), Decimal("1.500000")]),
    "fico": st.integers(0, 3),
    "state": st.sampled_from(["", "A", "B", "b", "ß", "AB"]),
    "high_balance": st.booleans(),
    "close_date": st.dates(dt.date(2026, 1, 1), dt.date(2026, 1, 4)),
}


def written(field: str) -> st.SearchStrategy[Any]:
    """A value for a condition on the field, as JSON has it: numbers as numbers or strings, of more places than the column."""
    if field == "high_balance":
        return st.booleans()
    if field == "state":
        return FIELDS["state"]
    if field == "close_date":
        return FIELDS["close_date"].map(dt.date.isoformat)
    text = st.decimals("-1", "4", places=7).map(str) | FIELDS[field].map(str)
    return text | st.integers(-1, 4)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    field = draw(st.sampled_from(list(FIELDS)))
    ordered = ["lt", "le", "gt", "ge", "between"] if field != "high_balance" else []
    op = draw(st.sampled_from(["eq", "ne", "in", "not_in", "is_null", "not_null", *ordered]))
    if op in ("is_null", "not_null"):
        return {"field": field, "op": op}
    one = written(field)
    if op == "between":
        return {"field": field, "op": op, "value": [draw(one), draw(one)]}
    return {"field": field, "op": op, "value": draw(st.lists(one, min_size=1, max_size=4) if op in ("in", "not_in") else one)}


TREES = st.recursive(
    conditions(),
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=8,
)
LOANS = st.lists(st.fixed_dictionaries({name: st.none() | values for name, values in FIELDS.items()}), min_size=1, max_size=8)


@settings(max_examples=settings().max_examples * 4)
@given(tree=TREES, loans=LOANS)
def test_a_compiled_rule_passes_the_loans_that_pass_one_by_one(tree: Any, loans: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame([pl.Series(name, [loan[name] for loan in loans], dtype=LOAN_FIELDS[name]) for name in FIELDS])
    mask = frame.select(compile_rule(parse_rule(json.dumps(tree), LOAN_FIELDS)).alias("passes"))["passes"]
    assert mask.to_list() == [evaluate(tree, loan) for loan in loans]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["all", "any", "not", "field", "op", "value"]), inner)
    ),
    max_leaves=10,
)


@settings(max_examples=settings().max_examples * 4)
@given(text=JSON.map(json.dumps) | st.text(max_size=20))
def test_any_text_is_a_rule_or_refused_with_a_path(text: str) -> None:
    refused: list[RuleError] = []
    try:
        parse_rule(text, LOAN_FIELDS)
    except RuleError as error:
        refused.append(error)
    assert all(error.path.startswith("$") and str(error).startswith(f"{error.path}: ") for error in refused)


@settings(max_examples=settings().max_examples * 2)
@given(tree=TREES, data=st.data())
def test_a_fault_is_named_where_it_is(tree: Any, data: st.DataObject) -> None:
    leaves: list[tuple[str, dict[str, Any]]] = []

    def walk(part: Any, path: str) -> None:
        for word in ("all", "any"):
            for place, child in enumerate(part.get(word, ())):
                walk(child, f"{path}.{word}[{place}]")
        if "not" in part:
            walk(part["not"], f"{path}.not")
        if "field" in part:
            leaves.append((path, part))

    walk(tree, "$")
    path, leaf = data.draw(st.sampled_from(leaves))
    what = data.draw(st.sampled_from(["field", "op"]))
    leaf[what] = "unheard_of"
    with pytest.raises(RuleError) as caught:
        parse_rule(json.dumps(tree), LOAN_FIELDS)
    assert caught.value.path == f"{path}.{what}"
