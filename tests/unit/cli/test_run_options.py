"""What a command line may say of options, and what it is told otherwise."""

import pytest

from cli.exit_codes import ExitCode, UsageError
from cli.run_options import PARTS_OF, described, parse
from services.run_service.domain.options import ALLOWED, OPTION_NAMES, RunOptions
from shared.rpc.options import options_from_proto
from tests.builders import AS_OF


def test_only_what_is_given_is_set() -> None:
    assert options_from_proto(parse([])) == {}
    given = parse(["time_limit=2.50", "strategy=PASSES", "min_status=DocsOut", "as_of_date=2026-04-17", "seed=7"])
    assert options_from_proto(given) == {
        "as_of_date": "2026-04-17", "min_status": "DocsOut", "seed": 7, "strategy": "PASSES", "time_limit": "2.5",
    }  # fmt: skip


def test_parts_of_the_pair_off_cost_leave_the_others_to_their_defaults() -> None:
    given = parse(["pair_off_cost.TBA=0.05", "pair_off_cost.BULK=0"])
    assert options_from_proto(given) == {"pair_off_cost": {"TBA": "0.05", "BULK": "0"}}


def test_none_is_a_floor_but_no_time_limit() -> None:
    assert options_from_proto(parse(["bx_price_floor=none"])) == {}
    with pytest.raises(UsageError, match=r"time_limit: 'none'.*3600"):
        parse(["time_limit=none"])


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("seed=x", ["seed", "'x'", "an integer from 0 to"]),
        ("candidate_top_k=0", ["candidate_top_k", "'0'", "from 1 to 1000"]),
        ("max_eligible_days=-1", ["max_eligible_days", "'-1'", "from 0 to 3650"]),
        ("switch_cost=NaN", ["switch_cost", "'NaN'", "from 0 to 100"]),
        ("as_of_date=0001-01-01", ["as_of_date", "'0001-01-01'", "1990-01-01 to 2100-12-31"]),
        ("scope=closed_only", ["scope", "'closed_only'", "CLOSED_AND_LOCKED, CLOSED_ONLY"]),
        ("pair_off_cost.TBA=101", ["pair_off_cost.TBA", "'101'", "from 0 to 100"]),
        ("pair_off_cost.MBS=1", ["pair_off_cost", "'MBS'", "TBA, SPEC, CASH, BULK"]),
        ("pair_off_cost=0.05", ["pair_off_cost", "'0.05'", "pair_off_cost.TBA=0.05"]),
        ("seed.x=1", ["seed.x", "'1'", "has no parts"]),
        ("sed=1", ["sed", "'1'", ", ".join(OPTION_NAMES)]),
        ("seed", ["'seed'", "NAME=VALUE"]),
        ("=1", ["'=1'", "NAME=VALUE"]),
    ],
)
def test_one_problem_is_one_line_with_name_value_and_range(item: str, told: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        parse([item])
    assert refused.value.code == ExitCode.USAGE
    assert refused.value.lines == ()
    for part in told:
        assert part in refused.value.message


def test_several_problems_are_all_told() -> None:
    with pytest.raises(UsageError) as refused:
        parse(["sed=1", "seed=-1", "time_limit=9999"])
    assert refused.value.message == "3 options are not allowed"
    assert [line.split(":")[0] for line in refused.value.lines] == ["sed", "seed", "time_limit"]


@pytest.mark.parametrize("items", [["seed=1", "seed=2"], ["pair_off_cost.TBA=1", "pair_off_cost.TBA=1"]])
def test_an_option_is_given_once(items: list[str]) -> None:
    with pytest.raises(UsageError, match="give it once"):
        parse(items)


def test_help_describes_every_option_with_the_defaults_and_ranges_of_the_domain() -> None:
    expected = RunOptions(AS_OF).to_json()
    expected |= {f"{PARTS_OF}.{kind}": points for kind, points in expected.pop(PARTS_OF).items()}
    expected |= {"as_of_date": "today", "bx_price_floor": "none"}
    lines = dict(line.split("=", 1) for line in described())
    texts = {name: text.split(": ", 1) for name, text in lines.items()}
    assert {name: default for name, (default, _) in texts.items()} == {name: str(value) for name, value in expected.items()}
    for name in set(OPTION_NAMES) - {PARTS_OF}:
        assert texts[name][1].startswith(ALLOWED[name])
    parts = {allowed for name, (_, allowed) in texts.items() if name.startswith(PARTS_OF)}
    assert parts == {"a decimal number of points from 0 to 100 with at most 8 decimals"}
    assert texts["bx_price_floor"][1].endswith(", or none")


def test_the_defaults_that_help_shows_are_allowed() -> None:
    today = AS_OF.isoformat()
    given = [line.split(": ", 1)[0].replace("=today", f"={today}") for line in described()]
    shown = {name: value for name, value in RunOptions(AS_OF).to_json().items() if value is not None}
    assert options_from_proto(parse(given)) == shown
