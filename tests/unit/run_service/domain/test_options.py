"""The options of specification 01 section 5: defaults, ranges, and refusals that name field, value and range."""

import dataclasses
import datetime as dt
import json
from decimal import Decimal

import pytest

from services.run_service.domain.options import (
    DEFAULT_WORK_LIMIT,
    OPTION_NAMES,
    Kind,
    LoanStatus,
    OptionsError,
    PriceMode,
    PriorityMode,
    RunOptions,
    Scope,
    Strategy,
    parse_options,
)

TODAY = dt.date(2026, 4, 17)


def test_what_is_not_given_takes_the_default_of_the_specification() -> None:
    assert parse_options({}, TODAY) == RunOptions(
        as_of_date=TODAY,
        scope=Scope.CLOSED_AND_LOCKED,
        min_status=LoanStatus.CLOSED,
        price_mode=PriceMode.PRICE_PLUS_CARRY,
        max_eligible_days=0,
        max_trade_settle_days=60,
        eligible_settle_buffer_days=0,
        bx_price_floor=None,
        strategy=Strategy.OPTIMAL,
        priority_mode=PriorityMode.VALUE,
        pair_off_cost={
            Kind.TBA: Decimal("0.03125"),
            Kind.SPEC: Decimal("0.25"),
            Kind.CASH: Decimal("0.125"),
            Kind.BULK: Decimal("0.25"),
        },
        switch_cost=Decimal("0.03125"),
        synthetic_spread=Decimal("0.125"),
        unsold_discount=Decimal(1),
        candidate_top_k=10,
        seed=0,
        work_limit=DEFAULT_WORK_LIMIT,
        time_limit=Decimal(10),
    )


def test_text_numbers_and_values_mean_the_same() -> None:
    as_text = parse_options({"max_trade_settle_days": "30", "switch_cost": "0.5", "as_of_date": "2026-01-02"}, TODAY)
    as_values = parse_options({"max_trade_settle_days": 30, "switch_cost": 0.5, "as_of_date": dt.date(2026, 1, 2)}, TODAY)
    assert as_text == as_values
    assert as_text.switch_cost == Decimal("0.5")


def test_a_part_of_the_pair_off_cost_leaves_the_other_kinds() -> None:
    costs = parse_options({"pair_off_cost": {"TBA": "0.05"}}, TODAY).pair_off_cost
    assert (costs[Kind.TBA], costs[Kind.SPEC]) == (Decimal("0.05"), Decimal("0.25"))


def test_options_survive_being_stored() -> None:
    options = parse_options(
        {"bx_price_floor": "99.5", "time_limit": None, "pair_off_cost": {"BULK": "1E+1"}, "strategy": "PASSES", "seed": 7}, TODAY
    )
    stored = json.loads(json.dumps(options.to_json()))
    assert parse_options(stored, dt.date(2000, 1, 1)) == options
    assert tuple(stored) == OPTION_NAMES
    assert (stored["as_of_date"], stored["pair_off_cost"]["BULK"], stored["time_limit"]) == ("2026-04-17", "10", None)
    assert stored["seed"] == 7


@pytest.mark.parametrize("word", ["none", "None", None])
def test_floor_and_clock_can_be_turned_off(word: str | None) -> None:
    options = parse_options({"bx_price_floor": word, "time_limit": word}, TODAY)
    assert (options.bx_price_floor, options.time_limit) == (None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_eligible_days", -1),
        ("max_trade_settle_days", -1),
        ("max_trade_settle_days", 3651),
        ("eligible_settle_buffer_days", "1.5"),
        ("candidate_top_k", 0),
        ("candidate_top_k", 1001),
        ("candidate_top_k", True),
        ("seed", -1),
        ("seed", 2**63),
        ("work_limit", -1),
        ("time_limit", "-0.1"),
        ("time_limit", 3601),
        ("switch_cost", float("nan")),
        ("switch_cost", "Infinity"),
        ("switch_cost", "sNaN"),
        ("switch_cost", "0.123456789"),
        ("synthetic_spread", -1),
        ("unsold_discount", 101),
        ("bx_price_floor", "cheap"),
        ("as_of_date", dt.date(1, 1, 1)),
        ("as_of_date", "0001-01-01"),
        ("as_of_date", "2026-02-30"),
        ("as_of_date", "2101-01-01"),
        ("as_of_date", 20260417),
        ("scope", "EVERYTHING"),
        ("min_status", "closed"),
        ("price_mode", ""),
        ("strategy", "BEST"),
        ("priority_mode", "STRICTLY"),
        ("pair_off_cost", "0.5"),
    ],
)
def test_what_is_out_of_range_is_refused_with_field_value_and_range(field: str, value: object) -> None:
    with pytest.raises(OptionsError) as caught:
        parse_options({field: value}, TODAY)
    (problem,) = caught.value.problems
    assert (problem.field, problem.value) == (field, str(value))
    assert problem.allowed
    assert field in str(caught.value)


@pytest.mark.parametrize(("costs", "field"), [({"TBA": "-1"}, "pair_off_cost.TBA"), ({"SWAP": "1"}, "pair_off_cost")])
def test_a_wrong_part_of_the_pair_off_cost_is_named(costs: dict[str, str], field: str) -> None:
    with pytest.raises(OptionsError) as caught:
        parse_options({"pair_off_cost": costs}, TODAY)
    assert [problem.field for problem in caught.value.problems] == [field]


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(OptionsError) as caught:
        parse_options({"candidate_topk": 5, "seed": "x", "max_eligible_days": 1}, TODAY)
    assert [problem.field for problem in caught.value.problems] == ["candidate_topk", "seed"]
    assert "candidate_top_k" in caught.value.problems[0].allowed


def test_the_ends_of_the_ranges_are_allowed() -> None:
    options = parse_options(
        {"candidate_top_k": 1000, "seed": 2**63 - 1, "max_trade_settle_days": 3650, "work_limit": 0, "switch_cost": 0}, TODAY
    )
    assert dataclasses.asdict(options)["candidate_top_k"] == 1000
    assert (options.seed, options.work_limit, options.switch_cost) == (2**63 - 1, 0, Decimal(0))


@pytest.mark.parametrize(("given", "stored"), [("0E-9000", "0"), ("1.50000000000000000000000000000000000000", "1.5")])
def test_a_number_is_stored_in_a_few_characters_however_it_was_written(given: str, stored: str) -> None:
    text = parse_options({"switch_cost": given}, TODAY).to_json()["switch_cost"]
    assert Decimal(text) == Decimal(stored)
    assert len(text) <= 12
