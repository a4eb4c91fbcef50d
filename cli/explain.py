"""`powerfill explain`: why a loan went where it did."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import typer
from powerfill.run.v1.explanation_pb2 import Verdict
from powerfill.run.v1.run_service_pb2 import Candidate, ExplainLoanResponse

from cli import arguments
from cli.clients import Target, run_client
from cli.console import count, money, number, print_json, say, stdout
from cli.text_table import Column, print_table
from cli.wire import as_date, message_json, word

DEFAULT_LIMIT = 10

IMPORTANCE = (
    "rank", "trade", "net score", "advantage", "verdict", "space left", "room value", "constraint", "settles", "instrument",
    "score", "price", "carry",
)  # fmt: skip
"""Columns of the candidates, the most important first."""

app = typer.Typer()


@app.command()
def explain(
    tenant_id: arguments.TenantId,
    loan_id: Annotated[str, typer.Argument(metavar="LOAN", help="The loan.", show_default=False)],
    run_id: arguments.RunOption = "",
    limit: Annotated[int, typer.Option(min=0, help="At most so many candidates, the best; 0: all.")] = DEFAULT_LIMIT,
    server: arguments.Server = "",
    local: arguments.Local = False,
    registry: arguments.Registry = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Explain why a loan went to its trade and what beat its better options, or why it was left out and what would have helped.

    The answer comes from the inputs that the run stored, not from what the lender's tables hold by now. --json has all of it.

    Example: powerfill explain demo L000042 --limit 5
    """
    explained = asyncio.run(_explain(Target.of(server=server, local=local, registry=registry), tenant_id, loan_id, run_id))
    if as_json:
        print_json(message_json(explained))
    else:
        _print(explained, limit)


async def _explain(target: Target, tenant_id: str, loan_id: str, run_id: str) -> ExplainLoanResponse:
    async with run_client(target, tenant_id) as client:
        return await client.explain(loan_id, run_id)


def _print(explained: ExplainLoanResponse, limit: int) -> None:
    console = stdout()
    headline, *paragraphs = explained.explanation.split("\n\n")
    say(console, headline, style="bold")
    say(console, f"run {explained.run_id}", style="dim")
    for paragraph in paragraphs:
        say(console)
        for line in paragraph.splitlines():
            say(console, line)
    if not explained.candidates:
        return
    shown = explained.candidates[: limit or None]
    say(console)
    hidden = print_table(console, _columns(shown), IMPORTANCE, width=console.width)
    if len(shown) < len(explained.candidates):
        say(console, f"{count(len(shown))} of {count(len(explained.candidates))} candidates; --limit 0 shows all")
    if hidden:
        say(console, f"hidden for want of room ({len(hidden)}): {', '.join(hidden)}; --json has them", style="dim")


def _columns(candidates: Sequence[Candidate]) -> list[Column]:
    def figures(name: str, values: Sequence[Any]) -> Column:
        return Column(name, [_points(value) for value in values], is_figure=True)

    standings = [candidate.standing for candidate in candidates]
    return [
        Column("rank", [count(candidate.rank) for candidate in candidates], is_figure=True),
        Column("trade", [candidate.trade_id for candidate in candidates]),
        Column("instrument", [candidate.investor_instrument for candidate in candidates]),
        Column("settles", [str(as_date(candidate.settlement_date)) for candidate in candidates]),
        Column("constraint", [candidate.constraint_id for candidate in candidates]),
        figures("price", [candidate.price for candidate in candidates]),
        figures("carry", [candidate.carry for candidate in candidates]),
        figures("score", [candidate.score for candidate in candidates]),
        figures("net score", [candidate.net_score for candidate in candidates]),
        figures("advantage", [standing.advantage for standing in standings]),
        Column("verdict", [word(Verdict.DESCRIPTOR, standing.verdict) for standing in standings]),
        Column("space left", [money(standing.space_left.value) for standing in standings], is_figure=True),
        figures("room value", [standing.room_value if standing.HasField("room_value") else None for standing in standings]),
    ]


def _points(value: Any) -> str:
    """A decimal of a message as people read it; empty where it is not set."""
    return "" if value is None else number(Decimal(value.value))
