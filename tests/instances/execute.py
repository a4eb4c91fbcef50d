"""Runs the engine on an instance and answers what tests ask about the result."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from services.run_service.domain.findings import Finding
from services.run_service.domain.options import parse_options
from services.run_service.engine.book import Book
from services.run_service.engine.frames import RunInputs
from services.run_service.engine.ledger import Ledger
from services.run_service.engine.opening import open_book
from services.run_service.engine.optimise.problem import AllocationProblem, pose, price_locks
from services.run_service.engine.pairs import Candidates, SyntheticCandidates
from services.run_service.engine.pipeline import run_pipeline
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.progress import Progress
from services.run_service.engine.reach import Reach
from services.run_service.engine.result import RunResult
from services.run_service.engine.steps.allocation import allocate
from services.run_service.engine.steps.candidates import build_candidates
from services.run_service.engine.stop import Stop
from tests.instances.rows import AS_OF

Fields = dict[str, Any]


@dataclass(frozen=True)
class Ran:
    """A run's result and the findings it told."""

    result: RunResult
    findings: list[Finding]

    @property
    def summary(self) -> Fields:
        """The run summary."""
        return self.result.summary

    def table(self, name: str) -> pl.DataFrame:
        """An output table; the prefix `pfill_` may be left out."""
        return self.result.tables[name if name.startswith("pfill_") else f"pfill_{name}"]

    def rows(self, name: str, **where: object) -> list[Fields]:
        """The rows of an output table whose columns have these values."""
        found = self.table(name)
        for column, value in where.items():
            found = found.filter(pl.col(column) == value)
        return list(found.iter_rows(named=True))

    def row(self, name: str, **where: object) -> Fields:
        """The only row of an output table whose columns have these values."""
        (only,) = self.rows(name, **where)
        return only

    @property
    def placement(self) -> dict[str, str]:
        """The trade of each allocated loan."""
        guide = self.table("powerfill_guide")
        return dict(zip(guide["loan_id"], guide["trade_id"], strict=True))

    @property
    def passes(self) -> dict[str, str]:
        """The pass that placed each allocated loan."""
        guide = self.table("powerfill_guide")
        return dict(zip(guide["loan_id"], guide["pass"], strict=True))

    @property
    def reasons(self) -> dict[str, str]:
        """The reason of each kickout."""
        kickouts = self.table("kickout_guide_01")
        return dict(zip(kickouts["loan_id"], kickouts["reason"], strict=True))

    @property
    def value(self) -> Decimal:
        """Dollars."""
        return Decimal(self.summary["value"])

    def allocated(self, loan_id: str) -> Fields:
        """The row of the allocation guide for a loan."""
        return self.row("powerfill_guide", loan_id=loan_id)

    def kickout(self, loan_id: str) -> Fields:
        """The row of the kickouts for a loan."""
        return self.row("kickout_guide_01", loan_id=loan_id)

    def recap(self, trade_id: str) -> Fields:
        """The row of the trade recap for a trade."""
        return self.row("trade_base", trade_id=trade_id)

    def candidate(self, loan_id: str, trade_id: str) -> Fields:
        """The stored candidate of a loan on a trade."""
        return self.row("loan2trade_candy_level_01", loan_id=loan_id, trade_id=trade_id)

    def told(self, code: str, subject: str | None = None) -> list[Finding]:
        """The findings of a code, about a subject."""
        return [found for found in self.findings if found.code == code and subject in (None, found.subject)]


class _Findings(Progress):
    def __init__(self) -> None:
        self.found: list[Finding] = []

    def warning(self, finding: Finding) -> None:
        self.found.append(finding)


def run(inputs: RunInputs, **options: object) -> Ran:
    """Execute a run by the clock's absence: options as in specification 01 section 5, PASSES unless they say otherwise."""
    given = {"strategy": "PASSES", "time_limit": None, **options}
    findings = _Findings()
    return Ran(run_pipeline(inputs, parse_options(given, AS_OF), findings, Stop()), findings.found)


def posed(inputs: RunInputs, **options: object) -> AllocationProblem:
    """The allocation problem of an instance: candidates in order of loan and trade."""
    book = open_book(inputs, parse_options(options, AS_OF), lambda finding: None, Stop())
    pricer = Pricer(book)
    candidates, synthetic, _ = build_candidates(book, pricer, Progress(), Stop())
    return pose(book, candidates, synthetic, price_locks(book, pricer), Stop())


def ledger_of(inputs: RunInputs, **options: object) -> Ledger:
    """Steps 1 to 4 of a run of an instance, PASSES unless the options say otherwise."""
    chosen = parse_options({"strategy": "PASSES", "time_limit": None, **options}, AS_OF)
    book = open_book(inputs, chosen, lambda finding: None, Stop())
    pricer = Pricer(book)
    candidates, synthetic, reach = build_candidates(book, pricer, Progress(), Stop())
    locks = price_locks(book, pricer)
    problem = pose(book, candidates, synthetic, locks, Stop())
    return Ledger(book, pricer, candidates, synthetic, reach, problem, locks, allocate(book, problem, locks, Progress(), Stop()))


@dataclass(frozen=True)
class Built:
    """What step 3 made of an instance."""

    book: Book
    pricer: Pricer
    candidates: Candidates
    synthetic: SyntheticCandidates
    reach: Reach


def built(
    inputs: RunInputs, block_loans: int = 100, stop: Stop | None = None, progress: Progress | None = None, **options: object
) -> Built:
    """Step 3 on an instance, loans in blocks of that many."""
    book = open_book(inputs, parse_options(options, AS_OF), lambda finding: None, Stop())
    pricer = Pricer(book)
    return Built(book, pricer, *build_candidates(book, pricer, progress or Progress(), stop or Stop(), block_loans))
