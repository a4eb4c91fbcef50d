"""Explanations on random small tenants: the run's own reasons, and changes that do what they say and are the smallest."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from services.run_service.engine.explain.explanation import LoanView, NotInRun
from services.run_service.engine.explain.one_loan import Built, build
from services.run_service.engine.explain.view import view_loan
from services.run_service.engine.frames import INPUT_TABLES, RunInputs
from services.run_service.engine.reach import Stage
from shared.money import round_half_away, scaled
from tests.instances.execute import run
from tests.instances.explained import changed, chosen_options, scores
from tests.instances.rows import AS_OF, Row, inputs
from tests.property.tenants import Tenant, options, tenants

Options = dict[str, Any]

LATTICE: dict[str, list[Any]] = {
    "fico": [*range(600, 801, 10), 639, 641, 679, 681, 699, 701, 779, 781],
    "ltv": [Decimal(tenths) / 10 for tenths in range(700, 1000, 7)] + [Decimal("79.999999"), Decimal("80.000001")],
    "note_rate": [Decimal(eighths) / 8 for eighths in range(40, 64)]
    + [Decimal(text) for text in ("6.375001", "5.999999", "6.500001")],
    "loan_amount": [
        Decimal(dollars) for dollars in (1, 40_000, 60_000, 99_999, 100_000, 100_001, 120_000, 139_999, 140_000, 140_001, 200_000)
    ] + [Decimal("0.01"), Decimal("100000.01"), Decimal("140000.01")],
    "close_date": [AS_OF + dt.timedelta(days) for days in range(-60, 61)],
    "lock_expiration_date": [AS_OF + dt.timedelta(days) for days in range(-60, 61)],
    "state": ["NY", "CA", "TX", None],
}  # fmt: skip
"""Values of a loan's fields that are tried one after the other."""


def views(data: RunInputs, chosen: Options) -> Iterator[tuple[str, LoanView | NotInRun]]:
    for loan_id in data.tables["loan"]["loan_id"].unique().sort():
        yield loan_id, view_loan(data, chosen_options(**chosen), loan_id)


def without_candidate(data: RunInputs, chosen: Options) -> Iterator[tuple[str, LoanView]]:
    """The loans that are left out without a candidate: a lockdown can put a loan where it is none."""
    allocated = run(data, **chosen).placement
    for loan_id, view in views(data, chosen):
        if isinstance(view, LoanView) and not view.candidates:
            if loan_id not in allocated:
                yield loan_id, view
            else:
                assert (view.nearest, view.smallest_change) == (None, None)


@given(tenant=tenants(most_loans=6), chosen=options())
def test_a_loan_alone_has_the_candidates_and_figures_it_has_among_the_others(tenant: Tenant, chosen: Options) -> None:
    data = inputs(*tenant)
    ran, whole = run(data, **chosen), build(data, chosen_options(**chosen))
    guide = {row["loan_id"]: row for row in ran.rows("powerfill_guide")}
    kickouts = {row["loan_id"]: row for row in ran.rows("kickout_guide_01")}
    stored = ran.table("loan2trade_candy_level_01")
    for loan_id, view in views(data, chosen):
        assert isinstance(view, NotInRun) == (loan_id not in guide and loan_id not in kickouts)
        if isinstance(view, NotInRun):
            continue
        own = {candidate.trade_id: (candidate.constraint_id, scaled(candidate.score, 8)) for candidate in view.candidates}
        assert own == scores(whole, loan_id)
        assert [candidate.rank for candidate in view.candidates] == [*range(1, len(own) + 1)]
        columns = ("trade_id", "constraint_id", "priority", "price", "payup", "excess", "carry", "score", "rank")
        rows = stored.filter(pl.col("loan_id") == loan_id).sort("rank").select(columns).rows()
        of_view = [tuple(getattr(candidate, name) for name in columns) for candidate in view.candidates]
        assert rows == of_view[: len(rows)]
        row = guide.get(loan_id) or kickouts[loan_id]
        assert (view.syn_trade_id, view.syn_score) == (row["syn_trade_id"], row["syn_score"])
        if loan_id in guide:
            assert view.fallback == row["fallback"]
            got = {candidate.trade_id: candidate.net_score for candidate in view.candidates}
            if not row["locked"]:
                assert row["value"] == round_half_away(row["loan_amount"] * got[row["trade_id"]] / 100, 2)


