"""One loan of a run's inputs, alone with the trades, the market and the policy.

Whether a loan is a candidate, at what price and in which order of trades does not depend on other loans, so that its own rows and
the whole of the tables that are not about loans give the same as all of them.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from services.run_service.domain.options import RunOptions
from services.run_service.engine.book import Book, SyntheticTrades
from services.run_service.engine.explain.values import Value
from services.run_service.engine.frames import INPUT_TABLES, LOAN_FIELDS, RunInputs
from services.run_service.engine.opening import lay_out_loans, open_book
from services.run_service.engine.pairs import Candidates, SyntheticCandidates
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.progress import Progress
from services.run_service.engine.reach import Reach
from services.run_service.engine.steps.candidates import build_candidates
from services.run_service.engine.stop import Stop

OF_A_LOAN = ("loan", "rmcat_loan", "loan_shipped", "pscat_pool_loans", "pfill_lockdown")
"""The tables whose rows are each about one loan."""


@dataclass(frozen=True)
class Built:
    """A book with what step 3 makes of it; loans are counted as in the book."""

    book: Book
    pricer: Pricer
    candidates: Candidates
    synthetic: SyntheticCandidates
    reach: Reach


def rows_of_one(inputs: RunInputs, loan_id: str) -> RunInputs:
    """The inputs with the rows of one loan and no other."""
    own = {name: inputs.tables[name].filter(pl.col("loan_id") == loan_id) for name in OF_A_LOAN}
    return dataclasses.replace(inputs, tables={**inputs.tables, **own})


def market_of_instrument(inputs: RunInputs, name: str) -> RunInputs:
    """The inputs with what decides whether loans are candidates of one instrument's trades, and no more."""
    tables = dict(inputs.tables)
    for table, spec in INPUT_TABLES.items():
        if "investor_instrument" in spec.columns and table != "pscat_pools":
            tables[table] = tables[table].filter(pl.col("investor_instrument") == name)
    grid = tables["pscat_trade_cash_grid"].join(tables["pscat_trades"], on="trade_id", how="semi", maintain_order="left")
    rules = pl.concat([tables["pfill_constraints"]["rule_name"], grid["syntax_name"]]).to_frame("rule_name")
    tables["pscat_trade_cash_grid"] = grid
    tables["pfill_sec_rules"] = tables["pfill_sec_rules"].join(rules, on="rule_name", how="semi", maintain_order="left")
    for table in ("pscat_pools", "pscat_trades_pools_relation", "pscat_pool_loans"):
        tables[table] = tables[table].clear()
    return dataclasses.replace(inputs, tables=tables)


def build(inputs: RunInputs, options: RunOptions) -> Built:
    """Steps 1 to 3. Raises InputError for a rule that does not parse."""
    book = open_book(inputs, options, lambda finding: None, Stop())
    return _built(book, Pricer(book))


def build_variants(like: Built, variants: Sequence[tuple[str, Value | None]]) -> Built:
    """Real candidates of a book's one loan with a field otherwise; a variant's loan_id is `place_id` of its place.

    A variant that is out of scope is not in the built book.
    """
    tables = like.book.tables
    places = pl.Series("loan_id", [place_id(place) for place in range(len(variants))], dtype=pl.String)
    row = tables["loan"].row(0, named=True)
    columns = [places]
    for field in dict.fromkeys(field for field, _ in variants):
        values = [value if changed == field else row[field] for changed, value in variants]
        columns.append(pl.Series(field, values, dtype=LOAN_FIELDS[field]))
    loans = tables["loan"][np.zeros(len(variants), dtype=np.int64)].with_columns(columns)
    locks = tables["pfill_lockdown"].drop("loan_id").join(places.to_frame(), how="cross")
    return _other_loans(like, loans, locks.select(tables["pfill_lockdown"].columns))


def build_without_lockdowns(like: Built) -> Built:
    """Real candidates of a book's loans as if there were no lockdown."""
    return _other_loans(like, like.book.tables["loan"], like.book.tables["pfill_lockdown"].clear())


def _other_loans(like: Built, loans: pl.DataFrame, lockdowns: pl.DataFrame) -> Built:
    """Real candidates of loans in a market that is open already."""
    book = like.book
    tables = {**book.tables, "loan": loans, "pfill_lockdown": lockdowns}
    none = SyntheticTrades(book.synthetic.frame.clear(), (), book.synthetic.settle_day[:0], book.synthetic.price[:0])
    laid_out = lay_out_loans(tables, book.trades, book.options)
    changed = dataclasses.replace(book, tables=tables, loans=laid_out, synthetic=none)
    return _built(changed, Pricer(changed, like.pricer))


def place_id(place: int) -> str:
    """The loan_id of a variant: the order of the ids is that of the places."""
    return f"{place:09}"


def _built(book: Book, pricer: Pricer) -> Built:
    return Built(book, pricer, *build_candidates(book, pricer, Progress(), Stop()))
