"""Whether the reports of an export agree with each other and with the tables that the run read."""

import json
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import polars as pl

POOLED = ("TBA", "SPEC")
SIDES = ("SWAPPED_OUT", "SWAPPED_IN")
STAYING = ("LOCKED", "JOINING", "REMAINING")
"""Actions whose loans a pool of the pooling guide holds without a switch."""
CENT = Decimal("0.01")

Frames = Mapping[str, pl.DataFrame]


def disagreements(tables: Path, export: Path) -> list[str]:
    """A sentence for every disagreement; none where all agree."""
    run = json.loads((export / "run.json").read_text())
    reports = {path.stem: pl.read_parquet(path) for path in export.glob("*.parquet")}
    return [
        *recap_and_guide(reports),
        *opportunity_costs(reports["kickouts"], run["options"]),
        *switches(reports),
        *pools(reports, pl.read_parquet(tables / "pscat_instruments.parquet")),
        *candidates(reports),
        *dispositions(reports, tables),
        *synthetic(reports),
        *constraint_blocks(reports, run["summary"]),
    ]


def recap_and_guide(reports: Frames) -> Iterator[str]:
    """Every allocated loan is in the recap of its trade but those locked to a trade outside the window."""
    guide, recap = reports["allocation_guide"], reports["trade_recap"]
    outside = guide.join(recap, on="trade_id", how="anti")
    yield from differ("loans outside the recap that are locked", outside.height, int(outside["locked"].sum()))
    inside = guide.join(recap, on="trade_id", how="semi")
    got = inside.group_by("trade_id").agg(pl.len().cast(pl.Int64), pl.col("loan_amount").cast(pl.Decimal(20, 2)).sum())
    told = recap.filter(pl.col("allocated_count") > 0).select("trade_id", "allocated_count", "allocated_amount")
    yield from differ("allocated loans and amount by trade", rows(got), rows(told))


def opportunity_costs(kickouts: pl.DataFrame, options: Mapping[str, Any]) -> Iterator[str]:
    """amount * max(0, best_score - fallback) / 100, by the figures of the row and the options."""
    spread, discount = Decimal(options["synthetic_spread"]), Decimal(options["unsold_discount"])
    for row in kickouts.iter_rows(named=True):
        best, sold = row["best_score"], row["syn_score"]
        cost = None
        if best is not None:
            fallback = best - discount if sold is None else sold - spread
            cost = (row["loan_amount"] * max(Decimal(0), best - fallback) / 100).quantize(CENT, ROUND_HALF_UP)
        yield from differ(f"opportunity cost of {row['loan_id']}", row["opportunity_cost"], cost)


def switches(reports: Frames) -> Iterator[str]:
    """The two sides of every switch mirror each other, and the loans are those that switch in the allocation guide."""
    out, into = (reports["pool_switching"].filter(pl.col("side") == side) for side in SIDES)
    mirrored = ("switch_id", "loan_id", "loan_amount", "pool", "other_pool", "trade_id", "other_trade_id", "gain")
    turned = ("switch_id", "loan_id", "loan_amount", "other_pool", "pool", "other_trade_id", "trade_id", "gain")
    yield from differ("sides of switches", rows(out.select(mirrored)), rows(into.select(turned)))
    switching = reports["allocation_guide"].filter(pl.col("pool_action") == "SWITCHING")
    yield from differ("loans that switch", set(out["loan_id"]), set(switching["loan_id"]))


def pools(reports: Frames, instruments: pl.DataFrame) -> Iterator[str]:
    """Each pool's loans and amount are those the allocation guide recommends it for; what is swapped out is swapped in."""
    guide, pooling = reports["allocation_guide"], reports["pooling_guide"]
    pooled = guide.join(instruments.filter(pl.col("kind").is_in(POOLED)), on="investor_instrument", how="semi")
    yield from differ("pooled loans with a pool", pooled.height, guide["recommended_pool"].drop_nulls().len())
    got = pooled.group_by("recommended_pool").agg(pl.len().cast(pl.Int64), pl.col("loan_amount").cast(pl.Decimal(20, 2)).sum())
    told = pooling.filter(pl.col("loan_count") > 0).select("pool", "loan_count", "amount")
    yield from differ("loans and amount by pool", rows(got), rows(told))
    for action in STAYING:
        mine = pooled.filter(pl.col("pool_action") == action)
        yield from differ(f"{action} loans", mine.height, pooling[f"{action.lower()}_count"].sum())
    for what in ("count", "amount"):
        total = {side: Decimal(str(pooling[f"{side}_{what}"].sum())) for side in ("swapped_out", "swapped_in", "switching")}
        yield from differ(f"{what} swapped out and in", total["swapped_out"], total["swapped_in"])
        yield from differ(f"{what} switching", total["switching"], total["swapped_out"] + total["swapped_in"])