@given(tenant=tenants(most_loans=6), chosen=options())
def test_a_loan_came_furthest_where_the_run_says_it_did(tenant: Tenant, chosen: Options) -> None:
    data = inputs(*tenant)
    ran, whole = run(data, **chosen), build(data, chosen_options(**chosen))
    order = whole.book.loans.frame["loan_id"].to_list()
    for loan_id, view in without_candidate(data, chosen):
        row, number = ran.kickout(loan_id), order.index(loan_id)
        trade = int(whole.reach.trade[number])
        trade_id = whole.book.trades.ids[trade] if trade >= 0 else None
        assert Stage(int(whole.reach.stage[number])).name == row["reason"]
        if view.nearest is None:
            assert (row["reason"], row["nearest_constraint_id"]) == ("NO_RULE_MATCH", None)
            continue
        nearest = view.nearest
        assert (nearest.stage, nearest.constraint_id) == (row["reason"], row["nearest_constraint_id"])
        assert nearest.trade_id == trade_id
        assert nearest.failures[0].stage == nearest.stage
        if nearest.stage == "NO_RULE_MATCH":
            assert nearest.failures[0].text == row["failed_condition"]


@given(tenant=tenants(most_loans=6), chosen=options())
def test_the_smallest_change_makes_a_candidate(tenant: Tenant, chosen: Options) -> None:
    data = inputs(*tenant)
    for loan_id, view in without_candidate(data, chosen):
        change = view.smallest_change
        if change is not None:
            after = scores(changed(change, data, chosen_options(**chosen)), loan_id)
            assert after[change.trade_id] == (change.constraint_id, scaled(change.score, 8))


@given(tenant=tenants(most_loans=4), chosen=options(), days=st.sampled_from([0, 0, 14, 30]))
def test_no_smaller_change_of_a_field_makes_a_candidate(tenant: Tenant, chosen: Options, days: int) -> None:
    data = inputs(*(closed_later(row, days) for row in tenant))
    for loan_id, view in without_candidate(data, chosen):
        row = data.tables["loan"].filter(pl.col("loan_id") == loan_id).row(0, named=True)
        variants = [
            (field, value)
            for field, values in LATTICE.items()
            if not (field == "note_rate" and chosen.get("bx_price_floor"))  # there the price moves with every step
            for value in values
            if value != row[field]
        ]
        found = candidates_of(build(with_copies(data, loan_id, variants), chosen_options(**chosen)))
        helpful = [variants[int(name.removeprefix("V"))] for name in found]
        change = view.smallest_change
        assert change is not None or not helpful
        sizes = [size(row[field], value, chosen.get("max_trade_settle_days", 60)) for field, value in helpful]
        for least in sizes:
            assert least is None or (change is not None and change.relative is not None and change.relative <= least)


def closed_later(row: Row, days: int) -> Row:
    """A loan that closes so many days later; another row as it is."""
    closed = row.values.get("close_date")
    return row if closed is None else Row(row.table, {**row.values, "close_date": closed + dt.timedelta(days)})


def size(before: Any, after: Any, days_in_full: int) -> Fraction | None:
    """How large a change is; None for one that is not of a number, or of one that is missing or none."""
    if before is None or after is None or isinstance(before, str):
        return None
    if isinstance(before, dt.date):
        return Fraction(abs((after - before).days), days_in_full)
    return abs(Fraction(after) - Fraction(before)) / Fraction(before) if before > 0 else None


def with_copies(data: RunInputs, loan_id: str, variants: list[tuple[str, Any]]) -> RunInputs:
    """The inputs with a copy of the loan, its lockdowns and postings for each variant in the loan's place."""
    tables = dict(data.tables)
    for name in ("loan", "pfill_lockdown", "pscat_pool_loans", "loan_shipped", "rmcat_loan"):
        own = tables[name].filter(pl.col("loan_id") == loan_id)
        ids = pl.DataFrame({"loan_id": [f"V{number:05}" for number in range(len(variants))]})
        tables[name] = own.drop("loan_id").join(ids, how="cross").select(own.columns)
    loan = tables["loan"].sort("loan_id")
    for field in {field for field, _ in variants}:
        values = loan[field].to_list()
        for number, (name, value) in enumerate(variants):
            values[number] = value if name == field else values[number]
        loan = loan.with_columns(pl.Series(field, values, dtype=INPUT_TABLES["loan"].columns[field]))
    return RunInputs({**tables, "loan": loan})


def candidates_of(built: Built) -> set[str]:
    """The loans that have a candidate."""
    loans = built.book.loans.frame["loan_id"]
    return {loans[int(number)] for number in set(built.candidates.loan.tolist())}
