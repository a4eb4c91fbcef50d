"""What a validation takes: the stored inputs of a run and its options, placements, and what the run decided.

1. Find the terms of the run again: who and what takes part, every candidate, what every place is worth.
2. Look the placements up, price them, and value them as they are; then only those that break no rule.
3. Value what the run decided in the same way, and tell the two apart loan by loan.
"""

from decimal import Decimal

import polars as pl

from services.run_service.engine.book import Book
from services.run_service.engine.compare.revalue import terms_of
from services.run_service.engine.frames import RunInputs
from services.run_service.engine.optimise.value import dollars
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.validate.differences import compare_prices, find_differences, total_of, totals_by_reason
from services.run_service.engine.validate.placing import placing_of, resolve, worth_of
from services.run_service.engine.validate.validation import HardRule, RuleCount, RunSide, Totals, Validation
from services.run_service.engine.validate.violations import first_of_each_rule, in_order, of_all_together, of_placements
from shared.money import AMOUNT_PLACES, sum_exact, unscaled

EXAMPLES = 5


def validated(inputs: RunInputs, run: RunSide, placements: pl.DataFrame, most_listed: int) -> Validation:
    """The validation of placements (columns of PLACEMENTS) on the inputs of a run; see `question`."""
    terms = terms_of(inputs, run.options)
    book, pricer = terms.book, Pricer(terms.book)

    resolved = resolve(terms, pricer, placements)
    single, breaks = of_placements(terms, pricer, inputs.tables["pscat_trades"], placements, resolved)
    theirs = placing_of(terms, resolved, resolved.counts)
    worth = worth_of(terms, theirs)
    violations = in_order(pl.concat([single, of_all_together(book, resolved, theirs, worth.fill)]))
    allowed = worth_of(terms, placing_of(terms, resolved, resolved.counts & ~breaks))

    decided = resolve(terms, pricer, run.allocation)
    ours = placing_of(terms, decided, decided.counts)
    run_worth = worth_of(terms, ours)
    told = placements.filter(pl.Series(resolved.is_first)).select("loan_id", "trade_id")
    differences = find_differences(terms, theirs, ours, run_worth.fill, told, _broken_by_loan(violations), run)
    price_differences, prices = compare_prices(terms, placements, resolved)

    totals = Totals(
        in_scope_amount=_balance(book),
        value=dollars(worth.units),
        value_of_allowed=dollars(allowed.units),
        run_value=dollars(run_worth.units),
        pair_off=dollars(worth.pair_off_units),
        run_pair_off=dollars(run_worth.pair_off_units),
        loan_difference=total_of(differences["difference"]),
        pair_off_difference=dollars(run_worth.pair_off_units) - dollars(worth.pair_off_units),
        upper_bound=run.upper_bound,
    )
    return Validation(
        totals=totals,
        placement_count=len(placements),
        placed_count=int((theirs.trade >= 0).sum()),
        run_placed_count=int((ours.trade >= 0).sum()),
        violation_count=len(violations),
        rules=_by_rule(violations),
        violations=first_of_each_rule(violations, most_listed),
        difference_count=len(differences),
        reasons=totals_by_reason(differences),
        differences=differences.head(most_listed),
        prices=prices,
        price_differences=price_differences.head(most_listed),
    )


def _balance(book: Book) -> Decimal:
    return unscaled(sum_exact(book.loans.amount.clip(min=0)), AMOUNT_PLACES)


def _broken_by_loan(violations: pl.DataFrame) -> pl.DataFrame:
    """The rule that each loan's first placement, or that it has none, breaks: loan_id, rule."""
    of_loans = violations.filter(pl.col("loan_id").is_not_null() & (pl.col("rule") != HardRule.LOAN_REPEATED.value))
    return of_loans.unique("loan_id", keep="first", maintain_order=True).select("loan_id", "rule")


def _by_rule(violations: pl.DataFrame) -> tuple[RuleCount, ...]:
    by_rule = violations.partition_by("rule", as_dict=True)
    found = ((rule, by_rule[rule.value,]) for rule in HardRule if (rule.value,) in by_rule)
    return tuple(
        RuleCount(rule, rows.height, tuple(rows.select(pl.coalesce("loan_id", "trade_id")).to_series().head(EXAMPLES)))
        for rule, rows in found
    )