def candidates(reports: Frames) -> Iterator[str]:
    """Candidates that are taken are allocations, and the first of a loan has the best score that the guides tell."""
    taken = reports["pool_candidates"].filter("taken")
    pairs = ("loan_id", "trade_id", "price", "carry", "score")
    allocated = reports["allocation_guide"].join(taken.select("loan_id"), on="loan_id", how="semi")
    yield from differ("taken candidates", rows(taken.select(pairs)), rows(allocated.select(pairs)))
    first = reports["pool_candidates"].filter(pl.col("rank") == 1).select("loan_id", "score")
    told = [reports[name].select("loan_id", "best_score").drop_nulls() for name in ("allocation_guide", "kickouts")]
    yield from differ("best scores", rows(first), rows(pl.concat(told)))


def dispositions(reports: Frames, tables: Path) -> Iterator[str]:
    """A row for every posting of a known loan to a known pool; the recommendation is that of the allocation guide."""
    loans, posted, known = (pl.read_parquet(tables / f"{name}.parquet") for name in ("loan", "pscat_pool_loans", "pscat_pools"))
    complete = posted.drop_nulls(["pool_name", "loan_id", "posted_date"]).join(loans, on="loan_id", how="semi")
    there = complete.join(known.drop_nulls(["pool_name", "pool_status"]), on="pool_name", how="semi")
    disposition = reports["existing_disposition"]
    yield from differ(
        "postings", set(there.select("loan_id", "pool_name").rows()), set(disposition.select("loan_id", "pool").rows())
    )
    told = disposition.drop_nulls("recommended_trade_id").select("loan_id", "recommended_trade_id", "recommended_pool").unique()
    got = reports["allocation_guide"].join(told, on="loan_id", how="semi").select("loan_id", "trade_id", "recommended_pool")
    yield from differ("recommendations of posted loans", rows(told), rows(got))


def synthetic(reports: Frames) -> Iterator[str]:
    """The best synthetic trade is the one that the guides tell, and the uplift is over what the loan got."""
    opportunities = reports["synthetic_opportunities"]
    names = ("loan_id", "syn_trade_id", "syn_score")
    told = pl.concat([reports[name].select(names).drop_nulls() for name in ("allocation_guide", "kickouts")])
    yield from differ("best synthetic trades", rows(opportunities.select(names)), rows(told))
    wrong = opportunities.drop_nulls("score").filter(pl.col("uplift") != pl.col("syn_score") - pl.col("score"))
    yield from differ("uplifts that are not syn_score - score", wrong.height, 0)


def constraint_blocks(reports: Frames, summary: Mapping[str, Any]) -> Iterator[str]:
    """What constraints allocated is what no lockdown placed; their candidates are all there are."""
    blocks, guide = reports["constraint_blocks"], reports["allocation_guide"].filter(~pl.col("locked"))
    yield from differ("candidates of constraints", blocks["candidate_count"].sum(), int(summary["candidate_count"]))
    got = guide.group_by("constraint_id", "trade_id").agg(
        pl.len().cast(pl.Int64), pl.col("loan_amount").cast(pl.Decimal(20, 2)).sum()
    )
    names = ("constraint_id", "trade_id", "allocated_count", "allocated_amount")
    yield from differ(
        "allocations by constraint and trade", rows(got), rows(blocks.filter(pl.col("allocated_count") > 0).select(names))
    )


def rows(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The rows in an order of their own; empty texts are unset."""
    return sorted((tuple(cell or None for cell in row) for row in frame.iter_rows()), key=repr)


def differ(what: str, one: Any, other: Any) -> Iterator[str]:
    """The sentence, where the two differ."""
    if one == other:
        return
    if isinstance(one, list) and isinstance(other, list):
        here, there = [row for row in one if row not in other][:2], [row for row in other if row not in one][:2]
        yield f"{what}: {here} against {there}"
    elif isinstance(one, set) and isinstance(other, set):
        yield f"{what}: {sorted(one - other)[:2]} against {sorted(other - one)[:2]}"
    else:
        yield f"{what}: {one} against {other}"
