"""What is read from the checker's output."""

from benchmarks.checker import read_verdict

VALUE = """\
ok   no trade is over its band: []
in scope 11038 loans, $3,981,579,272; 296 trades; 397685 candidates; value $3,896,556,050.68; passes $3,892,525,609.03
gain 99.931 % of the reported bound's
ok   the bound is tight: 0.0000 % of the gain over it
LP optimum $3,896,558,999.99; gain 4,258,129.20 of 4,261,078.52 = 99.930 %; passes 5.343 %; reported bound over LP 0.01
all checks hold
"""
STRICT = """\
FAIL STRICT: tiers reach nine tenths of their relaxations: 1,234.50 of 2,469.00 = 50.00 %
LP optimum $10.00; gain -2.50 of 5.00 = -50.000 %; passes 0.000 %; reported bound over LP unset; gap 1.0 bp of balance
1 checks failed
"""


def test_a_good_verdict_and_its_figures() -> None:
    verdict = read_verdict(0, VALUE, "")
    assert verdict.holds
    assert verdict.complaints == ""
    assert verdict.to_json() == {
        "checks_hold": True,
        "lp_optimum": 3_896_558_999.99,
        "gain": 4_258_129.20,
        "lp_gain": 4_261_078.52,
        "gain_pct": 99.930,
        "bound_over_lp": 0.01,
        "bound_gain_pct": 99.931,
    }


def test_a_bad_verdict_keeps_what_is_not_ok() -> None:
    verdict = read_verdict(1, STRICT, "trace")
    assert not verdict.holds
    assert verdict.complaints.splitlines()[0].startswith("FAIL STRICT")
    assert verdict.complaints.endswith("trace")
    assert verdict.figures == {"lp_optimum": 10.0, "gain": -2.5, "lp_gain": 5.0, "gain_pct": -50.0, "tiers_pct": 50.0}


def test_a_checker_that_fails_after_its_verdict_is_not_believed() -> None:
    assert not read_verdict(1, VALUE, "").holds
    assert not read_verdict(0, VALUE.replace("all checks hold\n", ""), "").holds
