"""`powerfill validate`: another system's allocation against every hard rule, and beside a run."""

import asyncio
import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.run.v1.run_service_pb2 import ValidateAllocationResponse
from powerfill.run.v1.validation_pb2 import DifferenceReason, HardRule, LoanDifference, PriceDifference

from cli import arguments
from cli.allocation_file import AllocationFile, read_allocation
from cli.clients import Target, run_client
from cli.console import count, figures, money, number, print_json, say, stderr, stdout
from cli.exit_codes import OF_A_VALIDATION, ExitCode
from cli.text_table import Column, print_table
from cli.whole_files import whole_file
from cli.wire import message_json, word
from services.report_service.export.csv import harmless

SHOWN = 10
"""Differences of either kind that a terminal shows."""

EXAMPLES_A_RULE = 3
LISTED = 200
"""What is asked for where only examples are shown."""

LISTED_AS_JSON, LISTED_IN_A_FILE = 10_000, 200_000

app = typer.Typer()


@app.command(epilog=OF_A_VALIDATION)
def validate(
    tenant_id: arguments.TenantId,
    allocation: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="CSV or Parquet with loan_id, trade_id and optionally price (points).", show_default=False
        ),
    ],
    run_id: arguments.RunOption = "",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the differences, loan by loan, to this CSV file.", show_default=False),
    ] = None,
    server: arguments.Server = "",
    local: arguments.Local = False,
    registry: arguments.Registry = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Check the allocation of another system against every hard rule, value it, and compare it with a run, loan by loan.

    Prices, rules and options are those of the run, whatever the lender's tables say today. A row without a trade_id is a loan
    that is left out.

    Example: powerfill validate demo --allocation present-system.csv --out differences.csv
    """
    given = read_allocation(allocation)
    target = Target.of(server=server, local=local, registry=registry)
    listed = LISTED_IN_A_FILE if out else LISTED_AS_JSON if as_json else LISTED
    verdict = asyncio.run(_validate(target, tenant_id, given, run_id, listed))
    if as_json:
        print_json(message_json(verdict))
    else:
        print_verdict(allocation, given, verdict)
    if out:
        with whole_file(out) as file:
            file.write(csv_of(verdict.differences))
        shown = f"{count(len(verdict.differences))} of {count(verdict.difference_count)}"
        say(stderr(), f"{shown} differences in {out}")
    raise typer.Exit(ExitCode.RULE_BROKEN if verdict.violation_count else ExitCode.DONE)


async def _validate(
    target: Target, tenant_id: str, given: AllocationFile, run_id: str, listed: int
) -> ValidateAllocationResponse:
    async with run_client(target, tenant_id) as client:
        return await client.validate(given.messages(run_id, listed))


def print_verdict(path: Path, given: AllocationFile, verdict: ValidateAllocationResponse) -> None:
    """What it is worth beside the run, the rules it breaks, and the largest differences."""
    console = stdout()
    judged = f"breaks no rule and is worth {_against_run(verdict, verdict.value)}"
    if verdict.violation_count:
        rules = _number_of(len(verdict.violations), "rule")
        judged = f"breaks {rules}; without those placements it is worth {_against_run(verdict, verdict.value_of_allowed)}"
    say(console, f"{path} {judged} run {verdict.run_id}", style="bold")
    for line in figures(_totals(given, verdict)):
        say(console, line)
    _print_violations(given, verdict)
    _print_differences(verdict)
    _print_prices(verdict)


def _totals(given: AllocationFile, verdict: ValidateAllocationResponse) -> list[tuple[str, str]]:
    without = f" ({_number_of(given.left_out_count, 'row')} without a trade)" if given.left_out_count else ""
    rows = [
        ("placed", f"{_number_of(verdict.placed_count, 'loan')} there{without}, {count(verdict.run_placed_count)} in the run"),
        ("value there", f"{money(verdict.value.value)}{_under_bound(verdict, 'gap_amount', 'gap_bp')}"),
    ]
    if verdict.violation_count:
        rows.append(("without what breaks rules", money(verdict.value_of_allowed.value)))
    parts = f"loans {money(verdict.loan_difference.value)}, pair-off {money(verdict.pair_off_difference.value)}"
    rest = f", rounding {money(verdict.rounding.value)}" if Decimal(verdict.rounding.value) else ""
    rows += [
        ("value of the run", f"{money(verdict.run_value.value)}{_under_bound(verdict, 'run_gap_amount', 'run_gap_bp')}"),
        (
            "difference",
            f"{money(verdict.value_difference.value)}, {_bp(Decimal(verdict.value_difference_bp.value))}: {parts}{rest}",
        ),
    ]
    if verdict.HasField("upper_bound"):
        rows.append(("upper bound", money(verdict.upper_bound.value)))
    return rows


def _against_run(verdict: ValidateAllocationResponse, value: DecimalMessage) -> str:
    ahead = Decimal(value.value) - Decimal(verdict.run_value.value)
    return f"{money(abs(ahead))} {'less' if ahead < 0 else 'more'} than" if ahead else "as much as"


def _number_of(number: int, what: str) -> str:
    return f"{count(number)} {what}{'' if number == 1 else 's'}"


def _under_bound(verdict: ValidateAllocationResponse, amount: str, bp: str) -> str:
    if not verdict.HasField(amount):  # type: ignore[arg-type]  # the names are fields
        return ""
    gap = Decimal(getattr(verdict, amount).value)
    where = "over" if gap < 0 else "under"
    return f", {money(abs(gap))} {where} the upper bound ({_bp(abs(Decimal(getattr(verdict, bp).value)))})"


def _bp(value: Decimal) -> str:
    return f"{number(value)} bp of the balance in scope"


def _print_violations(given: AllocationFile, verdict: ValidateAllocationResponse) -> None:
    console = stdout()
    if not verdict.violation_count:
        return
    say(console)
    say(console, "rules broken", style="bold")
    details: dict[str, list[str]] = {}
    for one in verdict.violation_details:
        place = f"row {given.rows[one.position]}: " if one.HasField("position") else ""
        what = ", ".join(filter(None, (one.loan_id, one.trade_id)))
        details.setdefault(word(HardRule.DESCRIPTOR, one.rule), []).append(f"{place}{what}: {one.message}")
    for finding in verdict.violations:
        say(console, f"  {finding.code}: {count(finding.count)} {finding.message}; {finding.remedy}")
        for line in details.get(finding.code, [])[:EXAMPLES_A_RULE]:
            say(console, f"    {line}", style="dim")


def _print_differences(verdict: ValidateAllocationResponse) -> None:
    console = stdout()
    say(console)
    if not verdict.difference_count:
        say(console, "every loan is where the run has it", style="bold")
        return
    say(console, f"{count(verdict.difference_count)} loans are not where the run has them", style="bold")
    totals = verdict.difference_totals
    reasons = [
        Column("reason", [word(DifferenceReason.DESCRIPTOR, total.reason) for total in totals]),
        Column("loans", [count(total.count) for total in totals], is_figure=True),
        Column("difference", [money(total.difference.value) for total in totals], is_figure=True),
    ]
    print_table(console, reasons)
    say(console)
    rows = verdict.differences[:SHOWN]
    say(
        console, f"the {len(rows)} largest, there less here" if len(rows) > 1 else "the difference, there less here", style="bold"
    )
    hidden = print_table(
        console, _difference_columns(rows), ("loan", "there", "here", "difference", "reason"), width=console.width
    )
    _say_hidden(hidden)


def _difference_columns(rows: Sequence[LoanDifference]) -> list[Column]:
    return [
        Column("loan", [row.loan_id for row in rows]),
        Column("amount", [money(row.loan_amount.value) for row in rows], is_figure=True),
        Column("there", [row.trade_id or "-" for row in rows]),
        Column("here", [row.run_trade_id or "-" for row in rows]),
        Column("points there", [number(Decimal(row.points.value)) for row in rows], is_figure=True),
        Column("points here", [number(Decimal(row.run_points.value)) for row in rows], is_figure=True),
        Column("difference", [money(row.difference.value) for row in rows], is_figure=True),
        Column("reason", [word(DifferenceReason.DESCRIPTOR, row.reason) for row in rows]),
        Column("detail", [row.detail for row in rows]),
    ]


def _print_prices(verdict: ValidateAllocationResponse) -> None:
    console = stdout()
    if not verdict.compared_price_count:
        return
    say(console)
    if not verdict.price_difference_count:
        say(console, f"all {count(verdict.compared_price_count)} prices are PowerFill's", style="bold")
        return
    differ = f"{count(verdict.price_difference_count)} of {count(verdict.compared_price_count)} prices differ"
    say(console, f"{differ}, by {money(verdict.price_difference_dollars.value)}: there less here", style="bold")
    rows = verdict.price_differences[:SHOWN]
    _say_hidden(print_table(console, _price_columns(rows), width=console.width))


def _price_columns(rows: Sequence[PriceDifference]) -> list[Column]:
    return [
        Column("loan", [row.loan_id for row in rows]),
        Column("trade", [row.trade_id for row in rows]),
        Column("there", [number(Decimal(row.price.value)) for row in rows], is_figure=True),
        Column("here", [number(Decimal(row.run_price.value)) for row in rows], is_figure=True),
        Column("points", [number(Decimal(row.difference.value)) for row in rows], is_figure=True),
        Column("dollars", [money(row.dollars.value) for row in rows], is_figure=True),
    ]


def _say_hidden(hidden: Sequence[str]) -> None:
    if hidden:
        say(stdout(), f"hidden for want of room ({len(hidden)}): {', '.join(hidden)}; --json has them", style="dim")


def csv_of(differences: Sequence[LoanDifference]) -> bytes:
    """The differences with every field: no text of a lender's can be taken for a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    names = list(LoanDifference.DESCRIPTOR.fields_by_name)
    writer.writerow(names)
    texts = ("loan_id", "trade_id", "run_trade_id", "detail")
    for row in differences:
        told = message_json(row)
        writer.writerow([harmless(told[name]) if name in texts else told[name] for name in names])
    return text.getvalue().encode()
