"""Security rules (specification 01 section 4): two-valued logic, and errors that name the path inside the tree."""

import json
import time
from typing import Any

import polars as pl
import pytest

from services.run_service.domain.rules import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    MAX_LIST_LENGTH,
    RuleError,
    compile_rule,
    conditions_of_conjunction,
    describe,
    parse_rule,
)
from services.run_service.engine.frames import LOAN_FIELDS
from tests.instances.rows import day, inputs, loan

LOANS = inputs(
    loan("A", "100000.00", note="6.5", fico=680, state="NY", high_balance=True, closed=0),
    loan("B", "100000.01", note="7", fico=None, state=None, high_balance=None, closed=None),
    loan("C", 250_000, note=None, fico=679, state="CA", high_balance=False, closed=-30),
).tables["loan"]


def passing(tree: Any) -> str:
    """The ids of the loans that pass, in one word."""
    mask = LOANS.select(compile_rule(parse_rule(json.dumps(tree), LOAN_FIELDS)).alias("passes"))["passes"]
    assert mask.null_count() == 0
    return "".join(LOANS["loan_id"].filter(mask))


def on(field: str, op: str, *value: Any) -> dict[str, Any]:
    """A condition; without a value it has none."""
    return {"field": field, "op": op} | ({"value": value[0]} if value else {})


@pytest.mark.parametrize(
    ("tree", "ids"),
    [
        (on("loan_amount", "le", 100_000), "A"),
        (on("loan_amount", "lt", "100000.01"), "A"),
        (on("loan_amount", "gt", "100000.005"), "BC"),  # finer than cents: compared as it is, not rounded
        (on("loan_amount", "eq", "100000.005"), ""),
        (on("loan_amount", "between", [100_000, "100000.01"]), "AB"),  # both ends
        (on("note_rate", "ge", "6.500000"), "AB"),
        (on("fico", "gt", "679.5"), "A"),
        (on("fico", "eq", 6.8e2), "A"),
        (on("fico", "in", [680, "679"]), "AC"),
        (on("state", "eq", "NY"), "A"),
        (on("state", "in", ["CA", "NY"]), "AC"),
        (on("state", "gt", "M"), "A"),
        (on("high_balance", "eq", True), "A"),
        (on("high_balance", "ne", True), "C"),
        (on("close_date", "ge", day(0).isoformat()), "A"),  # type: ignore[union-attr]
        (on("close_date", "between", [day(-30).isoformat(), day(-1).isoformat()]), "C"),  # type: ignore[union-attr]
    ],
)
def test_conditions(tree: Any, ids: str) -> None:
    assert passing(tree) == ids


@pytest.mark.parametrize(
    ("tree", "ids"),
    [
        (on("state", "ne", "NY"), "C"),  # B has no state: any comparison with it is false
        (on("state", "not_in", ["NY"]), "C"),
        (on("fico", "lt", 700), "AC"),
        ({"not": on("fico", "ge", 680)}, "BC"),  # false for B, so `not` makes it true
        ({"not": on("state", "ne", "NY")}, "AB"),
        ({"not": {"not": on("state", "ne", "NY")}}, "C"),
        (on("state", "is_null"), "B"),
        (on("state", "not_null"), "AC"),
        ({"not": on("state", "is_null")}, "AC"),
        ({"all": [on("state", "ne", "TX"), on("fico", "gt", 0)]}, "AC"),
        ({"any": [on("state", "ne", "TX"), on("fico", "is_null")]}, "ABC"),
        ({"all": [{"any": [on("state", "eq", "NY"), on("fico", "is_null")]}, {"not": on("note_rate", "gt", 6.75)}]}, "A"),
    ],
)
def test_a_comparison_with_a_missing_field_is_false_and_not_turns_it_round(tree: Any, ids: str) -> None:
    assert passing(tree) == ids


@pytest.mark.parametrize("number", ["679.5", "679.5" + "0" * 60, "67950e-2"])
def test_a_number_may_be_written_in_any_length(number: str) -> None:
    assert passing(on("fico", "gt", number)) == "A"


@pytest.mark.parametrize("zero", ["0", "-0.0", "0E-50", "0E+400000", "0E-999999999"])
def test_a_zero_may_have_any_exponent(zero: str) -> None:
    assert passing(on("fico", "gt", zero)) == "AC"


