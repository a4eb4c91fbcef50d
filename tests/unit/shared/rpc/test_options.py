import contextlib
import datetime as dt
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from google.type.date_pb2 import Date
from google.type.decimal_pb2 import Decimal as DecimalMessage
from hypothesis import given
from hypothesis import strategies as st
from powerfill.common.v1 import run_options_pb2 as pb

from services.run_service.domain import options as domain
from shared.errors import PowerFillError
from shared.rpc.options import options_from_proto, options_to_proto

TODAY = dt.date(2026, 4, 17)


def refused_field(call: Any, *arguments: Any) -> str:
    with pytest.raises(PowerFillError) as caught:
        call(*arguments)
    assert caught.value.category == "INVALID_ARGUMENT"
    return caught.value.fields[0].field


def test_the_contract_and_the_domain_have_the_same_options_in_the_same_order() -> None:
    assert tuple(pb.RunOptions.DESCRIPTOR.fields_by_name) == domain.OPTION_NAMES


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("scope", domain.Scope),
        ("min_status", domain.LoanStatus),
        ("price_mode", domain.PriceMode),
        ("strategy", domain.Strategy),
        ("priority_mode", domain.PriorityMode),
    ],
)
def test_every_choice_is_the_same_word_in_the_contract_and_in_the_domain(option: str, words: type[domain.Scope]) -> None:
    field = pb.RunOptions.DESCRIPTOR.fields_by_name[option]
    assert field.enum_type is not None
    messages: list[Any] = [{option: number} for number in field.enum_type.values_by_number if number]
    assert [options_from_proto(pb.RunOptions(**message))[option] for message in messages] == list(words)


def test_the_kinds_of_pair_off_cost_are_those_of_the_domain() -> None:
    assert [name.upper() for name in pb.PairOffCost.DESCRIPTOR.fields_by_name] == list(domain.Kind)


def test_every_number_option_says_whether_it_was_given() -> None:
    for field in pb.RunOptions.DESCRIPTOR.fields:
        assert field.has_presence or field.type == FieldDescriptor.TYPE_ENUM, field.name


def test_nothing_set_is_nothing_given() -> None:
    assert options_from_proto(pb.RunOptions()) == {}


def test_a_zero_that_is_set_is_given() -> None:
    message = pb.RunOptions(max_trade_settle_days=0, seed=0, time_limit=DecimalMessage(value="0"))
    assert options_from_proto(message) == {"max_trade_settle_days": 0, "seed": 0, "time_limit": "0"}


def test_resolved_options_come_back() -> None:
    stored = domain.parse_options({"bx_price_floor": "99.5", "min_status": "DocsOut", "seed": 2**63 - 1}, TODAY).to_json()
    assert options_from_proto(options_to_proto(stored)) == stored


def test_a_replay_has_no_time_limit_and_none_is_sent() -> None:
    stored = domain.parse_options({"time_limit": None}, TODAY).to_json()
    assert stored["time_limit"] is None
    assert not options_to_proto(stored).HasField("time_limit")


