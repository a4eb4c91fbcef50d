"""Of constraints that all refuse a loan, the one that comes closest to taking it, and what it asks for."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from services.run_service.domain.rules import Rule, compile_rule, conditions_of_conjunction, describe
from services.run_service.engine.book import Book, gather
from shared.money import Int64Array


def nearest_constraint(book: Book, loans: Int64Array, constraints: Iterable[int]) -> tuple[Int64Array, pl.Series]:
    """Of each of these loans the constraint of whose rule the fewest parts fail, and in words the first part that does.

    Loans and constraints (in policy order, the first of equally close ones counts) are indices of the book; no constraint takes
    any of the loans. -1 and null where there is no constraint.
    """
    frame = book.loans.frame[loans]
    fewest = np.full(len(loans), np.iinfo(np.int32).max, dtype=np.int64)
    nearest, text = np.full(len(loans), -1, dtype=np.int64), np.full(len(loans), -1, dtype=np.int64)
    texts: list[str] = []
    first_of_rule = {book.constraints[number].rule_name: number for number in reversed([*constraints])}
    for rule_name, number in sorted(first_of_rule.items(), key=lambda item: item[1]):
        rule = book.rules[rule_name]
        failing, first = _failing(rule, frame)
        closer = failing < fewest
        fewest = np.where(closer, failing, fewest)
        nearest[closer] = number
        text[closer] = first[closer] + len(texts)
        texts += [describe(condition) for condition in conditions_of_conjunction(rule)]
    return nearest, gather(pl.Series(texts, dtype=pl.String), text, "failed_condition")


def _failing(rule: Rule, frame: pl.DataFrame) -> tuple[Int64Array, Int64Array]:
    """How many parts of a rule each loan fails, and the first of them."""
    conditions = conditions_of_conjunction(rule)
    passed = frame.select(compile_rule(condition).alias(str(k)) for k, condition in enumerate(conditions)).to_numpy()
    return (~passed).sum(axis=1).astype(np.int64), np.argmin(passed, axis=1).astype(np.int64)