@pytest.mark.parametrize(
    ("expression", "path"),
    [
        ("", "$"),
        ("{", "$"),
        ("[]", "$"),
        ("null", "$"),
        ('{"field":"fico","op":"eq","value":NaN}', "$"),
        ('{"field":"fico","op":"eq","value":Infinity}', "$"),
        ('{"field":"fico","op":"eq","value":' + "1" * 5_000 + "}", "$"),
        ("[" * 100_000, "$"),
        ("{}", "$.field"),
        ('{"all":[]}', "$.all"),
        ('{"any":{}}', "$.any"),
        ('{"not":[]}', "$.not"),
        ('{"all":[{"field":"fico","op":"ge","value":1}],"any":[]}', "$"),
        ('{"all":[{"field":"fico","op":"ge","value":1},{"field":"score","op":"ge","value":1}]}', "$.all[1].field"),
        ('{"any":[{"not":{"field":"fico","op":"gte","value":1}}]}', "$.any[0].not.op"),
        ('{"field":"fico","op":["eq"],"value":1}', "$.op"),
        ('{"field":["fico"],"op":"eq","value":1}', "$.field"),
        ('{"field":"fico","op":"ge","value":"high"}', "$.value"),
        ('{"field":"fico","op":"ge","value":true}', "$.value"),
        ('{"field":"fico","op":"ge"}', "$.value"),
        ('{"field":"fico","op":"ge","value":"1e15"}', "$.value"),
        ('{"field":"fico","op":"ge","value":1e999999999}', "$.value"),
        ('{"field":"loan_amount","op":"ge","value":"0.0000000000001"}', "$.value"),
        ('{"field":"state","op":"eq","value":7}', "$.value"),
        ('{"field":"close_date","op":"lt","value":"2026-02-30"}', "$.value"),
        ('{"field":"close_date","op":"lt","value":5}', "$.value"),
        ('{"field":"high_balance","op":"eq","value":"yes"}', "$.value"),
        ('{"field":"high_balance","op":"gt","value":true}', "$.value"),
        ('{"field":"fico","op":"between","value":[1]}', "$.value"),
        ('{"field":"fico","op":"between","value":[1,"x"]}', "$.value[1]"),
        ('{"field":"fico","op":"in","value":[]}', "$.value"),
        ('{"field":"fico","op":"in","value":700}', "$.value"),
        ('{"field":"fico","op":"not_in","value":[700,null]}', "$.value[1]"),
        ('{"field":"fico","op":"is_null","value":1}', "$.value"),
        ('{"field":"fico","op":"eq","value":1,"note":"x"}', "$"),
        ('{"field":"loan_id) or 1=1 --","op":"eq","value":"x"}', "$.field"),
    ],
    ids=lambda text: text[:60],
)
def test_an_expression_that_is_no_rule_is_refused_with_the_path(expression: str, path: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(expression, LOAN_FIELDS)
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")


def test_depth_size_and_list_length_are_bounded() -> None:
    deep: Any = on("fico", "gt", 1)
    for _ in range(MAX_DEPTH):
        deep = {"not": deep}
    with pytest.raises(RuleError, match="nested deeper"):
        parse_rule(json.dumps(deep), LOAN_FIELDS)
    assert passing(deep["not"]["not"]) == "AC"
    many = {"any": [on("fico", "eq", number) for number in range(MAX_CONDITIONS + 1)]}
    with pytest.raises(RuleError, match="conditions"):
        parse_rule(json.dumps(many), LOAN_FIELDS)
    long_list = on("fico", "in", list(range(MAX_LIST_LENGTH + 1)))
    with pytest.raises(RuleError, match="list of 1 to"):
        parse_rule(json.dumps(long_list), LOAN_FIELDS)


def test_the_largest_rules_are_evaluated_in_moments() -> None:
    names = [f"S{number}" for number in range(MAX_LIST_LENGTH - 1)] + ["NY"]
    start = time.perf_counter()
    assert passing({"any": [on("state", "in", names), on("state", "not_in", names)]}) == "AC"
    assert passing({"any": [on("loan_amount", "gt", 200_000 + number) for number in range(MAX_CONDITIONS)]}) == "C"
    assert time.perf_counter() - start < 1


def test_a_rule_reads_as_one_line_and_falls_into_its_conditions() -> None:
    tree = {"all": [on("fico", "ge", 680), {"any": [on("state", "in", ["NY", "CA"]), {"not": on("ltv", "is_null")}]}]}
    rule = parse_rule(json.dumps(tree), LOAN_FIELDS)
    assert describe(rule) == "fico >= 680 and (state in (NY, CA) or not (ltv is null))"
    assert [describe(part) for part in conditions_of_conjunction(rule)] == [
        "fico >= 680",
        "state in (NY, CA) or not (ltv is null)",
    ]
    single = parse_rule(json.dumps(on("fico", "between", [1, 2])), LOAN_FIELDS)
    assert [describe(part) for part in conditions_of_conjunction(single)] == ["fico between 1 and 2"]


def test_a_rule_is_a_mask_also_over_no_loan() -> None:
    empty = pl.DataFrame(schema=dict(LOAN_FIELDS))
    rule = parse_rule(json.dumps({"not": on("fico", "in", [1, 2])}), LOAN_FIELDS)
    assert empty.select(compile_rule(rule)).height == 0
