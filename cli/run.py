"""`powerfill run`: a run, and its end."""

import asyncio
from typing import Annotated

import typer
from powerfill.common.v1.run_options_pb2 import RunOptions

from cli import arguments, run_options
from cli.clients import Target, run_client
from cli.console import print_json
from cli.displays import display_for
from cli.exit_codes import OF_A_RUN, ExitCode
from cli.follow import execute
from cli.run_summary import EXIT_CODES, print_run
from cli.wire import run_json

app = typer.Typer()

_RUN_OPTIONS = "\n".join(["Options of a run, NAME=DEFAULT and what each must be:", *run_options.described()])


@app.command(epilog=f"{OF_A_RUN}\n\n{_RUN_OPTIONS}")
def run(
    tenant_id: arguments.TenantId,
    option: arguments.Options = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show its progress; with --json its events, one a line.")] = False,
    server: arguments.Server = "",
    local: arguments.Local = False,
    registry: arguments.Registry = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Execute a run for a tenant, wait for its end and print its summary.

    Without a server the run executes in this process: Ctrl-C cancels it. With --server Ctrl-C only leaves it.

    Example: powerfill run demo --watch --option time_limit=5 --option pair_off_cost.TBA=0.05
    """
    options = run_options.parse(option or [])
    target = Target.of(server=server, local=local, registry=registry)
    raise typer.Exit(asyncio.run(_run(target, tenant_id, options, watch=watch, as_json=as_json)))


async def _run(target: Target, tenant_id: str, options: RunOptions, *, watch: bool, as_json: bool) -> ExitCode:
    async with run_client(target, tenant_id, executes=True) as client:
        with display_for(watch=watch, as_json=as_json, title=f"run of {tenant_id}") as display:
            progress = await execute(client, options, display)
        ended = await client.get(progress.run_id)
    if not as_json:
        print_run(ended)
    elif not watch:
        print_json(run_json(ended))
    return EXIT_CODES[ended.status]