def test_values_may_be_text_as_a_command_line_gives_them() -> None:
    message = options_to_proto({"as_of_date": "2026-04-17", "candidate_top_k": "5", "pair_off_cost": {"TBA": "0.05"}})
    assert message == pb.RunOptions(
        as_of_date=Date(year=2026, month=4, day=17),
        candidate_top_k=5,
        pair_off_cost=pb.PairOffCost(tba=DecimalMessage(value="0.05")),
    )


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (pb.RunOptions(scope=99), "options.scope"),  # type: ignore[arg-type]
        (pb.RunOptions(min_status=-1), "options.min_status"),  # type: ignore[arg-type]
        (pb.RunOptions(switch_cost=DecimalMessage()), "options.switch_cost"),
        (pb.RunOptions(switch_cost=DecimalMessage(value="NaN")), "options.switch_cost"),
        (pb.RunOptions(bx_price_floor=DecimalMessage(value="none")), "options.bx_price_floor"),
        (pb.RunOptions(time_limit=DecimalMessage(value="1" * 100_000)), "options.time_limit"),
        (pb.RunOptions(pair_off_cost=pb.PairOffCost(cash=DecimalMessage(value="x"))), "options.pair_off_cost.CASH"),
    ],
)
def test_what_is_no_value_of_its_kind_is_refused_with_its_name(message: pb.RunOptions, field: str) -> None:
    assert refused_field(options_from_proto, message) == field


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (pb.RunOptions(as_of_date=Date(year=1, month=1, day=1)), "as_of_date"),
        (pb.RunOptions(as_of_date=Date(year=2026, month=2, day=30)), "as_of_date"),
        (pb.RunOptions(as_of_date=Date()), "as_of_date"),
        (pb.RunOptions(as_of_date=Date(year=2026, month=13, day=-1)), "as_of_date"),
        (pb.RunOptions(as_of_date=Date(year=-2026, month=1, day=1)), "as_of_date"),
        (pb.RunOptions(switch_cost=DecimalMessage(value="1e400")), "switch_cost"),
        (pb.RunOptions(switch_cost=DecimalMessage(value="-0.01")), "switch_cost"),
        (pb.RunOptions(max_eligible_days=-1), "max_eligible_days"),
        (pb.RunOptions(candidate_top_k=0), "candidate_top_k"),
        (pb.RunOptions(pair_off_cost=pb.PairOffCost(tba=DecimalMessage(value="101"))), "pair_off_cost.TBA"),
    ],
)
def test_what_is_out_of_range_reaches_the_parser_of_options_which_refuses_it(message: pb.RunOptions, field: str) -> None:
    given_options = options_from_proto(message)
    with pytest.raises(domain.OptionsError) as caught:
        domain.parse_options(given_options, TODAY)
    assert [problem.field for problem in caught.value.problems] == [field]


def test_options_of_a_newer_contract_are_refused_not_ignored() -> None:
    newer = pb.RunOptions.FromString(pb.RunOptions(seed=1).SerializeToString() + b"\xf8\x07\x01")  # field 127 = 1
    with pytest.raises(PowerFillError, match="no option with field number 127"):
        options_from_proto(newer)


def test_kinds_of_a_newer_contract_are_refused_not_ignored() -> None:
    newer = pb.PairOffCost.FromString(b"\xf8\x07\x01")
    assert refused_field(options_from_proto, pb.RunOptions(pair_off_cost=newer)) == "options.pair_off_cost"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"top_k": 3}, "options.top_k"),
        ({"scope": "ALL"}, "options.scope"),
        ({"as_of_date": "yesterday"}, "options.as_of_date"),
        ({"as_of_date": "2026-02-30"}, "options.as_of_date"),
        ({"max_eligible_days": "ten"}, "options.max_eligible_days"),
        ({"max_eligible_days": 2**31}, "options.max_eligible_days"),
        ({"seed": 2**63}, "options.seed"),
        ({"switch_cost": "cheap"}, "options.switch_cost"),
        ({"pair_off_cost": "0.1"}, "options.pair_off_cost"),
        ({"pair_off_cost": {"BOND": "0.1"}}, "options.pair_off_cost"),
        ({"pair_off_cost": {"TBA": "-"}}, "options.pair_off_cost.TBA"),
    ],
)
def test_what_the_message_cannot_hold_is_refused_with_its_name(options: dict[str, Any], field: str) -> None:
    assert refused_field(options_to_proto, options) == field


@given(st.binary(max_size=200))
def test_any_message_is_translated_or_refused(data: bytes) -> None:
    try:
        message = pb.RunOptions.FromString(data)
    except DecodeError:
        return
    given_options: dict[str, Any] = {}
    with contextlib.suppress(PowerFillError):
        given_options = options_from_proto(message)
    assert set(given_options) <= set(domain.OPTION_NAMES)
