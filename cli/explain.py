"""`powerfill explain`: why a loan went where it did."""

import asyncio
from typing import Annotated

import typer
from powerfill.run.v1.run_service_pb2 import ExplainLoanResponse

from cli import arguments
from cli.clients import Target, run_client
from cli.console import print_json, say, stdout
from cli.wire import message_json

app = typer.Typer()


@app.command()
def explain(
    tenant_id: arguments.TenantId,
    loan_id: Annotated[str, typer.Argument(metavar="LOAN", help="The loan.", show_default=False)],
    run_id: arguments.RunOption = "",
    server: arguments.Server = "",
    local: arguments.Local = False,
    registry: arguments.Registry = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Explain why a loan went to its trade, or why it was left out.

    Servers of this version answer that it is not available yet; `powerfill report kickouts` has every loan's reason.

    Example: powerfill explain demo L000042
    """
    explained = asyncio.run(_explain(Target.of(server=server, local=local, registry=registry), tenant_id, loan_id, run_id))
    if as_json:
        print_json(message_json(explained))
    else:
        say(stdout(), explained.explanation)


async def _explain(target: Target, tenant_id: str, loan_id: str, run_id: str) -> ExplainLoanResponse:
    async with run_client(target, tenant_id) as client:
        return await client.explain(loan_id, run_id)
