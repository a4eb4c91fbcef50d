"""`powerfill tenants`: who the tenants are, where their databases are, and what is in them."""

import asyncio
import dataclasses
import getpass
import importlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import platformdirs
import typer

from cli import arguments
from cli.console import count, print_error, print_json, say, stdout
from cli.exit_codes import ExitCode, UsageError
from cli.text_table import Column, print_table
from shared.database.check import look_over
from shared.database.load import load as load_files
from shared.database.migrate import MigrationResult
from shared.database.migrate import migrate as migrate_database
from shared.errors import PowerFillError
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import DEFAULT_KEEP_RUNS, DEFAULT_TIME_ZONE, Tenant, TenantRegistry

app = typer.Typer(help="Tenants and their databases: add, list, migrate, check, load, remove.", no_args_is_help=True)

_SQLITE = "sqlite+aiosqlite:///"
_Result = TypeVar("_Result")


@app.command()
def add(
    tenant_id: arguments.TenantId,
    url: Annotated[
        str,
        typer.Option(
            metavar="URL", help="Where its database is; may hold ${NAME} of the environment or be file:PATH.", show_default=False
        ),
    ],
    time_zone: Annotated[str, typer.Option(metavar="ZONE", help="The zone in which its days begin.")] = DEFAULT_TIME_ZONE,
    keep_runs: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many complete runs keep their outputs and inputs: the newest.")
    ] = DEFAULT_KEEP_RUNS,
    registry: arguments.Registry = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Put a tenant into the registry. Its database is not touched.

    Example: powerfill tenants add acme --url sqlite+aiosqlite:////var/lib/powerfill/acme.db
    """
    tenant = _registry(registry).add(tenant_id, _absolute(url), time_zone, keep_runs)
    if as_json:
        print_json(_described(tenant))
    else:
        say(stdout(), f"{tenant_id} is in the registry; `powerfill tenants migrate {tenant_id}` creates its tables")


@app.command("list")
def list_tenants(registry: arguments.Registry = None, as_json: arguments.AsJson = False) -> None:
    """List the tenants of the registry, without users and passwords.

    Example: powerfill tenants list --json
    """
    place = _registry(registry)
    tenants = [_described(tenant) for tenant in place.all()]
    if as_json:
        print_json({"tenants": tenants})
    elif tenants:
        print_table(stdout(), [Column(name, [str(tenant[name]) for tenant in tenants]) for name in tenants[0]])
    else:
        say(stdout(), f"there are no tenants in {place.path}; `powerfill tenants add` puts one there")


@app.command()
def migrate(
    tenant_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="The tenant.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Every tenant of the registry; one that fails stops no other.")] = False,
    registry: arguments.Registry = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Create PowerFill's tables or bring them to this version; an empty database also gets the input tables.

    Example: powerfill tenants migrate acme
    """
    if every == (tenant_id is not None):
        raise UsageError("give the id of a tenant, or --all")
    place = _registry(registry)
    names = [tenant_id] if tenant_id else [tenant.tenant_id for tenant in place.all()]
    results, errors = asyncio.run(_migrate_each(place, names))
    if tenant_id and errors:
        raise errors[0]
    if as_json:
        print_json({"migrations": [dataclasses.asdict(result) for result in results], "errors": list(map(_error_facts, errors))})
    else:
        for result in results:
            say(stdout(), _migration_in_words(result))
    for error in errors:
        print_error(error.message)
    if errors:
        raise typer.Exit(ExitCode.ERROR)


@app.command()
def check(tenant_id: arguments.TenantId, registry: arguments.Registry = None, as_json: arguments.AsJson = False) -> None:
    """Look a tenant's database over: connection, revision, row counts, missing columns, and the preflight checks of a run.

    Exit code 1 if a run would not start on it.

    Example: powerfill tenants check acme
    """
    state = asyncio.run(_with_database(_registry(registry), tenant_id, look_over))
    readiness = importlib.import_module("cli.tenant_readiness")  # imported here: it brings grpc
    if not readiness.report(state, registry, as_json=as_json):
        raise typer.Exit(ExitCode.ERROR)


@app.command()
def load(
    tenant_id: arguments.TenantId,
    source: Annotated[
        Path,
        typer.Option("--from", metavar="DIR", help="A directory with TABLE.parquet or TABLE.csv.", show_default=False),
    ],
    registry: arguments.Registry = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Replace the rows of every table that has a file in DIR: all or nothing, and only tables that PowerFill created.

    Example: powerfill tenants load acme --from ./acme-tables
    """
    result = asyncio.run(_with_database(_registry(registry), tenant_id, lambda database: load_files(database, source, _user())))
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    rows = result.row_counts
    print_table(stdout(), [Column("table", list(rows)), Column("rows", list(map(count, rows.values())), is_figure=True)])
    say(stdout(), f"loaded {len(rows)} tables of {tenant_id} from {source}")


@app.command()
def remove(tenant_id: arguments.TenantId, registry: arguments.Registry = None, as_json: arguments.AsJson = False) -> None:
    """Take a tenant out of the registry. Its database stays as it is.

    Example: powerfill tenants remove acme
    """
    _registry(registry).remove(tenant_id)
    if as_json:
        print_json({"tenant_id": tenant_id})
    else:
        say(stdout(), f"{tenant_id} is no longer in the registry; its database is as it was")


def registry_path(given: Path | None) -> Path:
    """The registry's file: the one given, else tenants.yaml in POWERFILL_HOME, else in the user's data folder."""
    home = os.environ.get("POWERFILL_HOME")
    return given or (Path(home) if home else platformdirs.user_data_path("powerfill")) / "tenants.yaml"


async def _migrate_each(place: TenantRegistry, names: list[str]) -> tuple[list[MigrationResult], list[PowerFillError]]:
    results, errors = [], []
    for name in names:
        try:
            results.append(await _with_database(place, name, migrate_database))
        except PowerFillError as error:
            errors.append(error)
    return results, errors


async def _with_database(place: TenantRegistry, tenant_id: str, work: Callable[[TenantDatabase], Awaitable[_Result]]) -> _Result:
    async with TenantConnections(place) as connections:
        return await work(await connections.database(tenant_id))


def _registry(given: Path | None) -> TenantRegistry:
    return TenantRegistry(registry_path(given))


def _absolute(url: str) -> str:
    """A SQLite URL whose path does not depend on the folder a command is called in."""
    path = url.removeprefix(_SQLITE)
    if path == url or not path or "${" in path or path == ":memory:":
        return url
    return f"{_SQLITE}{Path(path).expanduser().absolute()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user need not have a name
        return f"uid {os.getuid()}"


def _described(tenant: Tenant) -> dict[str, str | int]:
    return {
        "tenant_id": tenant.tenant_id,
        "database": tenant.url.describe(),
        "time_zone": tenant.time_zone.key,
        "keep_runs": tenant.keep_runs,
    }


def _error_facts(error: PowerFillError) -> dict[str, Any]:
    return {"reason": error.reason.value, "message": error.message, **error.metadata}


def _migration_in_words(result: MigrationResult) -> str:
    if not result.changed:
        return f"{result.tenant_id}: at revision {result.after} already"
    words = [f"{result.tenant_id}: revision {result.before or 'none'} -> {result.after}"]
    if result.created_lender_tables:
        words.append(f"created {len(result.created_lender_tables)} input tables, the database was empty")
    words += [f"added the column {column}" for column in result.added_columns]
    return "; ".join(words)
