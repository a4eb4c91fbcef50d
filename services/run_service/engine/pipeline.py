"""The run, from its inputs to its outputs: six steps in the order of the operations manual.

Pure: frames in, frames out, progress through a callback, stop through a criterion. No I/O, no clock.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

import polars as pl

from services.run_service.domain.findings import Code, Finding, warning
from services.run_service.domain.options import RunOptions
from services.run_service.domain.run import Step
from services.run_service.engine.book import Book
from services.run_service.engine.frames import OUTPUT_TABLES, RunInputs
from services.run_service.engine.ledger import Ledger
from services.run_service.engine.opening import open_book
from services.run_service.engine.optimise.problem import pose, price_locks
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.progress import IMPROVE, Progress
from services.run_service.engine.result import RunResult
from services.run_service.engine.steps.allocation import allocate, refuse_limits
from services.run_service.engine.steps.candidates import build_candidates
from services.run_service.engine.steps.cash_grids import cash_slots
from services.run_service.engine.steps.pool_guide import guide_pools
from services.run_service.engine.steps.settle_and_price import cash_market_map, trade_base
from services.run_service.engine.steps.unconstrained import unconstrained_execution
from services.run_service.engine.stop import Stop
from services.run_service.engine.summary import summarise
from services.run_service.engine.tables.allocation_guide import allocation_guide
from services.run_service.engine.tables.candidates import candidate_table
from services.run_service.engine.tables.constraint_blocks import constraint_blocks
from services.run_service.engine.tables.existing_disposition import existing_disposition
from services.run_service.engine.tables.kickouts import kickouts
from services.run_service.engine.tables.log import RunLog
from services.run_service.engine.tables.pool_rows import pool_rows
from services.run_service.engine.tables.pooling_guide import pooling_guide
from services.run_service.engine.tables.trade_recap import trade_recap

STEPS = (
    Step.BX_CASH_GRIDS,  # 1. price every loan on every cash trade's grid, if a floor is asked for
    Step.BX_SETTLE_AND_PRICE,  # 2. band, settlement and base price of every trade; cash market map
    Step.CANDIDATE_BUILDER,  # 3. every (loan, trade) that passes the filters
    Step.ALLOCATION,  # 4. which loan goes to which trade
    Step.POOL_GUIDE,  # 5. which pool it joins, keeps or leaves
    Step.UE,  # 6. every loan against every synthetic trade
)


def run_pipeline(inputs: RunInputs, options: RunOptions, progress: Progress, stop: Stop) -> RunResult:
    """Execute a run.

    Raises InputError for tables that make a run impossible, NotYet for what this version cannot decide, RunCancelledError at
    the next checkpoint after a cancel.
    """
    log = RunLog()
    report = _Reporter(progress, log)
    book = open_book(inputs, options, report.warning, stop)
    refuse_limits(book.tables["pfill_limits"])
    pricer = Pricer(book)

    stop.checkpoint()
    if options.bx_price_floor is None:
        report.skipped(Step.BX_CASH_GRIDS, "no bx_price_floor")
        slots = cash_slots(book, pricer, stop)
    else:
        report.started(Step.BX_CASH_GRIDS)
        slots = cash_slots(book, pricer, stop)
        report.completed(Step.BX_CASH_GRIDS, len(slots))

    report.started(Step.BX_SETTLE_AND_PRICE)
    base = trade_base(book)
    market_map = cash_market_map(book, pricer, slots)
    report.completed(Step.BX_SETTLE_AND_PRICE, len(base) + len(market_map))

    report.started(Step.CANDIDATE_BUILDER)
    candidates, synthetic, reach = build_candidates(book, pricer, progress, stop)
    report.completed(Step.CANDIDATE_BUILDER, len(candidates))

    report.started(Step.ALLOCATION)
    locks = price_locks(book, pricer)
    problem = pose(book, candidates, synthetic, locks, stop)
    decision = allocate(book, problem, locks, report, stop)
    ledger = Ledger(book, pricer, candidates, synthetic, reach, problem, locks, decision)
    _warn_of_overfilling(ledger, report)
    report.completed(Step.ALLOCATION, int((ledger.trade >= 0).sum()))

    stop.checkpoint()
    report.started(Step.POOL_GUIDE)
    pools = guide_pools(book, ledger.trade)
    stop.checkpoint()
    pool_guide = pool_rows(ledger, pools)
    report.completed(Step.POOL_GUIDE, len(pool_guide))

    stop.checkpoint()
    report.started(Step.UE)
    unconstrained = unconstrained_execution(ledger, stop)
    _tell_of_synthetic(book, unconstrained.best, report)
    report.completed(Step.UE, len(unconstrained.best))

    by_constraint, by_trade_and_constraint = constraint_blocks(ledger)
    makers: Mapping[str, Callable[[], pl.DataFrame]] = {
        "pfill_cash_market_map": lambda: market_map,
        "pfill_loan2trade_candy_level_01": lambda: candidate_table(ledger, stop),
        "pfill_powerfill_guide": lambda: allocation_guide(ledger, pools),
        "pfill_kickout_guide_01": lambda: kickouts(ledger, stop),
        "pfill_trade_base": lambda: trade_recap(ledger, pools, base),
        "pfill_cblock_guide": lambda: by_constraint,
        "pfill_trade_cblock_base": lambda: by_trade_and_constraint,
        "pfill_pool_guide": lambda: pool_guide,
        "pfill_existing_disposition": lambda: existing_disposition(ledger, pools),
        "pfill_pooling_guide": lambda: pooling_guide(ledger, pools),
        "pfill_syn_trade_base": lambda: unconstrained.trades,
        "pfill_syn_powerfill_guide_all_rank": lambda: unconstrained.ranks,
        "pfill_syn_powerfill_guide": lambda: unconstrained.best,
        "pfill_powerfill_log": log.table,
    }
    tables = {}
    for name, make in makers.items():
        stop.checkpoint()
        tables[name] = _finished(name, make())
    return RunResult(tables, summarise(ledger, tables), book.loans.frame["loan_id"])


class _Reporter(Progress):
    """Passes on what happens, and keeps the run log: warnings, passes and what a step has to say."""

    def __init__(self, progress: Progress, log: RunLog) -> None:
        self.progress, self.log = progress, log
        self.step = Step.READ_INPUTS

    def started(self, step: Step) -> None:
        """A step begins; warnings from here on are its own."""
        self.step = step
        self.progress.step_started(step)

    def completed(self, step: Step, row_count: int) -> None:
        """A step ended well."""
        self.progress.step_completed(step, row_count)

    def skipped(self, step: Step, reason: str) -> None:
        """A step was not needed."""
        self.progress.step_skipped(step, reason)

    def warning(self, finding: Finding) -> None:
        """A finding, logged and passed on."""
        self.log.warned(self.step, finding)
        self.progress.warning(finding)

    def pass_completed(self, name: str, value: Decimal, upper_bound: Decimal | None, allocated_count: int) -> None:
        """A pass; those of the improvement phase depend on the clock and are not logged."""
        if name != IMPROVE:
            self.log.passed(name, value, allocated_count)
        self.progress.pass_completed(name, value, upper_bound, allocated_count)


def _warn_of_overfilling(ledger: Ledger, report: _Reporter) -> None:
    trades = ledger.book.trades
    over = trades.ids.filter(pl.Series(ledger.fill > trades.hi)).to_list()
    if over:
        message = "lockdowns alone fill these trades beyond their band"
        report.warning(warning(Code.OVERFILLED_BY_LOCKS, "pfill_lockdown", message, over, "release some of the lockdowns"))


def _tell_of_synthetic(book: Book, best: pl.DataFrame, report: _Reporter) -> None:
    if len(book.synthetic.frame):
        report.log.wrote(Step.UE, "synthetic trades", f"{len(book.synthetic.frame)} synthetic trades ranked", len(best))
        return
    message = "no today's price settles within the window: no synthetic trades"
    report.warning(warning(Code.NO_SYNTHETIC_PRICES, "rmcat_todays_prices", message, [], "load today's prices"))


def _finished(name: str, table: pl.DataFrame) -> pl.DataFrame:
    """A table, whose rows come sorted by key, with exactly its columns and types."""
    return table.select(pl.col(column).cast(dtype) for column, dtype in OUTPUT_TABLES[name].items())
