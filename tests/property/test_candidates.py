"""Candidates on random small tenants: the same whatever the size of a block, with prices that can be had again exactly."""

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.run_service.engine.steps.unconstrained import unconstrained_execution
from services.run_service.engine.stop import Stop
from services.run_service.engine.tables.candidates import candidate_table
from services.run_service.engine.tables.kickouts import kickouts
from tests.instances.execute import Built, built, ledger_of
from tests.instances.rows import inputs
from tests.property.tenants import Tenant, options, tenants

Options = dict[str, Any]
BLOCKS = st.integers(1, 5)


def lists(made: Built) -> list[dict[str, Any]]:
    """Every array of step 3 by name."""
    parts = (made.candidates, made.synthetic, made.reach)
    by_name = [{f.name: getattr(part, f.name) for f in fields(part)} if is_dataclass(part) else vars(part) for part in parts]
    return [{name: np.asarray(values).tolist() for name, values in part.items()} for part in by_name]


@given(tenant=tenants(), chosen=options(), block_loans=BLOCKS)
def test_blocks_of_loans_change_no_candidate_and_no_reason(tenant: Tenant, chosen: Options, block_loans: int) -> None:
    assert lists(built(inputs(*tenant), block_loans, **chosen)) == lists(built(inputs(*tenant), **chosen))


@given(tenant=tenants(), chosen=options(), block_loans=BLOCKS)
def test_blocks_of_loans_change_no_row(tenant: Tenant, chosen: Options, block_loans: int) -> None:
    ledger = ledger_of(inputs(*tenant), **chosen)
    assert candidate_table(ledger, Stop(), block_loans).equals(candidate_table(ledger, Stop()))
    assert unconstrained_execution(ledger, Stop(), block_loans).ranks.equals(unconstrained_execution(ledger, Stop()).ranks)
    assert kickouts(ledger, Stop(), block_loans).equals(kickouts(ledger, Stop()))


@given(tenant=tenants(), chosen=options())
def test_price_and_carry_behind_a_score_are_those_of_the_pair_itself(tenant: Tenant, chosen: Options) -> None:
    made = built(inputs(*tenant), **chosen)
    candidates, pricer = made.candidates, made.pricer
    loan = candidates.loan.astype(np.int64)
    price, carry = pricer.behind(made.book.trades, loan, candidates.trade, candidates.score)
    for j in range(len(made.book.trades)):
        here = np.nonzero(candidates.trade == j)[0]
        own_price, own_carry, priced = pricer.on_trade(j, loan[here])
        assert priced.all()
        assert (price[here].tolist(), carry[here].tolist()) == (own_price.tolist(), own_carry.tolist())
        assert candidates.score[here].tolist() == pricer.score(own_price, own_carry).tolist()
