"""What the preflight checks look at, read from a tenant's database."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.run_service.application.survey import Constraint, Setting, Survey
from services.run_service.domain.findings import Code, Severity
from shared.database.bulk import existing_columns
from shared.database.revision import schema_revision
from shared.database.tables import CONFIG_TABLES, LENDER_TABLES, SCHEMA_REVISION
from shared.tenancy.connections import TenantConnections

_INSTRUMENTS = LENDER_TABLES["pscat_instruments"]
_CONSTRAINTS = CONFIG_TABLES["pfill_constraints"]
_RULES = CONFIG_TABLES["pfill_sec_rules"]
_LIMITS = CONFIG_TABLES["pfill_limits"]
_SETTINGS = CONFIG_TABLES["pfill_preflight_settings"]


class SqlTenantTables:
    """`application.ports.TenantTables` over the tenants' databases."""

    def __init__(self, connections: TenantConnections) -> None:
        self._connections = connections

    async def survey(self, tenant_id: str) -> Survey:
        """Everything the preflight checks look at, read in one transaction. Missing tables are part of the answer."""
        database = await self._connections.database(tenant_id)
        async with database.connect() as connection:
            revision = await schema_revision(connection) or ""
            columns = {name: frozenset(await existing_columns(connection, table)) for name, table in LENDER_TABLES.items()}
            columns = {name: found for name, found in columns.items() if found}
            instruments = await _instruments(connection) if "investor_instrument" in columns.get(_INSTRUMENTS.name, ()) else ()
            if revision != SCHEMA_REVISION:
                return Survey(tenant_id, revision, SCHEMA_REVISION, columns, frozenset(instruments))
            return Survey(
                tenant_id,
                revision,
                SCHEMA_REVISION,
                columns,
                frozenset(instruments),
                await _constraints(connection),
                await _rules(connection),
                await _enabled_limits(connection),
                await _settings(connection),
            )


async def _instruments(connection: AsyncConnection) -> list[str]:
    return list((await connection.execute(sa.select(_INSTRUMENTS.c.investor_instrument))).scalars())


async def _constraints(connection: AsyncConnection) -> tuple[Constraint, ...]:
    rows = await connection.execute(sa.select(_CONSTRAINTS).order_by(_CONSTRAINTS.c.constraint_id))
    return tuple(
        Constraint(row.constraint_id, row.investor_instrument or "", row.rule_name or "", bool(row.enabled)) for row in rows
    )


async def _rules(connection: AsyncConnection) -> dict[str, str]:
    rows = await connection.execute(sa.select(_RULES.c.rule_name, _RULES.c.expression))
    return {row.rule_name: row.expression or "" for row in rows}


async def _enabled_limits(connection: AsyncConnection) -> tuple[str, ...]:
    names = await connection.execute(sa.select(_LIMITS.c.name).where(_LIMITS.c.enabled).order_by(_LIMITS.c.name))
    return tuple(names.scalars())


async def _settings(connection: AsyncConnection) -> dict[Code, Setting]:
    """Settings of checks this version knows; a severity it does not know leaves the default."""
    rows = await connection.execute(sa.select(_SETTINGS))
    return {
        Code(row.check_code): Setting(
            row.enabled is not False, Severity(row.severity) if row.severity in list(Severity) else None
        )
        for row in rows
        if row.check_code in list(Code)
    }
