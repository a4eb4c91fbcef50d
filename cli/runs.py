"""`powerfill runs`: the runs of a tenant."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Annotated, TypeVar

import typer
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.run.v1.run_pb2 import Run

from cli import arguments
from cli.clients import RunClient, Target, run_client
from cli.comparison import SHOWN_MOVES, print_comparison
from cli.console import count, money, number, print_json, say, seconds, stdout
from cli.displays import Quiet, display_for
from cli.exit_codes import OF_A_REPLAY, OF_A_RUN, ExitCode, UsageError
from cli.follow import watch as watch_run
from cli.run_summary import EXIT_CODES, SAME_ANSWER, answers_differ, lasted_s, print_options, print_run, print_steps, status_word
from cli.text_table import Column, print_table
from cli.wire import local_time, message_json, options_json, run_json
from shared.rpc.values import enum_numbers

CANCEL_PATIENCE_S, POLL_S = 10.0, 0.25

_Answer = TypeVar("_Answer")

app = typer.Typer(help="Runs of a tenant: list, show, cancel, compare, replay.", no_args_is_help=True)


@app.command("list")
def list_runs(
    tenant_id: arguments.TenantId,
    limit: Annotated[int, typer.Option(min=0, help="At most so many, the newest; 0: all.")] = 20,
    status: Annotated[
        list[str] | None, typer.Option(metavar="STATUS", help="Only runs of this status, repeatable.", show_default=False)
    ] = None,
    server: arguments.Server = "",
    local: arguments.Local = False,
    registry: arguments.Registry = None,
    as_json: arguments.AsJson = False,
) -> None:
    """List a tenant's runs, newest first.

    Example: powerfill runs list demo --status COMPLETE --limit 5
    """
    statuses = [_status_number(word) for word in status or []]
    target = Target.of(server=server, local=local, registry=registry)

    async def listed(client: RunClient) -> tuple[list[Run], int]:
        return await client.list(statuses, limit)

    runs, total = asyncio.run(_with_client(target, tenant_id, listed))
    if as_json:
        print_json([run_json(run) for run in runs])
        return
    console = stdout()
    if not runs:
        say(console, f"{tenant_id} has no such runs" if statuses else f"{tenant_id} has no runs yet")
        return
    print_table(console, _columns(runs))
    if len(runs) < total:
        say(console, f"{count(len(runs))} of {count(total)} runs; --limit 0 lists all")


@app.command(epilog=OF_A_RUN)
def show(
    tenant_id: arguments.TenantId,
    run_id: arguments.RunId,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show its events from the first on, and wait for its end; --json: one a line.")
    ] = False,
    server: arguments.Server = "",
    local: arguments.Local = False,
    registry: arguments.Registry = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Show a run: status, options, steps and figures. With --watch also its progress until it ends.

    Example: powerfill runs show demo 6f0f7c1e-8a51-4b7e-9d3c-2f4f0c6f1f0a --watch
    """
    target = Target.of(server=server, local=local, registry=registry)

    async def shown(client: RunClient) -> Run:
        if watch:
            with display_for(watch=True, as_json=as_json, title=f"run {run_id} of {tenant_id}") as display:
                await watch_run(client, run_id, display)
        return await client.get(run_id)

    run = asyncio.run(_with_client(target, tenant_id, shown, executes=watch))
    if not as_json:
        print_run(run)
    elif not watch:
        print_json(run_json(run))
    if watch:
        raise typer.Exit(EXIT_CODES[run.status])
    if not as_json:
        say(stdout(), "options", style="bold")
        print_options(run)
        say(stdout(), "steps", style="bold")
        print_steps(run)


