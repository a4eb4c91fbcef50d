"""Payups that are added as they are against the exact sum for each set of rows that applies: prices are the same."""

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.run_service.domain.options import parse_options
from services.run_service.engine.opening import open_book
from services.run_service.engine.payups import Payups
from services.run_service.engine.pricing import to_points
from services.run_service.engine.stop import Stop
from tests.instances.rows import AS_OF, Row, desk, loan, payup

AMOUNTS = [40_000, 60_000, 100_000, 200_000]
POINTS = st.one_of(
    st.integers(-9999, 9999).map(Decimal), st.integers(-(10**9), 10**9).map(lambda units: Decimal(units).scaleb(-8))
)
ROWS = st.lists(
    st.builds(
        lambda ends, points, div_by: payup("loan_amount", min(ends), max(ends), points, div_by),
        st.tuples(st.sampled_from(AMOUNTS), st.sampled_from(AMOUNTS)),
        POINTS,
        st.sampled_from([None, 1, 32, -4, Decimal("0.5"), Decimal("0.001")]),
    ),
    min_size=1,
    max_size=5,
)


@given(rows=ROWS, other_units=st.integers(-(10**12), 10**12))
def test_both_ways_give_the_same_price(rows: list[Row], other_units: int) -> None:
    tables = desk(*(loan(f"L{amount}", amount) for amount in AMOUNTS), *rows)
    book = open_book(tables, parse_options({}, AS_OF), lambda finding: None, Stop())
    payups, loans = Payups(book), np.arange(len(AMOUNTS))
    total, fits = payups.total("X", loans)
    by_pattern, pattern_fits = payups._by_pattern(payups._rows["X"], loans)
    assert fits.tolist() == pattern_fits.tolist()
    other = other_units * 100  # what else is in a price counts in 1e-12 points
    assert to_points(total + other).tolist() == to_points(by_pattern + other).tolist()
