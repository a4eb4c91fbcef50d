"""`powerfill demo`: a tenant, both services, one run and its reports, with nothing but this installation."""

import asyncio
import contextlib
import datetime as dt
import os
import shlex
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import polars as pl
import typer
from powerfill.common.v1.run_options_pb2 import RunOptions
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.report.v1.report_pb2 import ReportQuery
from powerfill.run.v1.run_pb2 import Run

from cli import arguments, run_options
from cli.clients import ReportClient, RunClient, Target, report_client_at, run_client_at
from cli.console import count, print_json, program, say, seconds, stdout
from cli.demo.story import by_reason, fill_line, kickout_frame, print_story, trade_frame
from cli.demo.tenant import TENANT_ID, DemoTenant, default_home
from cli.displays import display_for
from cli.exit_codes import OF_A_RUN, ExitCode
from cli.follow import execute
from cli.local import report_service, run_service
from cli.report_pages import json_rows, read_report
from cli.run_summary import EXIT_CODES, print_run
from cli.wire import run_json
from shared.rpc.values import date_to_proto
from shared.tenancy.registry import DEFAULT_TIME_ZONE

ANY_FREE_PORT = "127.0.0.1:0"

app = typer.Typer()


@app.command(epilog=OF_A_RUN)
def demo(
    home: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the demo lives; demo in POWERFILL_HOME unless given.", show_default=False),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Run on the demo tenant that is there instead of a new one.")] = False,
    option: arguments.Options = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Make a demo tenant, start both services, execute a run with live progress and say what it found and how to go on.

    It needs nothing. Its directory is made anew each time and can be used afterwards, as POWERFILL_HOME.

    Example: powerfill demo --option time_limit=5
    """
    options = run_options.parse(option or [])
    raise typer.Exit(asyncio.run(_Demo(DemoTenant((home or default_home()).absolute()), as_json).play(options, keep=keep)))


@dataclass
class _Demo:
    tenant: DemoTenant
    as_json: bool
    took_s: dict[str, float] = field(default_factory=dict)

    async def play(self, options: RunOptions, *, keep: bool) -> ExitCode:
        """The whole demo; gives the exit code."""
        self._say(f"PowerFill demo in {self.tenant.home}", style="bold")
        as_of = self.tenant.as_of if keep else None
        if as_of is None and self.tenant.clear():
            self._say(f"  the earlier demo in {self.tenant.home} was replaced, its runs with it; --keep keeps it")
        async with self._services() as (runs, reports):  # before the tables are made: its worker gets ready meanwhile
            if as_of is None:
                as_of = await self._make_tenant()
            if not options.HasField("as_of_date"):
                options.as_of_date.CopyFrom(date_to_proto(as_of))
            run = await self._run(runs, options)
            if run.status != RunStatus.RUN_STATUS_COMPLETE:
                return self._ended_without_result(run)
            with self._timed("reports"):
                kickouts = await read_report(reports, "kickouts", ReportQuery(run_id=run.run_id))
                recap = await read_report(reports, "trade_recap", ReportQuery(run_id=run.run_id))
        self._tell(run, kickout_frame(kickouts.columns), trade_frame(recap.columns))
        return ExitCode.DONE

    @contextlib.asynccontextmanager
    async def _services(self) -> AsyncIterator[tuple[RunClient, ReportClient]]:
        registry = self.tenant.registry
        again = Target(registry=registry).again()
        async with contextlib.AsyncExitStack() as stack:
            with self._timed("services"):
                run = await stack.enter_async_context(run_service(registry, ANY_FREE_PORT))
                report = await stack.enter_async_context(report_service(registry, ANY_FREE_PORT))
                runs = await stack.enter_async_context(run_client_at(run, TENANT_ID, is_local=True, again=again))
                reports = await stack.enter_async_context(report_client_at(report, TENANT_ID))
            self._say(f"  services  run {run}, report {report}", part="services")
            yield runs, reports

    async def _make_tenant(self) -> dt.date:
        as_of = dt.datetime.now(ZoneInfo(DEFAULT_TIME_ZONE)).date()
        with self._timed("tables"):
            rows = await self.tenant.generate(as_of)
        told = ", ".join(f"{count(rows[name])} {what}" for name, what in _TOLD.items())
        self._say(f"  tables    {told}; as of {as_of}", part="tables")
        with self._timed("database"):
            loaded = await self.tenant.load(as_of)
        self._say(f"  database  migrated, {count(loaded)} rows loaded", part="database")
        return as_of

    async def _run(self, runs: RunClient, options: RunOptions) -> Run:
        self._say()
        with self._timed("run"), display_for(watch=not self.as_json, as_json=False, title=f"run of {TENANT_ID}") as display:
            progress = await execute(runs, options, display)
        return await runs.get(progress.run_id)

    def _ended_without_result(self, run: Run) -> ExitCode:
        if self.as_json:
            print_json({"home": str(self.tenant.home), "run": run_json(run), "seconds": self.took_s})
        else:
            print_run(run)
        return EXIT_CODES[run.status]

    def _tell(self, run: Run, kickouts: pl.DataFrame, recap: pl.DataFrame) -> None:
        if self.as_json:
            print_json(
                {
                    "home": str(self.tenant.home),
                    "run": run_json(run),
                    "seconds": {part: round(lasted, 3) for part, lasted in self.took_s.items()},
                    "kickouts_by_reason": json_rows(by_reason(kickouts).to_dict(as_series=False)),
                    "fill": fill_line(recap),
                    "go_on": list(self._commands(kickouts)),
                }
            )
            return
        console = stdout()
        self._say()
        print_run(run)
        print_story(console, kickouts, recap)
        parts = ", ".join(f"{part} {seconds(lasted)}" for part, lasted in self.took_s.items())
        self._say()
        self._say(f"It took {seconds(sum(self.took_s.values()))}: {parts}")
        self._say("Go on:", style="bold")
        for command in self._commands(kickouts):
            self._say(f"  {command}")

    def _commands(self, kickouts: pl.DataFrame) -> Iterator[str]:
        call = program()
        home = os.environ.get("POWERFILL_HOME")
        if not home or Path(home).absolute() != self.tenant.home:
            yield f"export POWERFILL_HOME={shlex.quote(str(self.tenant.home))}"
        yield f"{call} report kickouts {TENANT_ID} --order-by 'opportunity_cost desc' --limit 20"
        for loan_id in kickouts.top_k(1, by="opportunity_cost")["loan_id"]:
            yield f"{call} explain {TENANT_ID} {loan_id}"
        yield f"{call} report allocation_guide {TENANT_ID} --format xlsx --out allocation_guide.xlsx"
        yield f"{call} export {TENANT_ID} --out demo-export"
        yield f"{call} runs list {TENANT_ID}"
        yield f"{call} run {TENANT_ID} --watch --option strategy=PASSES"
        yield f"{call} serve all"

    @contextlib.contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began_s = time.monotonic()
        yield
        self.took_s[part] = time.monotonic() - began_s

    def _say(self, text: str = "", *, part: str = "", style: str = "") -> None:
        if not self.as_json:
            say(stdout(), f"{text} ({seconds(self.took_s[part])})" if part else text, style=style)


_TOLD = {"loan": "loans", "pscat_trades": "trades", "pscat_pools": "pools", "pfill_constraints": "constraints"}