@app.command()
def cancel(
    tenant_id: arguments.TenantId,
    run_id: arguments.RunId,
    server: arguments.Server = "",
    local: arguments.Local = False,
    registry: arguments.Registry = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Cancel an active run, wherever it executes, and wait until it has ended.

    Example: powerfill runs cancel demo 6f0f7c1e-8a51-4b7e-9d3c-2f4f0c6f1f0a
    """
    target = Target.of(server=server, local=local, registry=registry)

    async def cancelled(client: RunClient) -> Run:
        run = await client.cancel(run_id)
        for _ in range(round(CANCEL_PATIENCE_S / POLL_S)):
            if run.status in EXIT_CODES:
                break
            await asyncio.sleep(POLL_S)
            run = await client.get(run_id)
        return run

    run = asyncio.run(_with_client(target, tenant_id, cancelled))
    if as_json:
        print_json(run_json(run))
    elif run.status in EXIT_CODES:
        print_run(run)
    else:
        say(stdout(), f"run {run_id} is asked to stop; it is still {status_word(run)}")
    ended_otherwise = run.status in EXIT_CODES and run.status != RunStatus.RUN_STATUS_CANCELLED
    raise typer.Exit(ExitCode.ERROR if ended_otherwise else ExitCode.DONE)


@app.command()
def compare(
    tenant_id: arguments.TenantId,
    run_id_a: Annotated[str, typer.Argument(metavar="RUN_A", help="The earlier run.", show_default=False)],
    run_id_b: Annotated[str, typer.Argument(metavar="RUN_B", help="The later run.", show_default=False)],
    server: arguments.Server = "",
    local: arguments.Local = False,
    registry: arguments.Registry = None,
    max_moves: Annotated[
        int,
        typer.Option(
            "--max-moves",
            min=0,
            max=100_000,
            help="At most so many of the loans that moved, those that earn or cost most; 0: 20, with --json 1,000.",
        ),
    ] = 0,
    as_json: arguments.AsJson = False,
) -> None:
    """Say what changed between two complete runs: options, inputs, loans, trades, and the dollars due to each.

    Example: powerfill runs compare demo RUN_A RUN_B
    """
    target = Target.of(server=server, local=local, registry=registry)
    most = max_moves or (0 if as_json else SHOWN_MOVES)
    compared = asyncio.run(_with_client(target, tenant_id, lambda client: client.compare(run_id_a, run_id_b, most)))
    if as_json:
        print_json(message_json(compared))
    else:
        print_comparison(compared, run_id_a, run_id_b)


@app.command(epilog=OF_A_REPLAY)
def replay(
    tenant_id: arguments.TenantId,
    run_id: arguments.RunId,
    server: arguments.Server = "",
    local: arguments.Local = False,
    registry: arguments.Registry = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Execute a run again on its stored inputs, and say whether it gave the same answer.

    Example: powerfill runs replay demo 6f0f7c1e-8a51-4b7e-9d3c-2f4f0c6f1f0a
    """
    target = Target.of(server=server, local=local, registry=registry)

    async def replayed(client: RunClient) -> tuple[Run, Run]:
        submitted = await client.replay(run_id)
        await watch_run(client, submitted.run_id, Quiet())
        return await client.get(run_id), await client.get(submitted.run_id)

    original, run = asyncio.run(_with_client(target, tenant_id, replayed, executes=True))
    is_complete = run.status == RunStatus.RUN_STATUS_COMPLETE
    differences = answers_differ(original.summary, run.summary) if is_complete else []
    if as_json:
        print_json({**run_json(run), "same_answer": not differences if is_complete else None})
    else:
        print_run(run)
        if is_complete:
            say(stdout(), f"not the answer of run {run_id}: {'; '.join(differences)}" if differences else SAME_ANSWER)
    raise typer.Exit(ExitCode.ERROR if differences else EXIT_CODES[run.status])


async def _with_client(
    target: Target, tenant_id: str, ask: Callable[[RunClient], Awaitable[_Answer]], *, executes: bool = False
) -> _Answer:
    async with run_client(target, tenant_id, executes=executes) as client:
        return await ask(client)


def _status_number(text: str) -> int:
    numbers = enum_numbers(RunStatus.DESCRIPTOR)
    if text not in numbers:
        raise UsageError(f"--status {text!r} is no status; it must be one of {', '.join(numbers)}")
    return numbers[text]


def _columns(runs: Sequence[Run]) -> list[Column]:
    rows = [_cells(run) for run in runs]
    return [
        Column(name, [row[number] for row in rows], is_figure)
        for number, (name, is_figure) in enumerate(
            [
                ("run", False),
                ("status", False),
                ("submitted", False),
                ("as of", False),
                ("strategy", False),
                ("lasted", True),
                ("value", True),
                ("gap bp", True),
                ("allocated", True),
                ("left out", True),
                ("failed in", False),
                ("outputs", False),
            ]
        )
    ]


def _cells(run: Run) -> tuple[str, ...]:
    options, summary, lasted = options_json(run.options), run.summary, lasted_s(run)
    is_complete = run.status == RunStatus.RUN_STATUS_COMPLETE
    return (
        run.run_id,
        status_word(run),
        local_time(run.submitted_at),
        options["as_of_date"] or "",
        f"{options['strategy']}{', replay' if run.replay_of else ''}",
        "" if lasted is None else seconds(lasted),
        money(summary.value.value) if is_complete else "",
        number(Decimal(summary.gap_bp.value)) if summary.HasField("gap_bp") else "",
        count(summary.allocated_count) if is_complete else "",
        count(summary.kicked_out_count) if is_complete else "",
        run.failure.step,
        "removed" if run.outputs_removed else "",
    )
